// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/util/webhook"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/clientidentity/operator/internal/endpoint"
)

// kubeconfigFor writes a kubeconfig for a URL, and returns its path.
func kubeconfigFor(t testing.TB, url string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	kubeconfig := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: %q}}], users: [{name: u}], `+
		`contexts: [{name: c, context: {cluster: c, user: u}}]}`, url)
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// apiServer returns what an API server asks a webhook at a URL with: its own code, by a kubeconfig.
func apiServer(t testing.TB, url string) *webhook.GenericWebhook {
	t.Helper()
	config, err := webhook.LoadKubeconfig(kubeconfigFor(t, url), nil)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := authorizationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	asks, err := webhook.NewGenericWebhook(scheme, serializer.NewCodecFactory(scheme), config, []schema.GroupVersion{authorizationv1.SchemeGroupVersion}, wait.Backoff{})
	if err != nil {
		t.Fatal(err)
	}
	return asks
}

// TestNoAnswerIsAskedForAgain: an API server that tries again holds up a request for seconds.
func TestNoAnswerIsAskedForAgain(t *testing.T) {
	h, _ := world(t)
	guarded := &endpoint.Options{Flags: "--authorization-webhook", ClientName: "kube-apiserver"}
	good := v1(t, func(*authorizationv1.SubjectAccessReview) {})
	for name, test := range map[string]struct {
		handler              http.Handler
		method, media, body  string
		wantError, wantRetry bool
	}{
		"a review":             {handler: h, body: good},
		"no POST":              {handler: h, method: http.MethodGet, wantError: true},
		"another media type":   {handler: h, media: "application/vnd.kubernetes.protobuf", body: good, wantError: true},
		"nothing":              {handler: h, wantError: true},
		"garbage":              {handler: h, body: "\x00<html>", wantError: true},
		"half a review":        {handler: h, body: good[:len(good)/2], wantError: true},
		"too long a review":    {handler: h, body: strings.Repeat(" ", maxBody) + good, wantError: true},
		"no caches":            {handler: newHandler(broken{}, counted{}, clocktesting.NewFakePassiveClock(time.Now())), body: good, wantError: true},
		"no certificate":       {handler: guarded.Guard(h), body: good, wantError: true},
		"another path":         {handler: http.NotFoundHandler(), body: good, wantError: true},
		"what would be 500":    {handler: answering(http.StatusInternalServerError), body: good, wantError: true, wantRetry: true},
		"what would be 504":    {handler: answering(http.StatusGatewayTimeout), body: good, wantError: true, wantRetry: true},
		"what would be 429":    {handler: answering(http.StatusTooManyRequests), body: good, wantError: true, wantRetry: true},
		"what would name time": {handler: answering(http.StatusServiceUnavailable, "Retry-After", "1"), body: good, wantError: true, wantRetry: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			media, method := test.media, test.method
			if media == "" {
				media = "application/json"
			}
			if method == "" {
				method = http.MethodPost
			}
			err := apiServer(t, server.URL+Path).RestClient.Verb(method).MaxRetries(0).SetHeader("Content-Type", media).Body([]byte(test.body)).Do(t.Context()).Error()
			if (err != nil) != test.wantError {
				t.Errorf("the API server makes of it: %v", err)
			}
			if retries := webhook.DefaultShouldRetry(err); retries != test.wantRetry {
				t.Errorf("is asked for again: %t (%v)", retries, err)
			}
		})
	}
}

// answering answers with a code and headers, as the operator must not.
func answering(code int, headers ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		http.Error(w, "no", code)
	})
}
