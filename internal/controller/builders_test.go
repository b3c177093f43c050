// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// identity returns an identity as the API server's defaults make it.
func identity(name string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1, CreationTimestamp: metav1.Time{Time: start.Add(-time.Hour)}},
		Spec: v1alpha1.ClientIdentitySpec{
			Username:   name + "@example.com",
			Groups:     []string{"developers"},
			TTL:        metav1.Duration{Duration: time.Hour},
			PrivateKey: v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA, RotationPolicy: v1alpha1.RotationAlways},
			SignerName: certificatesv1.KubeAPIServerClientSignerName,
			BindTo:     v1alpha1.BindToUsername,
			Secret:     v1alpha1.SecretTemplate{KubeconfigKey: "kubeconfig"},
			State:      v1alpha1.StateActive,
		},
		Status: v1alpha1.ClientIdentityStatus{ObservedGeneration: -1},
	}
	for _, change := range changes {
		change(id)
	}
	return id
}

// reads is a change of the spec: one cluster-wide binding.
func reads(id *v1alpha1.ClientIdentity) {
	id.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "read", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}}
}

// boundToCredential is a change of the spec.
func boundToCredential(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = v1alpha1.BindToCredential }

// testCA signs as the built-in signer does.
type testCA struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
	next int64
}

func newTestCA(t *testing.T) *testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test-ca"}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &testCA{t: t, key: key, cert: cert, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), next: 2}
}

// sign returns a signer that issues certificates of at most that lifetime.
func (ca *testCA) sign(now clock.PassiveClock, most time.Duration) func(*certificatesv1.CertificateSigningRequest) {
	return func(csr *certificatesv1.CertificateSigningRequest) {
		block, _ := pem.Decode(csr.Spec.Request)
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			ca.t.Error(err)
			return
		}
		lifetime := min(most, time.Duration(*csr.Spec.ExpirationSeconds)*time.Second)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(ca.next), Subject: request.Subject,
			NotBefore: now.Now().Add(-5 * time.Minute), NotAfter: now.Now().Add(lifetime),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		ca.next++
		der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, request.PublicKey, ca.key)
		if err != nil {
			ca.t.Error(err)
			return
		}
		csr.Status.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
}

// fakeProver takes the holder of a certificate for whom it names, or answers what it is told to.
type fakeProver struct {
	err    error
	user   *authenticationv1.UserInfo
	proofs int
}

func (p *fakeProver) WhoAmI(_ context.Context, certificatePEM, _ []byte) (authenticationv1.UserInfo, error) {
	p.proofs++
	if p.err != nil {
		return authenticationv1.UserInfo{}, p.err
	}
	if p.user != nil {
		return *p.user, nil
	}
	block, _ := pem.Decode(certificatePEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return authenticationv1.UserInfo{Username: cert.Subject.CommonName, Groups: append(cert.Subject.Organization, "system:authenticated")}, nil
}

// at returns a time after the start, in whole seconds as the API has them.
func at(after time.Duration) *metav1.Time { return &metav1.Time{Time: start.Add(after)} }

// issued describes a certificate that was issued at the start.
func issued(lifetime time.Duration) *v1alpha1.CertificateStatus {
	return &v1alpha1.CertificateStatus{
		SerialNumber: "a1", Fingerprint: "f1", NotBefore: at(-5 * time.Minute), NotAfter: at(lifetime), RequestTime: at(0),
		Issuer: "CN=ca", RequestedTTL: &metav1.Duration{Duration: lifetime}, Revision: 1,
	}
}

func expectCondition(t *testing.T, status *v1alpha1.ClientIdentityStatus, conditionType string, want metav1.ConditionStatus, reason string) {
	t.Helper()
	c := meta.FindStatusCondition(status.Conditions, conditionType)
	if c == nil {
		t.Errorf("no condition %s, want %s (%s); have %+v", conditionType, want, reason, status.Conditions)
	} else if c.Status != want || c.Reason != reason {
		t.Errorf("%s is %s (%s: %s), want %s (%s)", conditionType, c.Status, c.Reason, c.Message, want, reason)
	}
}

func expectNoCondition(t *testing.T, status *v1alpha1.ClientIdentityStatus, conditionTypes ...string) {
	t.Helper()
	for _, conditionType := range conditionTypes {
		if c := meta.FindStatusCondition(status.Conditions, conditionType); c != nil {
			t.Errorf("unexpected condition %s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

// unauthorized is what the API server answers to a certificate that it does not accept.
var unauthorized = apierrors.NewUnauthorized("Unauthorized")

// forbidden is what it answers where the operator may not read a Secret.
var forbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "alice-kubeconfig", errors.New("no such right"))

// secretOf returns the published Secret of an identity.
func secretOf(w *world, name string) *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{}
	if !w.exists(secret, testNamespace, name+"-kubeconfig") {
		w.t.Fatalf("no Secret of %s", name)
	}
	return secret
}
