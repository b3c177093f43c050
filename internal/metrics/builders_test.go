// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/report"
)

const signer = certificatesv1.KubeAPIServerClientSignerName

// start is when the tests begin: 1795316640 in Unix seconds.
var start = time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)

func at(after time.Duration) *metav1.Time { return &metav1.Time{Time: start.Add(after)} }

// ready returns a ready identity with a certificate of an hour that was issued at the start.
func ready(name string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 3},
		Spec:       v1alpha1.ClientIdentitySpec{Username: name + "@example.com", SignerName: signer},
		Status: v1alpha1.ClientIdentityStatus{
			ObservedGeneration: 3, BoundBindings: 2,
			SecretRef:   &v1alpha1.SecretReference{Namespace: "client-identities", Name: name},
			Certificate: issued("f1", 0),
			Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionReady, true, v1alpha1.ReasonReady),
				condition(v1alpha1.ConditionCertificateIssued, true, v1alpha1.ReasonIssued),
				condition(v1alpha1.ConditionAccessBound, true, v1alpha1.ReasonBound),
			},
		},
	}
	for _, change := range changes {
		change(identity)
	}
	identity.Status.State, identity.Status.StateReason = report.StateOf(identity.Status.Conditions)
	return identity
}

// issued describes a certificate of an hour.
func issued(fingerprint string, after time.Duration) *v1alpha1.CertificateStatus {
	return &v1alpha1.CertificateStatus{
		Fingerprint: fingerprint, Issuer: "CN=kubernetes", AuthorityKeyID: "0a",
		NotBefore: at(after - 5*time.Minute), RequestTime: at(after), RenewalTime: at(after + 40*time.Minute), NotAfter: at(after + time.Hour),
	}
}

func condition(t string, ok bool, reason string) metav1.Condition {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: t, Status: status, Reason: reason, Message: "for " + reason}
}

// with sets conditions, in place of those of the same type.
func with(conditions ...metav1.Condition) func(*v1alpha1.ClientIdentity) {
	return func(identity *v1alpha1.ClientIdentity) {
		for _, c := range conditions {
			identity.Status.Conditions = slices.DeleteFunc(identity.Status.Conditions, func(was metav1.Condition) bool { return was.Type == c.Type })
			identity.Status.Conditions = append(identity.Status.Conditions, c)
		}
	}
}

// without removes the certificate and the conditions.
func without(identity *v1alpha1.ClientIdentity) {
	identity.Status.Certificate, identity.Status.Conditions, identity.Status.BoundBindings = nil, nil, 0
}

// caches hold identities and requests; they count the reads.
type caches struct {
	identities []*v1alpha1.ClientIdentity
	requests   map[string]*certificatesv1.CertificateSigningRequest
	err        error
	lists      int
}

func (c *caches) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	c.lists++
	if c.err != nil {
		return c.err
	}
	applied := (&client.ListOptions{}).ApplyOptions(options)
	if applied.UnsafeDisableDeepCopy == nil || !*applied.UnsafeDisableDeepCopy {
		return fmt.Errorf("a scrape copies all identities")
	}
	list := into.(*v1alpha1.ClientIdentityList)
	list.Items = make([]v1alpha1.ClientIdentity, len(c.identities))
	for i := range c.identities {
		list.Items[i] = *c.identities[i]
	}
	return nil
}

func (c *caches) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	request, ok := c.requests[key.Name]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "certificatesigningrequests"}, key.Name)
	}
	*into.(*certificatesv1.CertificateSigningRequest) = *request
	return nil
}

// request adds an open request.
func (c *caches) request(name, signerName string, after time.Duration) {
	if c.requests == nil {
		c.requests = map[string]*certificatesv1.CertificateSigningRequest{}
	}
	c.requests[name] = &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: *at(after)},
		Spec:       certificatesv1.CertificateSigningRequestSpec{SignerName: signerName},
	}
}

// presentAfter returns a collector of caches some time after the start.
func presentAfter(c *caches, after time.Duration) *Present {
	return &Present{Cached: c, Clock: clocktesting.NewFakePassiveClock(start.Add(after)), Signers: Signers{signer}}
}

func registryOf(t *testing.T, collectors ...prometheus.Collector) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, collector := range collectors {
		if err := registry.Register(collector); err != nil {
			t.Fatal(err)
		}
	}
	return registry
}
