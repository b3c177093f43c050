// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/problem"
)

// start is when the tests begin.
var start = time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)

// at returns a time after the start, in whole seconds as the API has them.
func at(after time.Duration) *metav1.Time { return &metav1.Time{Time: start.Add(after)} }

// identity returns alice, of the third generation.
func identity(changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "d01fa743-3673-4dec-b269-05423cdcc6a9", Generation: 3},
		Spec: v1alpha1.ClientIdentitySpec{
			Username: "alice@example.com", Groups: []string{"team-a", "developers"}, TTL: metav1.Duration{Duration: time.Hour}, BindTo: v1alpha1.BindToUsername,
		},
		Status: v1alpha1.ClientIdentityStatus{ObservedGeneration: -1},
	}
	for _, change := range changes {
		change(id)
	}
	return id
}

// issued describes a certificate that was issued at the start.
func issued(lifetime time.Duration) *v1alpha1.CertificateStatus {
	return &v1alpha1.CertificateStatus{
		SerialNumber: "a1", Fingerprint: "f1", NotBefore: at(-5 * time.Minute), NotAfter: at(lifetime), RequestTime: at(0),
		Issuer: "CN=ca", RequestedTTL: &metav1.Duration{Duration: lifetime}, Revision: 1,
	}
}

// published returns a certificate that was asked for after the start, for an hour, and has just been published.
func published(t testing.TB, serialNumber int64, after time.Duration) *Certificate {
	t.Helper()
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serialNumber), Subject: pkix.Name{CommonName: "alice@example.com", Organization: []string{"developers", "team-a"}},
		NotBefore: start.Add(after - 5*time.Minute), NotAfter: start.Add(after + time.Hour),
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, SubjectKeyId: []byte{0xca}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := certificate.ParseIssued(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return &Certificate{Issued: parsed, RequestTime: start.Add(after + 300*time.Millisecond), RequestedTTL: time.Hour, RenewRequest: "now"}
}

// input is that of a ready identity a minute after the start, changed by the options.
func input(changes ...func(*Input)) Input {
	in := Input{
		Identity: identity(), Now: start.Add(time.Minute),
		Bindings: Bindings{Bound: 2}, Credential: Credential{Usable: true, UpToDate: true},
	}
	for _, change := range changes {
		change(&in)
	}
	return in
}

func credentialProblem(p *problem.Problem) func(*Input) {
	return func(in *Input) { in.Credential.Problem = p }
}

func bindingProblem(p *problem.Problem) func(*Input) {
	return func(in *Input) { in.Bindings.Problem = p }
}

func after(d time.Duration) func(*Input) {
	return func(in *Input) { in.Now = start.Add(d) }
}

func asking(ttl time.Duration) func(*Input) {
	return func(in *Input) { in.Identity.Spec.TTL.Duration = ttl }
}

func notPublished(in *Input) { in.Credential.Usable, in.Credential.UpToDate = false, false }
func outdated(in *Input)     { in.Credential.UpToDate = false }
func capped(in *Input)       { in.Credential.Schedule.Capped = true }
func superseded(in *Input)   { in.Credential.Superseded = true }
func quiet(in *Input)        { in.Credential.Quiet = true }
func stale(in *Input)        { in.Stale = true }

var (
	failing5xx = problem.NewTransient(v1alpha1.ReasonUnavailable, "the API server does not answer")
	denied     = problem.NewStalled(v1alpha1.ReasonDenied, "somebody denied it")
	conflict   = problem.NewWaiting(v1alpha1.ReasonBindingConflict, time.Minute, "RoleBinding exists")
)

func expectNoCondition(t *testing.T, status *v1alpha1.ClientIdentityStatus, conditionTypes ...string) {
	t.Helper()
	for _, conditionType := range conditionTypes {
		if c := meta.FindStatusCondition(status.Conditions, conditionType); c != nil {
			t.Errorf("unexpected condition %s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}
