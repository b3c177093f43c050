// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	kjson "sigs.k8s.io/json"

	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/proof"
)

// maxEvent bounds, in bytes, one line of an audit log. API servers take no larger objects than a fraction of it.
const maxEvent = 16 << 20

// auditEvent is what is looked at of an audit event (audit.k8s.io/v1).
type auditEvent struct {
	Kind       string `json:"kind"`
	Stage      string `json:"stage"`
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	UserAgent  string `json:"userAgent"`
	User       struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
		Extra    struct {
			CredentialID []string `json:"authentication.kubernetes.io/credential-id"`
		} `json:"extra"`
	} `json:"user"`
	SourceIPs []string `json:"sourceIPs"`
	ObjectRef *struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus *struct {
		Code int32 `json:"code"`
	} `json:"responseStatus"`
	StageTimestamp time.Time `json:"stageTimestamp"`
	// Items are the events of a list, as API servers post them.
	Items []auditEvent `json:"items"`
}

// fingerprint returns the fingerprint of the certificate that a request came with; "" where it came with none.
func (e *auditEvent) fingerprint() string {
	return certificate.FingerprintIn(e.User.Extra.CredentialID)
}

// isProof says whether the request is the operator's, which proves credentials. A holder can make its own look like one: it learns who it is, and
// nothing else.
func (e *auditEvent) isProof() bool {
	return e.ObjectRef != nil && proof.Looks(e.UserAgent, e.Verb, e.ObjectRef.Resource)
}

// ended says whether it tells of the end of a request: each is told of several times, and counted once.
func (e *auditEvent) ended() bool { return e.Stage == "ResponseComplete" || e.Stage == "Panic" }

// what returns what was asked for: the resource with its subresource, or the path.
func (e *auditEvent) what() string {
	if e.ObjectRef != nil && e.ObjectRef.Resource != "" {
		if e.ObjectRef.Subresource != "" {
			return e.ObjectRef.Resource + "/" + e.ObjectRef.Subresource
		}
		return e.ObjectRef.Resource
	}
	path, _, _ := strings.Cut(e.RequestURI, "?")
	return path
}

// namespace returns the namespace of what was asked for.
func (e *auditEvent) namespace() string {
	if e.ObjectRef == nil {
		return ""
	}
	return e.ObjectRef.Namespace
}

// name returns the name of what was asked for.
func (e *auditEvent) name() string {
	if e.ObjectRef == nil {
		return ""
	}
	return e.ObjectRef.Name
}

// code returns the HTTP status of the answer; 0 where it is not known.
func (e *auditEvent) code() int32 {
	if e.ResponseStatus == nil {
		return 0
	}
	return e.ResponseStatus.Code
}

// source returns the address that the API server saw: the last one. Clients can write the others themselves.
func (e *auditEvent) source() string {
	if len(e.SourceIPs) == 0 {
		return ""
	}
	return e.SourceIPs[len(e.SourceIPs)-1]
}

// reading is what came of an audit log, beside its events.
type reading struct {
	// events is how many there were; unreadable and tooLong are lines that are none.
	events, unreadable, tooLong int
}

// readAudit reads an audit log line by line, and holds no more than one of them.
func readAudit(log io.Reader, each func(*auditEvent) error) (reading, error) {
	var r reading
	buffered := bufio.NewReaderSize(log, 64<<10)
	var line bytes.Buffer
	for {
		long, err := readLine(buffered, &line)
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return r, err
		case long:
			r.tooLong++
		case len(bytes.TrimSpace(line.Bytes())) > 0:
			if stop := r.take(line.Bytes(), each); stop != nil {
				return r, stop
			}
		}
		if errors.Is(err, io.EOF) {
			return r, nil
		}
	}
}

// readLine reads a line into a buffer. Of one that is too long it keeps nothing, and says so.
func readLine(from *bufio.Reader, line *bytes.Buffer) (long bool, err error) {
	line.Reset()
	for {
		part, err := from.ReadSlice('\n')
		switch {
		case long:
		case line.Len()+len(part) > maxEvent:
			long = true
			*line = bytes.Buffer{}
		default:
			line.Write(part)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return long, err
		}
	}
}

// take takes in a line: an event, or a list of them.
func (r *reading) take(line []byte, each func(*auditEvent) error) error {
	e := &auditEvent{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(line, e); err != nil {
		r.unreadable++
		return nil //nolint:nilerr // it is counted
	}
	events := []auditEvent{*e}
	if strings.HasSuffix(e.Kind, "List") {
		events = e.Items
	}
	for i := range events {
		if events[i].Stage == "" {
			r.unreadable++ // some other JSON
			continue
		}
		r.events++
		if err := each(&events[i]); err != nil {
			return err
		}
	}
	return nil
}
