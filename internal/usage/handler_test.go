// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/clientidentity/operator/internal/endpoint"
	"github.com/clientidentity/operator/internal/proof"
)

const apiServer = "kube-apiserver"

// world is a handler whose table knows the certificates 1 to 3.
func world(t testing.TB) (*handler, *asked) {
	t.Helper()
	writes := &asked{}
	table := newTable(time.Hour, writes.due)
	table.know(identity("alice", 2, 1), start)
	table.know(identity("bob", 3), start)
	return newHandler(table, func(time.Time) {}, clocktesting.NewFakePassiveClock(start.Add(time.Minute))), writes
}

// by makes a request one of a client whose certificate has been verified.
func by(r *http.Request, name string) *http.Request {
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: name}}}}}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func request(body string) *http.Request {
	return by(httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body)), apiServer)
}

func serve(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	only := endpoint.Options{ClientName: apiServer}
	only.Guard(h).ServeHTTP(w, r)
	return w.Code
}

func TestWhatAnEventTells(t *testing.T) {
	with := func(change func(*auditv1.Event)) auditv1.Event { return auditEvent(1, 0, change) }
	proven := func(e *auditv1.Event) {
		e.Verb, e.UserAgent, e.ObjectRef = "create", proof.UserAgent, &auditv1.ObjectReference{Resource: "selfsubjectreviews", APIGroup: "authentication.k8s.io"}
	}
	const id = "authentication.kubernetes.io/credential-id"
	for name, test := range map[string]struct {
		event auditv1.Event
		want  bool
	}{
		"a use":                          {auditEvent(1, 0), true},
		"one that was refused":           {with(func(e *auditv1.Event) { e.ResponseStatus.Code = 403 }), true},
		"one that began":                 {with(func(e *auditv1.Event) { e.Stage = auditv1.StageResponseStarted }), true},
		"one of no resource":             {with(func(e *auditv1.Event) { e.ObjectRef = nil }), true},
		"one of an unknown certificate":  {auditEvent(9, 0), false},
		"one with a token":               {with(func(e *auditv1.Event) { e.User.Extra[id] = []string{"JTI=" + fingerprint(1)} }), false},
		"one with nothing":               {with(func(e *auditv1.Event) { e.User.Extra = nil }), false},
		"one with two credentials":       {with(func(e *auditv1.Event) { e.User.Extra[id] = append(e.User.Extra[id], "X509SHA256=0") }), false},
		"one of who is impersonated":     {with(func(e *auditv1.Event) { user := e.User; e.ImpersonatedUser = &user; e.User.Extra = nil }), false},
		"one without a time":             {with(func(e *auditv1.Event) { e.StageTimestamp.Time = time.Time{} }), false},
		"a proof of the operator":        {with(proven), false},
		"whoami of the holder":           {with(func(e *auditv1.Event) { proven(e); e.UserAgent = "kubectl/v1.36.3" }), true},
		"another request in that guise":  {with(func(e *auditv1.Event) { e.UserAgent = proof.UserAgent }), true},
		"another verb in that guise":     {with(func(e *auditv1.Event) { proven(e); e.Verb = "list" }), true},
		"a request of that guise itself": {with(func(e *auditv1.Event) { proven(e); e.ObjectRef = nil }), true},
	} {
		t.Run(name, func(t *testing.T) {
			h, writes := world(t)
			if code := serve(h, request(post(t, test.event))); code != http.StatusOK {
				t.Fatalf("code %d", code)
			}
			if got := len(*writes) == 1; got != test.want {
				t.Errorf("asked for %s", writes)
			}
		})
	}
}

func TestOfManyEventsTheLastCounts(t *testing.T) {
	h, writes := world(t)
	body := post(t, auditEvent(1, 3*time.Second), auditEvent(1, 9*time.Second, func(e *auditv1.Event) { e.UserAgent = "last" }), auditEvent(1, 5*time.Second), auditEvent(2, time.Second))
	if code := serve(h, request(body)); code != http.StatusOK {
		t.Fatalf("code %d", code)
	}
	taken := h.table.take("alice", start)
	if len(taken) != 2 || taken[fingerprint(1)].UserAgent != "last" || !taken[fingerprint(2)].Time.Equal(start.Add(time.Second)) || len(*writes) != 1 {
		t.Errorf("taken %v, asked for %s", taken, writes)
	}
}

func TestWhatIsRefused(t *testing.T) {
	good := post(t, auditEvent(1, 0))
	long := post(t, auditEvent(1, 0, func(e *auditv1.Event) { e.RequestURI = strings.Repeat("x", maxBody) }))
	for name, test := range map[string]struct {
		request *http.Request
		want    int
	}{
		"no certificate":           {httptest.NewRequest(http.MethodPost, Path, strings.NewReader(good)), http.StatusUnauthorized},
		"another client":           {by(request(good), "kubernetes-admin"), http.StatusForbidden},
		"a client of no name":      {by(request(good), ""), http.StatusForbidden},
		"another method":           {by(httptest.NewRequest(http.MethodGet, Path, nil), apiServer), http.StatusMethodNotAllowed},
		"another type":             {with(request(good), "Content-Type", "application/vnd.kubernetes.protobuf"), http.StatusUnsupportedMediaType},
		"no type":                  {with(request(good), "Content-Type", ""), http.StatusUnsupportedMediaType},
		"a compressed body":        {with(request(good), "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType},
		"too long a body":          {request(long), http.StatusRequestEntityTooLarge},
		"one that hides it":        {unknownLength(request(long)), http.StatusRequestEntityTooLarge},
		"nothing":                  {request(""), http.StatusBadRequest},
		"no object":                {request(`[]`), http.StatusBadRequest},
		"half a list":              {request(good[:len(good)-3]), http.StatusBadRequest},
		"another kind":             {request(strings.Replace(good, "EventList", "Event", 1)), http.StatusBadRequest},
		"another version":          {request(strings.Replace(good, "audit.k8s.io/v1", "audit.k8s.io/v2", 1)), http.StatusBadRequest},
		"no kind":                  {request(`{"items":[]}`), http.StatusBadRequest},
		"items that are no list":   {request(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{"a":1}}`), http.StatusBadRequest},
		"an item that is no event": {request(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[7]}`), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			h, writes := world(t)
			if code := serve(h, test.request); code != test.want {
				t.Errorf("code %d, want %d", code, test.want)
			}
			if len(*writes) > 0 {
				t.Errorf("it counted: %s", writes)
			}
			if len(h.slots) > 0 {
				t.Error("its slot is taken for good")
			}
		})
	}
	h, _ := world(t)
	for _, nothing := range []string{`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":null}`, `{"items":[],"apiVersion":"audit.k8s.io/v1","kind":"EventList"}`} {
		if code := serve(h, request(nothing)); code != http.StatusOK {
			t.Errorf("%s: code %d", nothing, code)
		}
	}
}

func with(r *http.Request, header, value string) *http.Request {
	r.Header.Set(header, value)
	return r
}

func unknownLength(r *http.Request) *http.Request {
	r.ContentLength = -1
	return r
}

func TestPostsBeyondThoseThatAreReadAreSentAgain(t *testing.T) {
	h, _ := world(t)
	reader, writer := io.Pipe()
	codes := make(chan int)
	for range maxPosts {
		go func() { codes <- serve(h, by(httptest.NewRequest(http.MethodPost, Path, reader), apiServer)) }()
	}
	for len(h.slots) < maxPosts {
		time.Sleep(time.Millisecond)
	}
	if code := serve(h, request(post(t))); code != http.StatusTooManyRequests {
		t.Errorf("code %d", code)
	}
	_ = writer.Close()
	for range maxPosts {
		<-codes
	}
	if code := serve(h, request(post(t))); code != http.StatusOK {
		t.Errorf("afterwards: code %d", code)
	}
}

// The cost of an event is that of reading it: the handler allocates a fraction of what decoding it into the API's types does.
func TestTheCostOfAnEvent(t *testing.T) {
	var events []auditv1.Event
	for n := range 400 { // the most that the API server sends at once
		events = append(events, auditEvent(n%4, time.Duration(n)*time.Millisecond))
	}
	body := post(t, events...)
	h, writes := world(t)
	ours := testing.AllocsPerRun(5, func() {
		if err := h.take(strings.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	})
	decoding := testing.AllocsPerRun(5, func() {
		if err := json.Unmarshal([]byte(body), &auditv1.EventList{}); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("allocations for an event: %.1f, and %.1f to decode it", ours/400, decoding/400)
	if ours > decoding {
		t.Errorf("%.0f allocations for 400 events, and %.0f to decode them", ours, decoding)
	}
	if len(*writes) != 2 {
		t.Errorf("2,400 events of two identities asked for the writes %s", writes)
	}
}

func BenchmarkEvents(b *testing.B) {
	var events []auditv1.Event
	for n := range 400 {
		events = append(events, auditEvent(n%4, time.Duration(n)*time.Millisecond))
	}
	body := post(b, events...)
	b.Run("taken", func(b *testing.B) {
		h, _ := world(b)
		b.ReportAllocs()
		for b.Loop() {
			if err := h.take(strings.NewReader(body)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*400/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("decoded", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal([]byte(body), &auditv1.EventList{}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*400/b.Elapsed().Seconds(), "events/s")
	})
}

func FuzzReadEvents(f *testing.F) {
	f.Add(post(f, auditEvent(1, 0), auditEvent(2, 0)))
	f.Add(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		h, _ := world(t)
		_ = h.take(strings.NewReader(body))
		for name, e := range h.table.byName {
			if len(e.pending) > len(e.listed) {
				t.Errorf("%s holds %d uses of %d certificates", name, len(e.pending), len(e.listed))
			}
			for _, u := range e.pending {
				if len(u.UserAgent) > maxUserAgent || len(u.SourceAddress) > 64 || u.Time.After(start.Add(time.Minute)) {
					t.Errorf("%s holds %s", name, fmt.Sprintf("%+v", u))
				}
			}
		}
	})
}
