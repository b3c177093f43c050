// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// maxNameLength bounds a user name and a group, in characters: ub-common-name and ub-organization-name
// of RFC 5280, appendix A.1. Go does not enforce it, OpenSSL does.
const maxNameLength = 64

// Subject is whom a certificate authenticates: the API server reads the user name from the common name
// and the groups from the organizations (k8s.io/apiserver, CommonNameUserConversion).
type Subject struct {
	Username string
	Groups   []string
}

// SubjectFor returns the subject to ask for: user name and groups of the spec and, with bindTo:
// Credential, the credential group of the identity with that UID.
func SubjectFor(spec *v1alpha1.ClientIdentitySpec, uid types.UID) Subject {
	s := Subject{Username: spec.Username, Groups: slices.Clone(spec.Groups)}
	if spec.BindTo == v1alpha1.BindToCredential {
		s.Groups = append(s.Groups, CredentialGroup(string(uid), timing.Of(spec.RevokeIssuedBefore)))
	}
	return s
}

// Deniable returns the subject with two groups that bind nothing, and that an authorizer knows the certificate by: the credential
// group of the identity with that UID, whatever bindTo says, and one that no other certificate has. A fingerprint does not tell a
// certificate from its holder's point of view: the CA signs only the inner part of what it is the hash of, and the outer part can be
// encoded in other ways that a TLS server takes.
func (s Subject) Deniable(uid types.UID, revokeIssuedBefore *time.Time) Subject {
	s.Groups = set(append(slices.Clone(s.Groups), CredentialGroup(string(uid), revokeIssuedBefore), v1alpha1.CertificateGroupPrefix+rand.Text()))
	return s
}

// Equal says whether both are the same user with the same groups. Groups are sets: DER sorts them
// (X.690, 11.6), so that they come back in another order than they were asked for.
func (s Subject) Equal(other Subject) bool {
	return s.Username == other.Username && slices.Equal(set(s.Groups), set(other.Groups))
}

// String describes the subject for people, in at most 512 bytes.
func (s Subject) String() string {
	return shorten(fmt.Sprintf("user %q with groups %q", s.Username, set(s.Groups)))
}

// encode returns the distinguished name in DER: organizations and one common name. Equal subjects have
// equal encodings. It fails for what RFC 5280 has no room for: empty names and names of over 64
// characters.
func (s Subject) encode() ([]byte, error) {
	if err := checkName(s.Username); err != nil {
		return nil, fmt.Errorf("user name %w", err)
	}
	groups := set(s.Groups)
	for _, group := range groups {
		if err := checkName(group); err != nil {
			return nil, fmt.Errorf("group %w", err)
		}
	}
	return asn1.Marshal(pkix.Name{CommonName: s.Username, Organization: groups}.ToRDNSequence())
}

// checkName returns an error that continues "user name" or "group".
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty: it must have 1 to 64 characters")
	case !utf8.ValidString(name):
		return errors.New("is not valid UTF-8")
	case utf8.RuneCountInString(name) > maxNameLength:
		return fmt.Errorf("%q has more than %d characters", shorten(name), maxNameLength)
	}
	return nil
}

// CredentialGroup returns the group that bindings name with bindTo: Credential:
// "clientidentity.dev:<uid without dashes>:<unix seconds of revokeIssuedBefore, or 0>". It takes the UID
// that the API server gave (a UUID) and has at most 64 characters for every time that an RFC 3339
// timestamp can say. Raising revokeIssuedBefore changes it: older certificates lose what is bound to it.
func CredentialGroup(uid string, revokeIssuedBefore *time.Time) string {
	return CredentialGroupPrefix(uid) + strconv.FormatInt(unixSeconds(revokeIssuedBefore), 10)
}

// CredentialGroupPrefix returns what all credential groups of an identity begin with, whatever was revoked.
func CredentialGroupPrefix(uid string) string {
	return v1alpha1.CredentialGroupPrefix + UIDKey(uid) + ":"
}

// UIDKey returns a UID as credential groups have it: without dashes.
func UIDKey(uid string) string { return strings.ReplaceAll(uid, "-", "") }

// ParseCredentialGroup returns whose credential group that is, as UIDKey writes it, and the revocation in it in Unix seconds; ok is
// false for any other group.
func ParseCredentialGroup(group string) (uid string, revocation int64, ok bool) {
	rest, ok := strings.CutPrefix(group, v1alpha1.CredentialGroupPrefix)
	if !ok {
		return "", 0, false
	}
	uid, seconds, ok := strings.Cut(rest, ":")
	if !ok || uid == "" {
		return "", 0, false
	}
	revocation, err := strconv.ParseInt(seconds, 10, 64)
	return uid, revocation, err == nil
}

// unixSeconds returns 0 for a time that is not set. Fractions of a second are dropped: metav1.Time loses
// them whenever it is written.
func unixSeconds(t *time.Time) int64 {
	if t == nil || t.IsZero() {
		return 0
	}
	return t.Unix()
}

// set returns the groups sorted and without duplicates, in a slice of its own.
func set(groups []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(groups)))
}
