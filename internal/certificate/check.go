// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientidentity/operator/internal/timing"
)

var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// Check returns nil if the certificate is the one asked for: for the public key, for exactly the subject,
// for client authentication, not of a CA, and valid at now (RFC 5280, 4.1.2.5: both ends included).
// Otherwise the error says what differs: it is the same for the same certificate at any time, and has no key
// material. It does not verify a signature: which
// CAs a cluster trusts only the API server knows, and it is asked before anything is published.
func (i *Issued) Check(key crypto.PublicKey, s Subject, now time.Time) error {
	leaf := i.Certificate
	switch {
	case !i.HasKey(key):
		return errors.New("the certificate is for another public key than the one requested")
	// Other attributes are left to the signer: the API server takes user and groups from these two only.
	case i.commonNames() != 1 || !i.Subject().Equal(s):
		return fmt.Errorf("the certificate is for %v with %d common name(s), requested was %v",
			i.Subject(), i.commonNames(), s)
	case leaf.IsCA:
		return errors.New("the certificate is one of a CA: no client certificate may sign others")
	// The API server's own verification takes a certificate without any extended key usage too, but a
	// signer that leaves it out did not do what the request said.
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return errors.New("the certificate is not for client authentication: the signer left out the requested usage \"client auth\"")
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s: the clocks of the signer and the operator differ",
			timing.Stamp(leaf.NotBefore))
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate expired at %s", timing.Stamp(leaf.NotAfter))
	}
	return nil
}

// commonNames counts the common names of the subject. Go keeps the last of several, and another
// implementation the first: who the user is must not depend on the reader.
func (i *Issued) commonNames() int {
	count := 0
	for _, attribute := range i.Certificate.Subject.Names {
		if attribute.Type.Equal(oidCommonName) {
			count++
		}
	}
	return count
}
