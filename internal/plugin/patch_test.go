// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// serving returns a client of a server that answers so.
func serving(t *testing.T, answer http.HandlerFunc, wrap func(http.RoundTripper) http.RoundTripper) client.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind("ClientIdentity"), meta.RESTScopeRoot)
	connection := &rest.Config{Host: server.URL}
	connection.Wrap(wrap)
	c, err := client.New(connection, client.Options{Scheme: scheme(), Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asItIs(next http.RoundTripper) http.RoundTripper { return next }

func reply(t *testing.T, w http.ResponseWriter, code int, body any) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		t.Error(err)
	}
}

func TestPatchesAreOfTheIdentityThatWasRead(t *testing.T) {
	for what, row := range map[string]struct {
		patch mergePatch
		dry   string
		want  string
		query string
	}{
		"a field":      {mergePatch{spec: map[string]any{"state": "Withdrawn"}}, "none", `{"metadata":{"uid":"its-uid"},"spec":{"state":"Withdrawn"}}`, ""},
		"a list":       {mergePatch{spec: map[string]any{"revokedCertificates": []int{}}, exactly: true}, "none", `{"metadata":{"resourceVersion":"7","uid":"its-uid"},"spec":{"revokedCertificates":[]}}`, ""},
		"a mere try":   {mergePatch{annotations: map[string]string{"a": "b"}}, "server", `{"metadata":{"annotations":{"a":"b"},"uid":"its-uid"}}`, "dryRun=All"},
		"a revocation": {mergePatch{spec: map[string]any{"revokeIssuedBefore": *in(0)}}, "none", `{"metadata":{"uid":"its-uid"},"spec":{"revokeIssuedBefore":"2026-11-26T15:00:00Z"}}`, ""},
	} {
		t.Run(what, func(t *testing.T) {
			id := identity("alice", func(id *v1alpha1.ClientIdentity) { id.UID, id.ResourceVersion = "its-uid", "7" })
			var body, query, kind string
			c := serving(t, func(w http.ResponseWriter, r *http.Request) {
				data, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				body, query, kind = string(data), r.URL.RawQuery, r.Header.Get("Content-Type")
				id.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClientIdentity"))
				reply(t, w, http.StatusOK, &id)
			}, asItIs)
			if _, err := row.patch.apply(t.Context(), c, &id, dryRun{row.dry}); err != nil {
				t.Fatal(err)
			}
			if body != row.want || !strings.Contains(query, row.query) || kind != "application/merge-patch+json" {
				t.Errorf("got %s (%s, %s), want %s (%s)", body, query, kind, row.want, row.query)
			}
		})
	}
}

func TestAConflictSaysWhatToDo(t *testing.T) {
	id := identity("alice")
	c := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		conflict := apierrors.NewConflict(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "clientidentities"}, "alice", nil).Status()
		conflict.Kind, conflict.APIVersion = "Status", "v1"
		reply(t, w, http.StatusConflict, conflict)
	}, asItIs)
	_, err := mergePatch{}.apply(t.Context(), c, &id, dryRun{"none"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "look at it, and try again") {
		t.Errorf("got %v", err)
	}
}

func TestTheTimeIsTheServers(t *testing.T) {
	fallback := clocktesting.NewFakePassiveClock(now.Add(-time.Hour)) // it is wrong
	clock := &serverClock{fallback: fallback}
	date := now.Format(http.TimeFormat)
	c := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", date)
		id := identity("alice")
		id.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClientIdentity"))
		reply(t, w, http.StatusOK, &id)
	}, func(next http.RoundTripper) http.RoundTripper {
		clock.next = next
		return clock
	})
	if got := clock.Now(); !got.Equal(fallback.Now()) {
		t.Errorf("before any answer: got %s", got)
	}
	for range 2 {
		if _, err := Identity(t.Context(), c, "alice"); err != nil {
			t.Fatal(err)
		}
		if got := clock.Now(); !got.Equal(now) {
			t.Errorf("got %s, want %s", got, now)
		}
		date = "no time" // the one before is kept
	}
}
