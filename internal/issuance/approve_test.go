// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"context"
	"crypto"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

func TestApproveRefusesAnythingButTheExactRequest(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := certificatesv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	if err != nil {
		t.Fatal(err)
	}
	otherKey, _ := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	subject := certificate.Subject{Username: "alice@example.com", Groups: []string{"developers"}}
	request := func(key crypto.Signer, s certificate.Subject) []byte {
		data, err := certificate.NewRequest(key, s)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	ours := request(key, subject)
	for name, test := range map[string]struct {
		change   func(*certificatesv1.CertificateSigningRequest)
		pending  func(*Open)
		approved bool
	}{
		"the exact one is approved": {func(*certificatesv1.CertificateSigningRequest) {}, nil, true},
		"another object":            {func(c *certificatesv1.CertificateSigningRequest) { c.UID = "other" }, nil, false},
		"another request":           {func(c *certificatesv1.CertificateSigningRequest) { c.Spec.Request = request(key, subject) }, nil, false},
		"another signer":            {func(c *certificatesv1.CertificateSigningRequest) { c.Spec.SignerName = "example.com/ca" }, nil, false},
		"one usage more": {func(c *certificatesv1.CertificateSigningRequest) {
			c.Spec.Usages = append(c.Spec.Usages, certificatesv1.UsageServerAuth)
		}, nil, false},
		"one usage less": {func(c *certificatesv1.CertificateSigningRequest) { c.Spec.Usages = c.Spec.Usages[:1] }, nil, false},
		"a request for another subject than was planned": {func(c *certificatesv1.CertificateSigningRequest) {
			c.Spec.Request = request(key, certificate.Subject{Username: "admin"})
		}, func(p *Open) { p.request = request(key, certificate.Subject{Username: "admin"}) }, false},
		"a request for another key than was planned": {func(c *certificatesv1.CertificateSigningRequest) { c.Spec.Request = ours },
			func(p *Open) { p.Key = otherKey }, false},
	} {
		t.Run(name, func(t *testing.T) {
			csr := &certificatesv1.CertificateSigningRequest{
				ObjectMeta: metav1.ObjectMeta{Name: "alice-1", UID: "u1"},
				Spec: certificatesv1.CertificateSigningRequestSpec{
					Request: ours, SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: append([]certificatesv1.KeyUsage{}, holder.Usages...),
					ExpirationSeconds: ptr.To(int32(3600)),
				},
			}
			open := &Open{csrName: "alice-1", csrUID: "u1", Key: key, request: ours, Order: Order{Subject: subject, SignerName: csr.Spec.SignerName}}
			test.change(csr)
			if test.pending != nil {
				test.pending(open)
				if name == "a request for another subject than was planned" {
					csr.Spec.Request = open.request
				}
			}
			approvals := 0
			api := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
				SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
					approvals++
					return nil
				},
			}).Build()
			alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "u0"}}
			requests := NewRequests(api, api, nil, clocktesting.NewFakePassiveClock(time.Unix(0, 0)))
			requests.open.put("alice", alice.UID, open)
			_, refused := requests.approve(t.Context(), alice, open, csr)
			kept := requests.Get(alice)
			approved := kept != nil && kept.approved
			if test.approved != (refused == nil) || test.approved != approved || approvals > 0 != test.approved {
				t.Errorf("approved %t, %d calls: %+v", approved, approvals, refused)
			}
			if !test.approved && (requests.Get(alice) != nil || refused.Failure == nil || refused.Failure.Reason != v1alpha1.ReasonRequestLost) {
				t.Error("the request, and its key, is still waited for")
			}
			if refused != nil && strings.Contains(refused.Failure.Message, "PRIVATE") {
				t.Error("the message quotes a key")
			}
		})
	}
}

func TestOpenRequestsKeepOneKeyForAnIdentity(t *testing.T) {
	pending := newOpenRequests()
	first, second := &Open{csrName: "1"}, &Open{csrName: "2"}
	pending.put("alice", "uid-1", first)
	pending.put("bob", "uid-3", first)
	if pending.get("uid-1") != first || pending.get("uid-2") != nil {
		t.Error("not found by its UID alone")
	}
	pending.put("alice", "uid-2", second) // made anew under its name
	if pending.get("uid-1") != nil || pending.get("uid-2") != second {
		t.Error("the key of the former identity is kept")
	}
	pending.forget("alice")
	pending.forget("alice")
	pending.forget("nobody")
	if pending.get("uid-2") != nil || len(pending.byUID) != 1 || len(pending.names) != 1 {
		t.Errorf("left are %v %v", pending.byUID, pending.names)
	}
}
