// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// FuzzHandle hands anything to the handler as an identity: it never panics, never lets somebody create what they do not
// hold, and asks no more than it should.
func FuzzHandle(f *testing.F) {
	for _, id := range []*v1alpha1.ClientIdentity{
		identity(),
		identity(groups("a", "b"), clusterRole("read", "view"), role("edit", "", "ClusterRole", "edit", selected)),
		identity(role("edit", "dev", "Role", "edit", window(day(1), day(2))), secretAt("dev", "x")),
	} {
		f.Add(raw(f, id).Raw, raw(f, identity()).Raw)
	}
	f.Add([]byte(`{"spec":null}`), []byte(`{"spec":{"groups":[null],"roleBindings":[null],"secret":null}}`))
	f.Add([]byte(`{"metadata":{"name":1e999},"spec":{}}`), []byte(`{"spec":{"ttl":"-1h","accessUntil":"0000-00-00T00:00:00z"}}`))
	f.Add([]byte(`null`), []byte(``))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		server := &apiServer{allow: always(false)}
		handler := NewHandler(server, "client-identities")
		object, old := runtime.RawExtension{Raw: after}, runtime.RawExtension{Raw: before}
		if handler.Handle(t.Context(), request(admissionv1.Create, runtime.RawExtension{}, object)).Allowed {
			t.Errorf("created: %s", after)
		}
		handler.Handle(t.Context(), request(admissionv1.Update, old, object))
		if len(server.asked) > 2*maxPermissions {
			t.Errorf("%d reviews", len(server.asked))
		}
	})
}

// FuzzServe hands anything to the webhook as a request over HTTP: it never panics, and never allows what it cannot read.
func FuzzServe(f *testing.F) {
	review := func(request *admissionv1.AdmissionRequest) []byte {
		r := admissionv1.AdmissionReview{Request: request}
		r.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
		data, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	f.Add(review(&admissionv1.AdmissionRequest{Operation: admissionv1.Create, UserInfo: lead, Object: raw(f, identity())}))
	f.Add(review(&admissionv1.AdmissionRequest{Operation: admissionv1.Update, Object: raw(f, identity()), OldObject: raw(f, identity(groups("a")))}))
	f.Add(review(nil))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		hook := &admission.Webhook{Handler: NewHandler(&apiServer{allow: always(false)}, "client-identities"), WithContextFunc: withTimeout}
		hook.WithRecoverPanic(false)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path+"?timeout=10s", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, r)
		var answer admissionv1.AdmissionReview
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Response == nil {
			t.Fatalf("no answer to %q: %v", body, err)
		}
		// Nobody holds anything here: only an update may pass.
		var question admissionv1.AdmissionReview
		if answer.Response.Allowed && (json.Unmarshal(body, &question) != nil || question.Request == nil || question.Request.Operation != admissionv1.Update) {
			t.Errorf("allowed: %q", body)
		}
	})
}
