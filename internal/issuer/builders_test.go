// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// start is when the tests begin.
var start = time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)

// from returns a certificate of a CA, asked for at a time after the start, and valid for an hour from then on.
func from(ca, keyID string, after time.Duration) *v1alpha1.CertificateStatus {
	asked := metav1.Time{Time: start.Add(after)}
	return &v1alpha1.CertificateStatus{Issuer: ca, AuthorityKeyID: keyID, RequestTime: &asked, NotAfter: &metav1.Time{Time: asked.Add(time.Hour)}}
}

// holder returns an identity whose published certificate that is.
func holder(name string, c *v1alpha1.CertificateStatus) *v1alpha1.ClientIdentity {
	return &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     v1alpha1.ClientIdentityStatus{Certificate: c, SecretRef: &v1alpha1.SecretReference{Namespace: "team", Name: name}},
	}
}

// watched is a watch on the CAs of identities whose credentials are their names.
type watched struct {
	*Watch
	clock *clocktesting.FakePassiveClock
	// proven names the identities whose credentials were proven, and answer is what the API server says.
	proven []string
	answer error
	// noWitness says why there is no credential of an identity.
	noWitness map[string]error
	changes   int
}

func watching(t *testing.T, identities ...client.Object) *watched {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &watched{clock: clocktesting.NewFakePassiveClock(start.Add(2 * time.Minute)), noWitness: map[string]error{}}
	w.Watch = &Watch{
		Reader:   fake.NewClientBuilder().WithScheme(scheme).WithObjects(identities...).Build(),
		Registry: NewRegistry(func() { w.changes++ }),
		Prover:   w, Clock: w.clock, Interval: time.Minute,
		Witness: func(_ context.Context, id *v1alpha1.ClientIdentity) ([]byte, []byte, error) {
			if err, none := w.noWitness[id.Name]; none {
				return nil, nil, err
			}
			return []byte(id.Name), []byte("key"), nil
		},
	}
	return w
}

// WhoAmI answers what the API server does.
func (w *watched) WhoAmI(_ context.Context, certificatePEM, _ []byte) (authenticationv1.UserInfo, error) {
	w.proven = append(w.proven, string(certificatePEM))
	return authenticationv1.UserInfo{}, w.answer
}
