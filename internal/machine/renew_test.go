// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

func TestNeverReplacesACertificateByOneThatIsNotAccepted(t *testing.T) {
	w := enrolled(t)
	_, first := w.serve()
	w.step(17 * time.Hour)
	w.cluster.rejects = true
	for range 3 {
		if _, now := w.serve(); now != first {
			t.Error("it was replaced")
		}
		w.step(5 * time.Minute)
	}
	w.cluster.rejects = false
	_, now := w.serve()
	w.newest(now)
	if len(w.cluster.requests) != 2 {
		t.Errorf("%d requests", len(w.cluster.requests))
	}
}

func TestAKilledProcessLeavesNoKeyBehind(t *testing.T) {
	w := enrolled(t)
	left := filepath.Join(w.folder.path, "."+recordName+".tmp-1234")
	if err := os.WriteFile(left, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.step(17 * time.Hour)
	w.serve()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestAsksForWhatIsWantedNow(t *testing.T) {
	for name, change := range map[string]func(*holder.Parameters){
		"other groups":     func(p *holder.Parameters) { p.Groups = []string{"developers", "admins"} },
		"a shorter ttl":    func(p *holder.Parameters) { p.TTL = metav1.Duration{Duration: time.Hour} },
		"another key":      func(p *holder.Parameters) { p.Algorithm, p.Size = v1alpha1.RSA, 2048 },
		"nothing of these": func(*holder.Parameters) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := enrolled(t)
			w.step(17 * time.Hour)
			w.cluster.undecided = true
			w.serve() // with the old ones
			w.step(10 * time.Minute)
			change(&w.cluster.wanted)
			w.publish()
			w.cluster.undecided = false
			_, now := w.serve()
			w.newest(now)
		})
	}
}

func TestKeepsAKeyThatMayHaveBeenApproved(t *testing.T) {
	w := enrolled(t)
	w.step(17 * time.Hour)
	w.cluster.undecided = true
	w.serve()
	w.cluster.undecided = false
	w.cluster.clean() // approved, and gone before anybody saw it
	w.cluster.wanted.Algorithm, w.cluster.wanted.Size = v1alpha1.RSA, 2048
	w.publish()
	for range 3 {
		w.step(10 * time.Minute)
		w.serve() // fails if another key made a thief of it
	}
	if !strings.Contains(strings.Join(w.said, " "), holder.ReasonKeyMismatch) {
		t.Errorf("it said %q", w.said)
	}
}

func TestGoesBackToTheCredentialThatTheOperatorKnows(t *testing.T) {
	w := enrolled(t)
	w.step(17 * time.Hour)
	newest, last := w.cluster.newest, w.cluster.last
	_, second := w.serve()
	// The operator knows what it approved, and not what came of it.
	delete(w.cluster.spent, second)
	w.cluster.newest, w.cluster.last = newest, last
	clear(w.cluster.requests)
	w.clock.SetTime(start.Add(23 * time.Hour))
	w.time = w.clock.Now()
	record, err := w.folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	record.Parameters.RenewBefore = &metav1.Duration{Duration: 20 * time.Hour}
	w.cluster.wanted.RenewBefore = record.Parameters.RenewBefore
	w.publish()
	if err := w.folder.Save(record); err != nil {
		t.Fatal(err)
	}
	_, third := w.serve()
	if third == second {
		t.Errorf("it was not renewed: %q", w.said)
	}
	w.newest(third)
}

func TestLooksWhetherAccessEndsLater(t *testing.T) {
	w := fresh(t)
	w.cluster.wanted.AccessUntil = &metav1.Time{Time: start.Add(10 * time.Hour)}
	w.publish()
	if _, err := w.Enrol(t.Context(), w.order("invitation")); err != nil {
		t.Fatal(err)
	}
	_, first := w.serve()
	w.step(8 * time.Hour)
	calls := w.cluster.calls
	for range 5 {
		w.serve()
		w.step(time.Minute)
	}
	if w.cluster.calls != calls+1 || len(w.said) > 0 || len(w.cluster.requests) > 1 {
		t.Errorf("%d requests, and it said %q", w.cluster.calls-calls, w.said)
	}
	w.cluster.wanted.AccessUntil = &metav1.Time{Time: start.Add(100 * time.Hour)}
	w.publish()
	w.step(time.Hour)
	_, now := w.serve()
	w.newest(now)
	if now == first {
		t.Error("it was not renewed")
	}
}
