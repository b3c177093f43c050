// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

func TestServesWithoutARequestUntilRenewalIsDue(t *testing.T) {
	w := enrolled(t)
	before := w.cluster.calls
	served, first := w.serve()
	w.step(15 * time.Hour)
	w.serve()
	if w.cluster.calls != before {
		t.Errorf("%d requests", w.cluster.calls-before)
	}
	if at := served.Expires.Sub(start); at < 15*time.Hour || at > 16*time.Hour {
		t.Errorf("kubectl asks again after %s", at)
	}
	renewal := served.Expires
	w.clock.SetTime(renewal.Add(-time.Second))
	w.time = w.clock.Now()
	served, _ = w.serve()
	if left := served.Expires.Sub(w.time); left != steady {
		t.Errorf("kubectl gets another certificate within %s, while it works", left)
	}
	w.step(time.Second)
	_, second := w.serve()
	if first == second {
		t.Error("it was not renewed")
	}
	w.newest(second)
}

func TestRenewsAgainAndAgain(t *testing.T) {
	w := enrolled(t)
	for range 5 {
		w.step(17 * time.Hour)
		_, now := w.serve()
		w.newest(now)
	}
	if len(w.said) > 0 {
		t.Errorf("it said %q", w.said)
	}
}

func TestServesTheOldOneWhileItIsValid(t *testing.T) {
	for name, test := range map[string]struct {
		trouble func(w *world)
		says    string
	}{
		"offline":              {func(w *world) { w.cluster.down = true }, "connection refused"},
		"the operator is down": {func(w *world) { w.cluster.undecided = true }, "not decided yet"},
		"suspended":            {func(w *world) { w.cluster.deny = holder.ReasonDeviceSuspended }, "enrol this machine again"},
		"revoked":              {func(w *world) { w.cluster.deny = holder.ReasonCredentialRevoked }, "enrol this machine again"},
		"too often":            {func(w *world) { w.cluster.deny = holder.ReasonIssuedTooOften }, holder.ReasonIssuedTooOften},
		"a folder that nobody can write to": {func(w *world) {
			w.files.step = func(string) error { return syscall.EROFS }
		}, "read-only file system"},
	} {
		t.Run(name, func(t *testing.T) {
			w := enrolled(t)
			_, first := w.serve()
			w.step(17 * time.Hour)
			test.trouble(w)
			for range 3 {
				if _, now := w.serve(); now != first {
					t.Error("another certificate")
				}
				w.step(time.Second)
			}
			if len(w.said) == 0 || !strings.Contains(w.said[0], test.says) {
				t.Errorf("it said %q", w.said)
			}
			if w.files.step == nil && len(w.said) != 1 {
				t.Errorf("it said that %d times", len(w.said))
			}
			w.step(10 * time.Hour)
			_, err := w.Serve(t.Context(), "alice", uid, nil)
			if err == nil || !strings.Contains(err.Error(), "ended at") || !strings.Contains(err.Error(), "kubectl clientidentity invite alice") {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func TestGoesOnWhenTheOperatorIsBack(t *testing.T) {
	w := enrolled(t)
	w.step(17 * time.Hour)
	w.cluster.undecided = true
	for range 5 {
		w.serve()
		w.step(10 * time.Minute)
	}
	w.cluster.undecided = false
	_, now := w.serve()
	w.newest(now)
	if len(w.cluster.requests) != 2 {
		t.Errorf("%d requests in all, want that of the enrolment and one more", len(w.cluster.requests))
	}
}

func TestClocksThatAreWrong(t *testing.T) {
	for name, test := range map[string]struct {
		off  time.Duration
		says bool
	}{
		"an hour ahead":     {time.Hour, false},
		"17 hours ahead":    {17 * time.Hour, true},
		"a year ahead":      {365 * 24 * time.Hour, true},
		"an hour behind":    {-time.Hour, true},
		"50 years behind":   {-50 * 365 * 24 * time.Hour, true},
		"a minute too slow": {-time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := enrolled(t)
			_, first := w.serve()
			w.clock.SetTime(w.time.Add(test.off))
			for range 4 {
				if _, now := w.serve(); now != first {
					t.Error("it was renewed")
				}
				w.step(time.Second)
			}
			if len(w.said) > 1 || (len(w.said) == 1) != test.says {
				t.Errorf("it said %q", w.said)
			}
			calls := w.cluster.calls
			w.serve()
			if w.cluster.calls != calls {
				t.Error("it asks the API server each time")
			}
			w.step(17*time.Hour + max(-test.off, 0)%(2*time.Hour)) // now it is due
			if _, now := w.serve(); now == first {
				t.Errorf("it was not renewed: %q", w.said)
			}
		})
	}
}

func TestTakesWhatTheOperatorPublishes(t *testing.T) {
	w := enrolled(t)
	record, err := w.folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	record.Source, record.Device = v1alpha1.SourceOperator, ""
	if err := w.folder.Save(record); err != nil {
		t.Fatal(err)
	}
	w.cluster.published = map[string][]byte{v1alpha1.CertificateKey: []byte(record.Current.Certificate), v1alpha1.PrivateKeyKey: []byte(record.Current.Key)}
	_, first := w.serve()
	w.step(17 * time.Hour)
	if _, now := w.serve(); now != first || len(w.said) > 0 {
		t.Errorf("the operator has its time: %q", w.said)
	}
	// The operator renews.
	next := *record
	w.issueFirst(&next)
	w.cluster.published = map[string][]byte{v1alpha1.CertificateKey: []byte(next.Current.Certificate), v1alpha1.PrivateKeyKey: []byte(next.Current.Key)}
	if err := w.folder.Save(record); err != nil {
		t.Fatal(err)
	}
	w.step(time.Minute)
	_, now := w.serve()
	if now == first {
		t.Errorf("it was not renewed: %q", w.said)
	}
	// A key of another certificate is not taken.
	w.cluster.published[v1alpha1.PrivateKeyKey] = []byte(record.Current.Key)
	w.step(17 * time.Hour)
	if _, same := w.serve(); same != now || !strings.Contains(strings.Join(w.said, " "), "not that of the published certificate") {
		t.Errorf("it said %q", w.said)
	}
}

func TestNobodyElseCanReadTheKey(t *testing.T) {
	w := enrolled(t)
	w.step(17 * time.Hour)
	w.serve()
	expectModes(t, w.folder.path)
	for _, bad := range []string{"", "../x", "a/b", ".", "..", strings.Repeat("a", 65)} {
		if _, err := w.Store.Folder(types.UID(bad)); err == nil {
			t.Errorf("%q names a folder", bad)
		}
	}
}

func TestKeysAreInNoFolderThatSomebodyHappensToBeIn(t *testing.T) {
	for _, base := range []string{"", ".local/share/kubectl-clientidentity", "."} {
		if _, err := NewStore(base, OSFiles{}).Folder(uid); err == nil || !strings.Contains(err.Error(), HomeVariable) {
			t.Errorf("%q: got %v", base, err)
		}
	}
	if got := Home(func(string) string { return "/elsewhere" }); got != "/elsewhere" {
		t.Errorf("got %s", got)
	}
}

func TestADamagedRecordIsNoSecretToldAndNotReplaced(t *testing.T) {
	w := enrolled(t)
	if err := (OSFiles{}).Write(w.folder.path+"/"+recordName, []byte(`{"version":"v1","key":"s3cr3t"`)); err != nil {
		t.Fatal(err)
	}
	_, err := w.Serve(t.Context(), "alice", uid, nil)
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), recordName) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Serve(t.Context(), "bob", "d9f3b3e4-0000-4000-8000-000000000000", nil); err == nil || !strings.Contains(err.Error(), "kubectl clientidentity invite bob") {
		t.Errorf("got %v", err)
	}
}

func TestACertificateForSomebodyElseIsNotTaken(t *testing.T) {
	if err := authenticated(userInfo("alice", "developers", "system:authenticated"), certificate.Subject{Username: "alice", Groups: []string{"developers"}}); err != nil {
		t.Error(err)
	}
	for _, user := range []struct {
		name   string
		groups []string
	}{{"bob", []string{"developers"}}, {"alice", []string{"developers", "admins"}}, {"alice", nil}} {
		if err := authenticated(userInfo(user.name, user.groups...), certificate.Subject{Username: "alice", Groups: []string{"developers"}}); err == nil {
			t.Errorf("%v was taken", user)
		}
	}
}
