// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	kjson "sigs.k8s.io/json"

	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/proof"
)

// event is what is looked at of an audit event (audit.k8s.io/v1).
type event struct {
	Verb      string `json:"verb"`
	UserAgent string `json:"userAgent"`
	User      struct {
		Extra struct {
			CredentialID []string `json:"authentication.kubernetes.io/credential-id"`
		} `json:"extra"`
	} `json:"user"`
	SourceIPs []string `json:"sourceIPs"`
	ObjectRef *struct {
		Resource string `json:"resource"`
	} `json:"objectRef"`
	StageTimestamp time.Time `json:"stageTimestamp"`
}

// fingerprint returns the fingerprint of the certificate that the request came with; "" where it came with none.
func (e *event) fingerprint() string {
	return certificate.FingerprintIn(e.User.Extra.CredentialID)
}

// isProof says whether the request is the operator's, which proves credentials. A holder can make its own look like one: it
// learns who it is, and nothing else.
func (e *event) isProof() bool {
	return e.ObjectRef != nil && proof.Looks(e.UserAgent, e.Verb, e.ObjectRef.Resource)
}

// eventListKind is the kind of what the API server posts.
const eventListKind = "EventList"

// errNoEvents says that a body is something else than a list of audit events.
var errNoEvents = errors.New("not a list of audit events: expected kind EventList of " + auditv1.SchemeGroupVersion.String())

// readEvents reads a list of audit events one by one: it holds no more than one of them, and of that what is looked at.
func readEvents(body io.Reader, each func(*event)) error {
	decoder := kjson.NewDecoderCaseSensitivePreserveInts(body)
	if err := expect(decoder, json.Delim('{')); err != nil {
		return err
	}
	var kind, apiVersion string
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("read the list of audit events: %w", err)
		}
		switch key {
		case "kind":
			err = decoder.Decode(&kind)
		case "apiVersion":
			err = decoder.Decode(&apiVersion)
		case "items":
			err = readItems(decoder, each)
		default:
			err = decoder.Decode(&json.RawMessage{})
		}
		if err != nil {
			return fmt.Errorf("read %v of the list of audit events: %w", key, err)
		}
	}
	if err := expect(decoder, json.Delim('}')); err != nil {
		return err
	}
	if kind != eventListKind || apiVersion != auditv1.SchemeGroupVersion.String() {
		return errNoEvents
	}
	return nil
}

func readItems(decoder kjson.Decoder, each func(*event)) error {
	token, err := decoder.Token()
	if err != nil || token == nil { // null: none
		return err
	}
	if token != json.Delim('[') {
		return errNoEvents
	}
	for decoder.More() {
		e := event{}
		if err := decoder.Decode(&e); err != nil {
			return err
		}
		each(&e)
	}
	return expect(decoder, json.Delim(']'))
}

func expect(decoder kjson.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("read the list of audit events: %w", err)
	}
	if token != want {
		return errNoEvents
	}
	return nil
}
