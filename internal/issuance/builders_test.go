// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// fakeProver takes the holder of a certificate for whom it names, or answers what it is told to.
type fakeProver struct {
	err    error
	proofs int
}

func (p *fakeProver) WhoAmI(_ context.Context, certificatePEM, _ []byte) (authenticationv1.UserInfo, error) {
	p.proofs++
	if p.err != nil {
		return authenticationv1.UserInfo{}, p.err
	}
	issued, err := certificate.ParseIssued(certificatePEM)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	who := issued.Subject()
	return authenticationv1.UserInfo{Username: who.Username, Groups: append(who.Groups, authenticatedGroup)}, nil
}

// signed is alice's open request, approved and signed.
type signed struct {
	*Requests
	t      *testing.T
	alice  *v1alpha1.ClientIdentity
	open   *Open
	clock  *clocktesting.FakePassiveClock
	prover *fakeProver
}

// signedFrom returns a request whose certificate begins at a time after the start, and ends an hour later.
func signedFrom(t *testing.T, begin time.Duration) *signed {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := certificatesv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	if err != nil {
		t.Fatal(err)
	}
	s := &signed{
		t: t, clock: clocktesting.NewFakePassiveClock(start), prover: &fakeProver{},
		alice: &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "u0"}},
		open: &Open{csrName: "alice-1", csrUID: "u1", approved: true, Key: key, RequestTime: start, Order: Order{
			Subject: certificate.Subject{Username: "alice@example.com", Groups: []string{"developers"}}, SignerName: "example.com/ca", RenewRequest: "now",
		}},
	}
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: s.open.csrName, UID: s.open.csrUID},
		Status:     certificatesv1.CertificateSigningRequestStatus{Certificate: certificateFor(t, s.open.Subject, key, start.Add(begin))},
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(csr).Build()
	s.Requests = NewRequests(api, api, s.prover, s.clock)
	s.Requests.open.put(s.alice.Name, s.alice.UID, s.open)
	return s
}

// certificateFor returns a certificate (PEM) of an hour, which the key signs itself.
func certificateFor(t *testing.T, who certificate.Subject, key crypto.Signer, begin time.Time) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: who.Username, Organization: who.Groups}, NotBefore: begin, NotAfter: begin.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// follow looks at the request after some time has passed.
func (s *signed) follow(after time.Duration) Outcome {
	s.t.Helper()
	s.clock.SetTime(start.Add(after))
	return s.Follow(s.t.Context(), s.alice, s.open)
}
