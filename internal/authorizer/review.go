// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizer

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/denial"
)

// kind is the kind of object that the API server asks with.
const kind = "SubjectAccessReview"

// The versions of it that an AuthorizationConfiguration can name (subjectAccessReviewVersion).
var apiVersions = map[string]bool{"authorization.k8s.io/v1": true, "authorization.k8s.io/v1beta1": true}

// review is what is asked: who, and in which version. What for plays no part.
type review struct {
	apiVersion string
	subject    denial.Subject
}

// readReview reads a SubjectAccessReview, and holds of it no more than who it is about: what the request is for, its selectors above
// all, is as long as its client wants, and has to be passed within the second that the API server waits.
func readReview(body io.Reader) (review, error) {
	// The API server wrote it: nothing is won by refusing what it may have taken over from a client.
	in := jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var asked review
	var askedKind string
	var found bool
	err := object(in, func(key string) error {
		switch key {
		case "apiVersion":
			return json.UnmarshalDecode(in, &asked.apiVersion)
		case "kind":
			return json.UnmarshalDecode(in, &askedKind)
		case "spec":
			found = true
			return object(in, func(key string) error { return readSpec(in, key, &asked.subject) })
		}
		return in.SkipValue()
	})
	if err != nil {
		return review{}, err
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) {
		return review{}, errors.New("there is more than one object")
	}
	if askedKind != kind || !apiVersions[asked.apiVersion] || !found {
		return review{}, errors.New("it is no SubjectAccessReview of authorization.k8s.io/v1 or v1beta1")
	}
	return asked, nil
}

// readSpec reads a field of the spec. In v1beta1 the groups are called group.
func readSpec(in *jsontext.Decoder, key string, subject *denial.Subject) error {
	switch key {
	case "user":
		return json.UnmarshalDecode(in, &subject.Username)
	case "groups", "group":
		return json.UnmarshalDecode(in, &subject.Groups)
	case "extra":
		return object(in, func(key string) error {
			if key != user.CredentialIDKey {
				return in.SkipValue()
			}
			var ids []string
			if err := json.UnmarshalDecode(in, &ids); err != nil {
				return err
			}
			for _, id := range ids {
				if fingerprint, ok := certificate.FingerprintOf(id); ok {
					subject.Fingerprints = append(subject.Fingerprints, fingerprint)
				}
			}
			return nil
		})
	}
	return in.SkipValue()
}

// object reads an object and calls field for each of its fields, which has to read or skip the value. null is an object without any.
func object(in *jsontext.Decoder, field func(key string) error) error {
	begin, err := in.ReadToken()
	switch {
	case err != nil:
		return err
	case begin.Kind() == jsontext.KindNull:
		return nil
	case begin.Kind() != jsontext.KindBeginObject:
		return fmt.Errorf("a %s stands where an object should", begin.Kind())
	}
	for in.PeekKind() != jsontext.KindEndObject {
		name, err := in.ReadToken()
		if err != nil {
			return err
		}
		if err := field(name.String()); err != nil {
			return err
		}
	}
	_, err = in.ReadToken()
	return err
}
