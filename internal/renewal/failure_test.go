// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// recorded is the status after the third failure in a row, at asked: the next attempt is 40 seconds later.
func recorded(changes ...func(*v1alpha1.IssuanceStatus)) *v1alpha1.IssuanceStatus {
	status := &v1alpha1.IssuanceStatus{
		CertificateSigningRequest: "alice-1", FailedAttempts: 3, LastFailureTime: &metav1.Time{Time: asked},
		LastFailureReason: v1alpha1.ReasonUnavailable, LastFailureMessage: "timeout", FailedGeneration: 2, FailedRenewRequest: "now",
	}
	for _, apply := range changes {
		apply(status)
	}
	return status
}

func TestFailureOf(t *testing.T) {
	known := Failure{Reason: v1alpha1.ReasonUnavailable, Message: "timeout", Attempts: 3, Time: asked, NotAfter: endsAt}
	changed := known
	changed.Outdated = true
	for name, test := range map[string]struct {
		status       *v1alpha1.IssuanceStatus
		generation   int64
		renewRequest string
		want         *Failure
	}{
		"nothing is being asked for":             {nil, 2, "now", nil},
		"a request that did not fail":            {&v1alpha1.IssuanceStatus{CertificateSigningRequest: "alice-1"}, 2, "now", nil},
		"a failure of which nobody knows when":   {recorded(func(s *v1alpha1.IssuanceStatus) { s.LastFailureTime = nil }), 2, "now", nil},
		"a failure of this spec":                 {recorded(), 2, "now", &known},
		"a failure of another spec":              {recorded(), 3, "now", &changed},
		"a failure of a restored, older spec":    {recorded(), 1, "now", &changed},
		"a failure before another renew request": {recorded(), 2, "again", &changed},
		"a failure before it was taken back":     {recorded(), 2, "", &changed},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, FailureOf(test.status, test.generation, test.renewRequest, endsAt)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailuresHoldUntilTheNextAttempt(t *testing.T) {
	for name, test := range map[string]struct {
		notAfter time.Time
		now      time.Duration
		want     bool
	}{
		"from its second on":                       {now: 0, want: true},
		"until just before":                        {now: 40*time.Second - 1, want: true},
		"not when it is due":                       {now: 40 * time.Second},
		"not before it failed: a clock was ahead":  {now: -1},
		"shorter where little of a certificate is": {notAfter: asked.Add(80 * time.Second), now: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			failure := FailureOf(recorded(), 2, "now", test.notAfter)
			if got := failure.Holds(asked.Add(test.now)); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestFailuresSayWhatIsDoneAboutThem(t *testing.T) {
	failure := FailureOf(recorded(), 2, "now", time.Time{})
	want := problem.NewTransient(v1alpha1.ReasonUnavailable, "timeout; attempt 3 failed at 2026-12-01T08:00:00Z, the next one is at 2026-12-01T08:00:40Z")
	if diff := cmp.Diff(want, failure.Problem()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	denial := FailureOf(recorded(func(s *v1alpha1.IssuanceStatus) {
		s.LastFailureReason, s.LastFailureMessage = v1alpha1.ReasonDenied, "100% no"
	}), 2, "now", endsAt)
	if diff := cmp.Diff(problem.NewStalled(v1alpha1.ReasonDenied, "100%% no"), denial.Problem()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if at := denial.RetryAt(); !denial.Denied() || failure.Denied() || !at.IsZero() || denial.Holds(asked.Add(time.Second)) {
		t.Errorf("a denial is retried at %s", at)
	}
}

func TestRecord(t *testing.T) {
	again := Attempt{Reason: v1alpha1.ReasonUnavailable, Message: "refused", RequestName: "alice-1", RenewRequest: "now", Generation: 2}
	with := func(change func(*Attempt)) Attempt { a := again; change(&a); return a }
	failedAt := func(at time.Duration, attempts int32, message string) func(*v1alpha1.IssuanceStatus) {
		return func(s *v1alpha1.IssuanceStatus) {
			s.LastFailureTime, s.FailedAttempts, s.LastFailureMessage = &metav1.Time{Time: asked.Add(at)}, attempts, message
		}
	}
	for name, test := range map[string]struct {
		before  *v1alpha1.IssuanceStatus
		attempt Attempt
		after   time.Duration // asked
		want    *v1alpha1.IssuanceStatus
	}{
		"counts the first one":                    {nil, again, 0, recorded(failedAt(0, 1, "refused"))},
		"counts in whole seconds":                 {nil, again, 1999 * time.Millisecond, recorded(failedAt(time.Second, 1, "refused"))},
		"counts the first one of an open request": {&v1alpha1.IssuanceStatus{CertificateSigningRequest: "alice-1"}, again, 0, recorded(failedAt(0, 1, "refused"))},
		"counts the next try":                     {recorded(), again, 40 * time.Second, recorded(failedAt(40*time.Second, 4, "refused"))},
		"counts no pass before the next try":      {recorded(), again, 39 * time.Second, recorded()},
		"says which request is open by then": {recorded(), with(func(a *Attempt) { a.RequestName = "alice-2" }), 39 * time.Second,
			recorded(func(s *v1alpha1.IssuanceStatus) { s.CertificateSigningRequest = "alice-2" })},
		"counts another failure of an open request": {recorded(), with(func(a *Attempt) { a.Reason = v1alpha1.ReasonApprovalForbidden }), time.Second,
			recorded(failedAt(time.Second, 4, "refused"), func(s *v1alpha1.IssuanceStatus) { s.LastFailureReason = v1alpha1.ReasonApprovalForbidden })},
		"counts a request that is given up": {recorded(), with(func(a *Attempt) { a.RequestName = "" }), time.Second,
			recorded(failedAt(time.Second, 4, "refused"), func(s *v1alpha1.IssuanceStatus) { s.CertificateSigningRequest = "" })},
		"counts where the last failure is in the future": {recorded(failedAt(day, 3, "timeout")), again, 0, recorded(failedAt(0, 4, "refused"))},
		"remembers what it was for": {nil, with(func(a *Attempt) { a.Generation, a.RenewRequest = 7, "" }), 0,
			recorded(failedAt(0, 1, "refused"), func(s *v1alpha1.IssuanceStatus) { s.FailedGeneration, s.FailedRenewRequest = 7, "" })},
		"bounds what others wrote": {nil, with(func(a *Attempt) { a.Message = strings.Repeat("x", 5000) }), 0,
			recorded(failedAt(0, 1, strings.Repeat("x", problem.MaxMessage-4)+" ..."))},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.before.DeepCopy()
			got := Record(test.before, test.attempt, time.Time{}, asked.Add(test.after))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, test.before); diff != "" {
				t.Errorf("changes the status before:\n%s", diff)
			}
		})
	}
}
