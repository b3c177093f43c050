// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/review"
)

// apiServer answers access reviews.
type apiServer struct {
	client.Client
	allow func(context.Context, authorizationv1.SubjectAccessReviewSpec) (bool, error)

	mu        sync.Mutex
	asked     []authorizationv1.SubjectAccessReviewSpec
	now, most int
}

func (s *apiServer) Create(ctx context.Context, object client.Object, _ ...client.CreateOption) error {
	asked := object.(*authorizationv1.SubjectAccessReview)
	s.mu.Lock()
	s.asked = append(s.asked, asked.Spec)
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.now--; s.mu.Unlock() }()
	var err error
	asked.Status.Allowed, err = s.allow(ctx, asked.Spec)
	return err
}

func always(answer bool) func(context.Context, authorizationv1.SubjectAccessReviewSpec) (bool, error) {
	return func(context.Context, authorizationv1.SubjectAccessReviewSpec) (bool, error) { return answer, nil }
}

// hangs answers only when it must.
func hangs(ctx context.Context, _ authorizationv1.SubjectAccessReviewSpec) (bool, error) {
	<-ctx.Done()
	return true, ctx.Err()
}

func raw(t testing.TB, id *v1alpha1.ClientIdentity) runtime.RawExtension {
	t.Helper()
	data, err := json.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: data}
}

var lead = authenticationv1.UserInfo{
	Username: "lead@example.com", UID: "42", Groups: []string{"leads"},
	Extra: map[string]authenticationv1.ExtraValue{"scopes": {"all"}},
}

func request(operation admissionv1.Operation, before, after runtime.RawExtension) admission.Request {
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "1", Operation: operation, UserInfo: lead, OldObject: before, Object: after,
	}}
}

func create(t testing.TB, id *v1alpha1.ClientIdentity) admission.Request {
	return request(admissionv1.Create, runtime.RawExtension{}, raw(t, id))
}

func update(t testing.TB, before, after *v1alpha1.ClientIdentity) admission.Request {
	return request(admissionv1.Update, raw(t, before), raw(t, after))
}

func TestHandlerAsksForTheRequester(t *testing.T) {
	server := &apiServer{allow: always(true)}
	response := NewHandler(server, "client-identities").Handle(t.Context(), create(t, identity()))
	if !response.Allowed {
		t.Fatalf("refused: %+v", response.Result)
	}
	want := []authorizationv1.SubjectAccessReviewSpec{{
		User: "lead@example.com", UID: "42", Groups: []string{"leads"}, Extra: map[string]authorizationv1.ExtraValue{"scopes": {"all"}},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "impersonate", Version: "*", Resource: "users", Name: "alice@example.com"},
	}}
	if diff := cmp.Diff(want, server.asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHandler(t *testing.T) {
	withField := func(field string) runtime.RawExtension {
		data := raw(t, identity()).Raw
		return runtime.RawExtension{Raw: []byte(strings.Replace(string(data), `"spec":{`, `"spec":{`+field+`,`, 1))}
	}
	tests := map[string]struct {
		request admission.Request
		allow   bool // what the access reviews say
		want    bool
		reviews int
		message string
	}{
		"creates what the requester holds":           {request: create(t, identity(groups("a"))), allow: true, want: true, reviews: 2},
		"refuses to create what they do not hold":    {request: create(t, identity(groups("a"))), reviews: 2, message: "gives more than user"},
		"lets anybody take access away":              {request: update(t, identity(groups("a")), identity()), want: true},
		"lets anybody change metadata":               {request: update(t, identity(), identity(func(id *v1alpha1.ClientIdentity) { id.Labels = map[string]string{"a": "b"} })), want: true},
		"asks for the whole identity on any change":  {request: update(t, identity(groups("a")), identity(groups("a"), secretAt("dev", ""))), reviews: 4, message: "checked like a new identity"},
		"allows a change to who holds the whole":     {request: update(t, identity(), identity(groups("a"))), allow: true, want: true, reviews: 2},
		"refuses an operation that it does not know": {request: request(admissionv1.Delete, raw(t, identity()), runtime.RawExtension{}), allow: true, message: `operation "DELETE"`},
		"refuses a field that it does not know":      {request: request(admissionv1.Create, runtime.RawExtension{}, withField(`"sudo":true`)), allow: true, message: `unknown field "sudo"`},
		"changes metadata of what it does not know":  {request: request(admissionv1.Update, withField(`"sudo":true`), withField(`"sudo":true`)), want: true},
		"refuses to hide a field that it knows not":  {request: request(admissionv1.Update, withField(`"sudo":false`), withField(`"sudo":true`)), allow: true, message: `unknown field "sudo"`},
		"refuses what is no identity":                {request: request(admissionv1.Create, runtime.RawExtension{}, runtime.RawExtension{Raw: []byte(`[]`)}), allow: true, message: "decode the ClientIdentity"},
		"refuses an object without a spec":           {request: request(admissionv1.Create, runtime.RawExtension{}, runtime.RawExtension{Raw: []byte(`{}`)}), allow: true, message: "decode the spec"},
		"refuses a duration that Go does not read":   {request: request(admissionv1.Create, runtime.RawExtension{}, withField(`"renewBefore":"90d"`)), allow: true, message: "unknown unit"},
		"refuses a spec that has a field two times":  {request: request(admissionv1.Create, runtime.RawExtension{}, withField(`"username":"bob"`)), allow: true, message: "duplicate field"},
		"refuses more than it is willing to look at": {request: create(t, identity(many(maxPermissions))), allow: true, message: "more than the 292"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := &apiServer{allow: always(test.allow)}
			response := NewHandler(server, "client-identities").Handle(t.Context(), test.request)
			if response.Allowed != test.want {
				t.Errorf("allowed = %v: %+v", response.Allowed, response.Result)
			}
			if test.message != "" && !strings.Contains(response.Result.Message, test.message) {
				t.Errorf("message %q does not contain %q", response.Result.Message, test.message)
			}
			if len(server.asked) != test.reviews {
				t.Errorf("%d reviews, want %d: %+v", len(server.asked), test.reviews, server.asked)
			}
		})
	}
}

// many adds bindings in n namespaces.
func many(n int) option {
	return func(id *v1alpha1.ClientIdentity) {
		for i := range n {
			role("b", strings.Repeat("x", i+1), "ClusterRole", "view")(id)
		}
	}
}

func TestHandlerFailsClosed(t *testing.T) {
	hidden := errors.New("connection refused")
	fails := func(_ context.Context, spec authorizationv1.SubjectAccessReviewSpec) (bool, error) {
		if spec.ResourceAttributes.Resource == "groups" {
			return false, hidden
		}
		return true, nil
	}
	tests := map[string]struct {
		allow   func(context.Context, authorizationv1.SubjectAccessReviewSpec) (bool, error)
		code    int32
		message string
	}{
		"where a single answer is missing":      {fails, http.StatusServiceUnavailable, "did not say what you may do"},
		"where the answers do not come in time": {hangs, http.StatusGatewayTimeout, "did not say in time what you may do"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := withTimeout(t.Context(), httptest.NewRequest(http.MethodPost, Path+"?timeout=100ms", nil))
			handler := NewHandler(&apiServer{allow: test.allow}, "client-identities")
			response := handler.Handle(ctx, create(t, identity(groups("a", "b"))))
			if response.Allowed || response.Result.Code != test.code || !strings.Contains(response.Result.Message, test.message) {
				t.Errorf("allowed = %v, %+v", response.Allowed, response.Result)
			}
		})
	}
}

func TestHandlerBoundsHowMuchItAsksAtOnce(t *testing.T) {
	server := &apiServer{allow: func(context.Context, authorizationv1.SubjectAccessReviewSpec) (bool, error) {
		time.Sleep(time.Millisecond)
		return true, nil
	}}
	handler := NewHandler(server, "client-identities")
	var wait sync.WaitGroup
	for range 3 * review.AtOnce / review.PerRequest {
		wait.Go(func() {
			if response := handler.Handle(t.Context(), create(t, identity(many(60)))); !response.Allowed {
				t.Errorf("refused: %+v", response.Result)
			}
		})
	}
	wait.Wait()
	if server.most > review.AtOnce {
		t.Errorf("%d reviews at once, more than %d", server.most, review.AtOnce)
	}
}

func TestBudget(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"": 9 * time.Second, "?timeout=10s": 9 * time.Second, "?timeout=30s": 29 * time.Second, "?timeout=1s": 800 * time.Millisecond,
		"?timeout=1h": 9 * time.Second, "?timeout=-1s": 9 * time.Second, "?timeout=soon": 9 * time.Second,
	} {
		ctx := withTimeout(t.Context(), httptest.NewRequest(http.MethodPost, Path+query, nil))
		if got := budget(ctx); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	if got := budget(t.Context()); got != 9*time.Second {
		t.Errorf("without a request: %s", got)
	}
}
