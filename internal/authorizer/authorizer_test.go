// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	authorizationv1beta1 "k8s.io/api/authorization/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/denial"
)

const revoked = "1111111111111111111111111111111111111111111111111111111111111111"

// counted is what metrics were told.
type counted map[string]int

func (c counted) Reviewed(reason denial.Reason) { c[string(reason)]++ }
func (c counted) Unanswered()                   { c["unanswered"]++ }

// world is a handler of an identity that has revoked a certificate.
func world(t testing.TB) (*handler, counted) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "0b1c2d3e-0000-4000-8000-000000000001"}}
	alice.Spec = v1alpha1.ClientIdentitySpec{Username: "alice", RevokedCertificates: []v1alpha1.RevokedCertificate{{Fingerprint: revoked}}}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(alice)
	if err := index(t.Context(), indexing{builder}); err != nil {
		t.Fatal(err)
	}
	told := counted{}
	return newHandler(builder.Build(), told, clocktesting.NewFakePassiveClock(time.Now())), told
}

// indexing gives a fake client the indexes of a cache.
type indexing struct{ builder *fake.ClientBuilder }

func (i indexing) IndexField(_ context.Context, object client.Object, field string, keys client.IndexerFunc) error {
	i.builder.WithIndex(object, field, keys)
	return nil
}

// v1 is a review as the API server posts it.
func v1(t testing.TB, change func(*authorizationv1.SubjectAccessReview)) string {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"}}
	review.Spec = authorizationv1.SubjectAccessReviewSpec{
		User: "alice", Groups: []string{"system:authenticated"}, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods"},
		Extra: map[string]authorizationv1.ExtraValue{user.CredentialIDKey: {"X509SHA256=" + revoked}, "x": {"y"}},
	}
	change(review)
	return asJSON(t, review)
}

func asJSON(t testing.TB, object any) string {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func serve(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	old := &authorizationv1beta1.SubjectAccessReview{TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1beta1", Kind: "SubjectAccessReview"}}
	old.Spec = authorizationv1beta1.SubjectAccessReviewSpec{
		User: "alice", Groups: []string{"clientidentity.dev:0b1c2d3e000040008000000000000009:0"},
		Extra: map[string]authorizationv1beta1.ExtraValue{user.CredentialIDKey: {"X509SHA256=2"}},
	}
	as := func(change func(*authorizationv1.SubjectAccessReviewSpec)) string {
		return v1(t, func(r *authorizationv1.SubjectAccessReview) { change(&r.Spec) })
	}
	for name, test := range map[string]struct {
		body string
		want denial.Reason
	}{
		"a request for a resource": {as(func(*authorizationv1.SubjectAccessReviewSpec) {}), denial.CertificateRevoked},
		"one for a path": {as(func(s *authorizationv1.SubjectAccessReviewSpec) {
			s.ResourceAttributes, s.NonResourceAttributes = nil, &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}
		}), denial.CertificateRevoked},
		"one in the older version, by its groups": {asJSON(t, old), denial.IdentityDeleted},
		"one with a selector of megabytes": {as(func(s *authorizationv1.SubjectAccessReviewSpec) {
			s.ResourceAttributes.LabelSelector = &authorizationv1.LabelSelectorAttributes{}
			for range 200_000 {
				s.ResourceAttributes.LabelSelector.Requirements = append(s.ResourceAttributes.LabelSelector.Requirements,
					metav1.LabelSelectorRequirement{Key: "a", Operator: metav1.LabelSelectorOpIn, Values: []string{"b"}})
			}
		}), denial.CertificateRevoked},
		"one of another user": {as(func(s *authorizationv1.SubjectAccessReviewSpec) { s.User = "bob" }), ""},
		"one with a token":    {as(func(s *authorizationv1.SubjectAccessReviewSpec) { s.Extra[user.CredentialIDKey] = []string{"JTI=1"} }), ""},
		"one with nothing":    {as(func(s *authorizationv1.SubjectAccessReviewSpec) { s.Extra, s.Groups = nil, nil }), ""},
		"one of another certificate": {as(func(s *authorizationv1.SubjectAccessReviewSpec) {
			s.Extra[user.CredentialIDKey] = []string{"X509SHA256=2"}
		}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, told := world(t)
			w := serve(h, test.body)
			var answer authorizationv1.SubjectAccessReview
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
				t.Fatalf("code %d, %v", w.Code, err)
			}
			if answer.Status.Allowed || answer.Status.Denied != (test.want != "") || (answer.Status.Reason != "") != answer.Status.Denied {
				t.Errorf("answers %+v, want %q", answer.Status, test.want)
			}
			if answer.Kind != "SubjectAccessReview" || !strings.Contains(test.body, `"`+answer.APIVersion+`"`) {
				t.Errorf("answers a %s of %s", answer.Kind, answer.APIVersion)
			}
			if told[string(test.want)] != 1 || len(told) != 1 {
				t.Errorf("counted %v", told)
			}
		})
	}
}

func TestWhatIsNotAnswered(t *testing.T) {
	good := v1(t, func(*authorizationv1.SubjectAccessReview) {})
	for name, body := range map[string]string{
		"nothing":           "",
		"half":              good[:len(good)/2],
		"no object":         "[]",
		"two objects":       good + good,
		"another kind":      strings.Replace(good, `"SubjectAccessReview"`, `"TokenReview"`, 1),
		"another version":   strings.Replace(good, "authorization.k8s.io/v1", "authorization.k8s.io/v2", 1),
		"no spec":           `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview"}`,
		"a spec of words":   `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":"x"}`,
		"a user of numbers": `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":1}}`,
		"a deep one":        `{"spec":{"resourceAttributes":` + strings.Repeat(`[`, 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			h, told := world(t)
			if w := serve(h, body); w.Code != http.StatusBadRequest || strings.Contains(w.Body.String(), "denied") {
				t.Errorf("code %d: %s", w.Code, w.Body)
			}
			if told["unanswered"] != 1 || len(told) != 1 {
				t.Errorf("counted %v", told)
			}
		})
	}
	h, _ := world(t)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: code %d", w.Code)
	}
	if h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, Path, strings.NewReader(good))); w.Code == http.StatusOK {
		t.Error("a body of no type is answered")
	}
}

// TestALongReviewHoldsUpNoShortOne: whoever makes reviews long makes his own wait.
func TestALongReviewHoldsUpNoShortOne(t *testing.T) {
	h, told := world(t)
	h.long <- struct{}{} // one is read
	short := v1(t, func(*authorizationv1.SubjectAccessReview) {})
	if w := serve(h, short); w.Code != http.StatusOK {
		t.Errorf("a short one: code %d", w.Code)
	}
	long := v1(t, func(r *authorizationv1.SubjectAccessReview) {
		r.Spec.ResourceAttributes.Name = strings.Repeat("x", longBody)
	})
	gone, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(long)).WithContext(gone)
	r.Header.Set("Content-Type", "application/json")
	cancel()
	if h.ServeHTTP(httptest.NewRecorder(), r); told["unanswered"] != 1 {
		t.Errorf("another long one, given up: counted %v", told)
	}
	<-h.long
	if w := serve(h, long); w.Code != http.StatusOK {
		t.Errorf("a long one alone: code %d", w.Code)
	}
}

type broken struct{ client.Reader }

func (broken) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("no cache")
}

// TestNothingIsAllowedOrDeniedWithoutCaches: what cannot be found out is left to failurePolicy.
func TestNothingIsAllowedOrDeniedWithoutCaches(t *testing.T) {
	told := counted{}
	h := newHandler(broken{}, told, clocktesting.NewFakePassiveClock(time.Now()))
	if w := serve(h, v1(t, func(*authorizationv1.SubjectAccessReview) {})); w.Code != http.StatusServiceUnavailable || told["unanswered"] != 1 {
		t.Errorf("code %d, counted %v", w.Code, told)
	}
}

// FuzzReviews feeds the endpoint whatever there is: it answers 200 with no permission, or refuses, and does not panic.
func FuzzReviews(f *testing.F) {
	f.Add(v1(f, func(*authorizationv1.SubjectAccessReview) {}))
	f.Add(`{"apiVersion":"authorization.k8s.io/v1beta1","kind":"SubjectAccessReview","spec":{"group":["clientidentity.dev:x:1"],"extra":null}}`)
	f.Add(fmt.Sprintf(`{"kind":"SubjectAccessReview","spec":{"extra":{%q:[null]}}}`, user.CredentialIDKey))
	h, told := world(f)
	f.Fuzz(func(t *testing.T, body string) {
		clear(told)
		w := serve(h, body)
		switch w.Code {
		case http.StatusOK:
			var answer authorizationv1.SubjectAccessReview
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Status.Allowed {
				t.Errorf("answers %s (%v)", w.Body, err)
			}
		case http.StatusBadRequest:
		default:
			t.Errorf("code %d", w.Code)
		}
		if len(told) != 1 {
			t.Errorf("counted %v", told)
		}
	})
}

// BenchmarkReviewWithLongSelectors reads what half a megabyte of label selector makes the API server ask with.
func BenchmarkReviewWithLongSelectors(b *testing.B) {
	body := v1(b, func(r *authorizationv1.SubjectAccessReview) {
		r.Spec.ResourceAttributes.LabelSelector = &authorizationv1.LabelSelectorAttributes{Requirements: slices.Repeat([]metav1.LabelSelectorRequirement{
			{Key: "a", Operator: metav1.LabelSelectorOpIn, Values: []string{"b"}},
		}, 200_000)}
	})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if asked, err := readReview(strings.NewReader(body)); err != nil || asked.subject.Username != "alice" {
			b.Fatal(asked, err)
		}
	}
}
