// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	kjson "sigs.k8s.io/json"

	"github.com/clientidentity/operator/internal/denial"
)

// kind is the kind of object that the API server asks with.
const kind = "SubjectAccessReview"

// The versions of it that an AuthorizationConfiguration can name (subjectAccessReviewVersion).
var apiVersions = map[string]bool{"authorization.k8s.io/v1": true, "authorization.k8s.io/v1beta1": true}

const (
	// fingerprintPrefix begins the credential id of a client certificate (k8s.io/apiserver, authentication/request/x509).
	fingerprintPrefix = "X509SHA256="
	// maxDepth bounds how deep what is skipped may be nested.
	maxDepth = 32
)

// review is what is asked: who, and in which version. What for plays no part.
type review struct {
	apiVersion string
	subject    denial.Subject
}

// readReview reads a SubjectAccessReview, and holds of it no more than who it is about and one token at a time: what the request is
// for, its selectors above all, is as long as its client wants.
func readReview(body io.Reader) (review, error) {
	in := reader{kjson.NewDecoderCaseSensitivePreserveInts(body)}
	var asked review
	var askedKind string
	var found bool
	err := in.object(func(key string) error {
		switch key {
		case "apiVersion":
			return in.Decode(&asked.apiVersion)
		case "kind":
			return in.Decode(&askedKind)
		case "spec":
			found = true
			return in.object(func(key string) error { return in.spec(key, &asked.subject) })
		}
		return in.skip()
	})
	if err != nil {
		return review{}, err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return review{}, errors.New("there is more than one object")
	}
	if askedKind != kind || !apiVersions[asked.apiVersion] || !found {
		return review{}, errors.New("it is no SubjectAccessReview of authorization.k8s.io/v1 or v1beta1")
	}
	return asked, nil
}

// reader reads JSON token by token.
type reader struct{ kjson.Decoder }

// spec reads a field of the spec. In v1beta1 the groups are called group.
func (r reader) spec(key string, subject *denial.Subject) error {
	switch key {
	case "user":
		return r.Decode(&subject.Username)
	case "groups", "group":
		return r.Decode(&subject.Groups)
	case "extra":
		return r.object(func(key string) error {
			if key != user.CredentialIDKey {
				return r.skip()
			}
			var ids []string
			if err := r.Decode(&ids); err != nil {
				return err
			}
			for _, id := range ids {
				if fingerprint, ok := strings.CutPrefix(id, fingerprintPrefix); ok {
					subject.Fingerprints = append(subject.Fingerprints, fingerprint)
				}
			}
			return nil
		})
	}
	return r.skip()
}

// object reads an object and calls field for each of its fields, which has to read the value. null is an object without any.
func (r reader) object(field func(key string) error) error {
	begin, err := r.Token()
	switch {
	case err != nil:
		return err
	case begin == nil:
		return nil
	case begin != json.Delim('{'):
		return fmt.Errorf("%v stands where an object should", begin)
	}
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok {
			return errors.New("a field has no name")
		}
		if err := field(key); err != nil {
			return err
		}
	}
	_, err = r.Token()
	return err
}

// skip reads a value and drops it.
func (r reader) skip() error {
	for depth := 0; ; {
		token, err := r.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxDepth {
			return errors.New("it is nested too deep")
		}
		if depth == 0 {
			return nil
		}
	}
}
