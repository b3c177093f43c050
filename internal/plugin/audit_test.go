// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// event returns a line of an audit log.
func event(fingerprint, user, verb, resource string, code int, more ...string) string {
	extra := ""
	if fingerprint != "" {
		extra = fmt.Sprintf(`,"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=%s"]}`, fingerprint)
	}
	groups, _ := json.Marshal(append([]string{"system:authenticated"}, more...))
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":%q,"requestURI":"/x?y","user":{"username":%q,"groups":%s%s},`+
		`"sourceIPs":["198.51.100.1","203.0.113.7"],"objectRef":{"resource":%q,"namespace":"development","name":"it"},"responseStatus":{"code":%d},"stageTimestamp":"2026-11-26T14:00:00.000000Z"}`,
		verb, user, groups, extra, resource, code) + "\n"
}

// audited reads a log, and returns what was counted.
func audited(t *testing.T, log io.Reader) (*tallied, reading) {
	t.Helper()
	tally := newTally(newNames([]v1alpha1.ClientIdentity{identity("alice", func(id *v1alpha1.ClientIdentity) { id.UID = "aaaa-bbbb" }), identity("bob", both, func(id *v1alpha1.ClientIdentity) {
		id.Status.Certificates[0].Groups = []string{"clientidentity.dev:certificate:OFLAPTOP"}
	})}))
	read, err := readAudit(log, func(e *auditEvent) error {
		tally.add(e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tally, read
}

func TestWhoseCertificatesAreInALog(t *testing.T) {
	tally, read := audited(t, strings.NewReader(
		event(fingerprint('a'), "alice@example.com", "get", "secrets", 200)+
			event(fingerprint('a'), "alice@example.com", "get", "secrets", 200)+
			event(fingerprint('a'), "alice@example.com", "get", "secrets", 403)+
			event(fingerprint('e'), "bob@example.com", "list", "pods", 200)+
			event(fingerprint('7'), "alice@example.com", "get", "pods", 200, "clientidentity.dev:aaaabbbb:0")+
			event(fingerprint('8'), "alice@example.com", "get", "pods", 200, "clientidentity.dev:cccc:0", "clientidentity.dev:certificate:ABC", "clientidentity.dev:aaaabbbb")+
			event(fingerprint('6'), "bob@example.com", "get", "pods", 200, "clientidentity.dev:certificate:OFLAPTOP", "clientidentity.dev:aaaabbbb:0")+
			strings.Replace(event(fingerprint('5'), "alice@example.com", "create", "selfsubjectreviews", 201), `"verb"`, `"userAgent":"client-identity-operator/proof","verb"`, 1)+
			event("", "system:admin", "get", "pods", 200)+
			strings.Replace(event(fingerprint('a'), "alice@example.com", "watch", "pods", 200), "ResponseComplete", "ResponseStarted", 1)))
	if want := (reading{events: 10}); read != want {
		t.Errorf("read %+v, want %+v", read, want)
	}
	if tally.without != 1 || tally.proofs != 1 {
		t.Errorf("%d requests came without a certificate, and %d were proofs, want 1 and 1", tally.without, tally.proofs)
	}
	var got []string
	for _, use := range tally.uses() {
		got = append(got, fmt.Sprintf("%.4s %s %s %s %d: %d requests, %d refused, from %s", use.Fingerprint, use.Known, use.Identity, use.Device, use.Revision, use.Requests, use.Refused, use.Source))
	}
	want := []string{
		"6666 Reencoded bob laptop 3: 1 requests, 0 refused, from 203.0.113.7",
		"7777 ByGroup alice  0: 1 requests, 0 refused, from 203.0.113.7",
		"8888 Unknown   0: 1 requests, 0 refused, from 203.0.113.7",
		"aaaa Listed alice  1: 3 requests, 1 refused, from 203.0.113.7",
		"eeee Listed bob phone 5: 1 requests, 0 refused, from 203.0.113.7",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if first := tally.counts()[0]; first.Count != 2 || first.title(first.Fingerprint) != "alice#1" || first.Verb != "get" || first.Resource != "secrets" || first.Code != 200 {
		t.Errorf("the most frequent is %+v", first)
	}
}

func TestLinesThatAreNoEvents(t *testing.T) {
	one := event(fingerprint('a'), "alice@example.com", "get", "pods", 200)
	list := `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[` + strings.TrimSpace(one) + "," + strings.TrimSpace(one) + "]}\n"
	for what, row := range map[string]struct {
		log  string
		want reading
	}{
		"nothing":                 {"", reading{}},
		"empty lines":             {"\n \n" + one + "\n", reading{events: 1}},
		"no line break":           {strings.TrimSpace(one), reading{events: 1}},
		"line breaks of Windows":  {strings.ReplaceAll(one, "\n", "\r\n"), reading{events: 1}},
		"a list":                  {list, reading{events: 2}},
		"half a line":             {one[:50] + "\n" + one, reading{events: 1, unreadable: 1}},
		"another log":             {"I1126 15:00:00 server.go:1] started\n" + `{"level":"info"}` + "\n" + one, reading{events: 1, unreadable: 2}},
		"a time that is none":     {strings.Replace(one, "2026-11-26T", "yesterday ", 1), reading{unreadable: 1}},
		"a line that is too long": {strings.Repeat("x", maxEvent+1) + "\n" + one, reading{events: 1, tooLong: 1}},
	} {
		t.Run(what, func(t *testing.T) {
			if _, got := audited(t, strings.NewReader(row.log)); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			if complains := row.want.complaint() != nil; complains != (row.want.unreadable+row.want.tooLong > 0) {
				t.Error("what is missing is not told, or the other way round")
			}
		})
	}
}

// many is a log that never repeats itself: so many events, each with a fingerprint, a verb and a user of its own.
type many struct {
	left int
	rest bytes.Buffer
}

func (m *many) Read(p []byte) (int, error) {
	if m.rest.Len() == 0 {
		if m.left == 0 {
			return 0, io.EOF
		}
		m.left--
		m.rest.WriteString(event(fmt.Sprintf("%064d", m.left), fmt.Sprintf("user-%d", m.left), "get", strings.Repeat("r", 300), 200))
	}
	return m.rest.Read(p)
}

func TestMemoryIsBounded(t *testing.T) {
	tally, read := audited(t, &many{left: 12_000})
	if read.events != 12_000 || len(tally.credentials) != maxCredentials || len(tally.actions) > maxActions || tally.beyond != 12_000-maxCredentials {
		t.Errorf("read %+v; %d credentials, %d actions, %d beyond", read, len(tally.credentials), len(tally.actions), tally.beyond)
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if live := memory.HeapAlloc >> 20; live > 64 {
		t.Errorf("%d MiB are held", live)
	}
	runtime.KeepAlive(tally)
}

func TestWhatOthersWroteIsText(t *testing.T) {
	var out bytes.Buffer
	a := &auditCommand{env: &Env{IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: io.Discard}, Clock: clocktesting.NewFakePassiveClock(now)}, events: true}
	tally := newTally(newNames(nil))
	if _, err := a.read(t.Context(), strings.NewReader(event(fingerprint('7'), `\u001b[2Jroot\u202e`, "get\\n", "pods", 200)), tally); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "unknown#777777777777") {
		t.Errorf("got %q", out.String())
	}
}

func TestAPipeThatSomebodyEnds(t *testing.T) {
	reader, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	a := &auditCommand{env: &Env{IOStreams: genericiooptions.IOStreams{Out: io.Discard, ErrOut: io.Discard}, Clock: clocktesting.NewFakePassiveClock(now)}}
	tally := newTally(newNames([]v1alpha1.ClientIdentity{identity("alice")}))
	go func() {
		for range 3 {
			_, _ = io.WriteString(writer, event(fingerprint('a'), "alice@example.com", "get", "pods", 200))
		}
		// The third one is read, and perhaps not yet taken in, when it can be written.
		_, _ = io.WriteString(writer, "\n")
		cancel()
	}()
	done := make(chan reading)
	go func() {
		read, err := a.read(ctx, reader, tally)
		if err != nil {
			t.Error(err)
		}
		done <- read
	}()
	select {
	case read := <-done:
		if read.events < 2 || tally.uses()[0].Requests != read.events {
			t.Errorf("read %+v, and counted %d", read, tally.uses()[0].Requests)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}
