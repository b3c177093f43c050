// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

type wantCondition struct {
	status          metav1.ConditionStatus
	reason, message string
}

func TestConditions(t *testing.T) {
	const whole = "Certificate is valid until 2026-11-22T04:04:00Z"
	yes := func(reason, message string) wantCondition { return wantCondition{"True", reason, message} }
	no := func(reason, message string) wantCondition { return wantCondition{"False", reason, message} }
	ready := yes("Ready", "The credential is published and proven, and every role binding is in place")
	bound := yes("Bound", "Role bindings in place: 2")
	for name, test := range map[string]struct {
		certificate *v1alpha1.CertificateStatus
		given       Input
		want        map[string]wantCondition
	}{
		"a proven credential with its bindings is Ready, and nothing else": {issued(time.Hour), input(), map[string]wantCondition{
			"Ready": ready, "CertificateIssued": yes("Issued", whole), "AccessBound": bound,
		}},
		"a valid credential whose renewal fails stays Ready without Reconciling, and says so": {issued(time.Hour), input(credentialProblem(failing5xx)), map[string]wantCondition{
			"Ready": ready, "AccessBound": bound,
			"CertificateIssued": yes("Unavailable", "the API server does not answer (the published certificate is valid until 2026-11-22T04:04:00Z)"),
		}},
		"a denied renewal of a valid credential is Ready and Stalled": {issued(time.Hour), input(credentialProblem(denied)), map[string]wantCondition{
			"Ready": ready, "AccessBound": bound, "Stalled": yes("Denied", "somebody denied it"),
			"CertificateIssued": yes("Denied", "somebody denied it (the published certificate is valid until 2026-11-22T04:04:00Z)"),
		}},
		"a denied first request is Stalled, not Reconciling": {nil, input(notPublished, credentialProblem(denied)), map[string]wantCondition{
			"Ready": no("Denied", "somebody denied it"), "AccessBound": bound, "Stalled": yes("Denied", "somebody denied it"),
			"CertificateIssued": no("Denied", "somebody denied it"),
		}},
		"a first request that waits is Reconciling": {nil, input(notPublished), map[string]wantCondition{
			"Ready": no("Pending", "a certificate is being issued"), "AccessBound": bound, "Reconciling": yes("Pending", "a certificate is being issued"),
			"CertificateIssued": no("Pending", "a certificate is being issued"),
		}},
		"an outdated credential is valid, but not Ready": {issued(time.Hour), input(outdated), map[string]wantCondition{
			"Ready":             no("Pending", "a new certificate is being issued (the published one is valid until 2026-11-22T04:04:00Z)"),
			"Reconciling":       yes("Pending", "a new certificate is being issued (the published one is valid until 2026-11-22T04:04:00Z)"),
			"CertificateIssued": yes("Pending", "a new certificate is being issued (the published one is valid until 2026-11-22T04:04:00Z)"), "AccessBound": bound,
		}},
		"an expired certificate says since when, and why there is no other": {issued(time.Hour), input(after(2*time.Hour), credentialProblem(failing5xx)), map[string]wantCondition{
			"Ready":             no("Unavailable", "the certificate expired at 2026-11-22T04:04:00Z: the API server does not answer"),
			"Reconciling":       yes("Unavailable", "the certificate expired at 2026-11-22T04:04:00Z: the API server does not answer"),
			"CertificateIssued": no("Unavailable", "the certificate expired at 2026-11-22T04:04:00Z: the API server does not answer"), "AccessBound": bound,
		}},
		"an expired certificate without any failure is Expired": {issued(time.Hour), input(after(time.Hour)), map[string]wantCondition{
			"Ready":             no("Expired", "the certificate expired at 2026-11-22T04:04:00Z: a certificate is being issued"),
			"Reconciling":       yes("Expired", "the certificate expired at 2026-11-22T04:04:00Z: a certificate is being issued"),
			"CertificateIssued": no("Expired", "the certificate expired at 2026-11-22T04:04:00Z: a certificate is being issued"), "AccessBound": bound,
		}},
		"a binding in conflict touches AccessBound and Ready only": {issued(time.Hour), input(bindingProblem(conflict)), map[string]wantCondition{
			"Ready": no("BindingConflict", "RoleBinding exists"), "AccessBound": no("BindingConflict", "RoleBinding exists"),
			"Reconciling": yes("BindingConflict", "RoleBinding exists"), "CertificateIssued": yes("Issued", whole),
		}},
		"what is in the way of everything is said once, by the credential first": {nil, input(notPublished, credentialProblem(denied), bindingProblem(conflict)), map[string]wantCondition{
			"Ready": no("Denied", "somebody denied it"), "AccessBound": no("BindingConflict", "RoleBinding exists"),
			"Stalled": yes("Denied", "somebody denied it"), "CertificateIssued": no("Denied", "somebody denied it"),
		}},
		"bindings outside their time are named": {issued(time.Hour), input(func(in *Input) { in.Bindings.OutOfTime = []string{"night", "xmas"} }), map[string]wantCondition{
			"Ready": ready, "CertificateIssued": yes("Issued", whole),
			"AccessBound": yes("Bound", "Role bindings in place: 2; outside the time of their validFrom and validUntil: night, xmas"),
		}},
		"a shortened lifetime is told": {issued(time.Hour), input(asking(2 * time.Hour)), map[string]wantCondition{
			"Ready": ready, "AccessBound": bound,
			"CertificateIssued": yes("TTLShortened", whole+": 2h0m0s was asked for, and 1h5m0s was issued; it is renewed in time all the same"),
		}},
		"a shortened one of which nobody knows the begin is told too": {func() *v1alpha1.CertificateStatus {
			c := issued(time.Hour)
			c.NotBefore = nil
			return c
		}(), input(asking(2 * time.Hour)), map[string]wantCondition{
			"Ready": ready, "AccessBound": bound,
			"CertificateIssued": yes("TTLShortened", whole+": 2h0m0s was asked for, and 1h0m0s was issued; it is renewed in time all the same"),
		}},
		"a capped lifetime is told before a shortened one": {issued(time.Hour), input(capped, asking(2*time.Hour)), map[string]wantCondition{
			"Ready": ready, "AccessBound": bound,
			"CertificateIssued": yes("LifetimeCapped", whole+"; renewing it would gain no time, since certificates end with the signer's CA or with accessUntil"),
		}},
		"a CA that is being replaced is told before all of that": {issued(time.Hour), input(superseded, capped), map[string]wantCondition{
			"Ready": ready, "AccessBound": bound,
			"CertificateIssued": yes("IssuerSuperseded", whole+", but newer ones of its signer come from another CA than \"CN=ca\": if the CA is being replaced, "+
				"request a renewal (annotation clientidentity.dev/renew-requested-at) before the old one is dropped"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			status := &v1alpha1.ClientIdentityStatus{Certificate: test.certificate}
			setConditions(status, test.given)
			for conditionType, want := range test.want {
				c := meta.FindStatusCondition(status.Conditions, conditionType)
				if c == nil {
					t.Errorf("no %s", conditionType)
				} else if got := (wantCondition{c.Status, c.Reason, c.Message}); got != want || c.ObservedGeneration != 3 {
					t.Errorf("%s (generation %d)\nis   %+v\nwant %+v", conditionType, c.ObservedGeneration, got, want)
				}
			}
			if len(status.Conditions) != len(test.want) {
				t.Errorf("%d conditions, want %d: %+v", len(status.Conditions), len(test.want), status.Conditions)
			}
			again := status.DeepCopy()
			later := test.given
			setConditions(again, later)
			if !equality.Semantic.DeepEqual(status, again) {
				t.Error("a second pass changes the status")
			}
		})
	}
}

func TestTransitionTimesMoveOnlyWithTheStatus(t *testing.T) {
	status := &v1alpha1.ClientIdentityStatus{Certificate: issued(time.Hour)}
	began := func() {
		for i := range status.Conditions {
			status.Conditions[i].LastTransitionTime = *at(-time.Hour)
		}
	}
	moved := func() map[string]bool {
		result := map[string]bool{}
		for i := range status.Conditions {
			if !status.Conditions[i].LastTransitionTime.Equal(at(-time.Hour)) {
				result[status.Conditions[i].Type] = true
			}
		}
		return result
	}
	expect := func(step string, want ...string) {
		t.Helper()
		got := moved()
		for _, conditionType := range want {
			if !got[conditionType] {
				t.Errorf("%s: %s did not move", step, conditionType)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: moved %v, want %v", step, got, want)
		}
		began()
	}
	setConditions(status, input())
	began()
	setConditions(status, input(credentialProblem(failing5xx)))
	expect("a failed renewal")
	setConditions(status, input(after(2*time.Hour), credentialProblem(failing5xx)))
	expect("expired", "Ready", "CertificateIssued", "Reconciling")
	setConditions(status, input(after(2*time.Hour), credentialProblem(problem.NewTransient("SignerFailed", "another reason"))))
	expect("another reason")
	setConditions(status, input(after(2*time.Hour), credentialProblem(denied)))
	expect("denied", "Stalled")
	setWithdrawn(status, 4, "StateWithdrawn", "spec.state is Withdrawn", false, nil)
	expect("being withdrawn", "Reconciling")
	setWithdrawn(status, 4, "StateWithdrawn", "spec.state is Withdrawn", false, failing5xx)
	expect("withdrawal fails")
	setWithdrawn(status, 4, "StateWithdrawn", "spec.state is Withdrawn: all is gone", true, nil)
	expect("withdrawn", "Withdrawn")
	setWithdrawn(status, 4, "StateWithdrawn", "spec.state is Withdrawn: all is gone", true, nil)
	expect("withdrawn still")
	setConditions(status, input())
	expect("active again", "Ready", "CertificateIssued", "AccessBound")
	expectNoCondition(t, status, "Withdrawn", "Stalled", "Reconciling")
}

func TestWithdrawnHasNoReadyCondition(t *testing.T) {
	for name, test := range map[string]struct {
		done    bool
		failure *problem.Problem
		want    map[string]wantCondition
	}{
		"one that is done":  {true, nil, map[string]wantCondition{"Withdrawn": {"True", "AccessEnded", "ended"}}},
		"one on its way":    {false, nil, map[string]wantCondition{"Ready": {"False", "Withdrawing", "ended: role bindings and Secret are being removed"}, "Reconciling": {"True", "Withdrawing", "ended: role bindings and Secret are being removed"}}},
		"one that is stuck": {true, failing5xx, map[string]wantCondition{"Ready": {"False", "Unavailable", "ended: the API server does not answer"}, "Reconciling": {"True", "Unavailable", "ended: the API server does not answer"}}},
	} {
		t.Run(name, func(t *testing.T) {
			status := &v1alpha1.ClientIdentityStatus{}
			setConditions(status, input(credentialProblem(denied)))
			setWithdrawn(status, 4, v1alpha1.ReasonAccessEnded, "ended", test.done, test.failure)
			for conditionType, want := range test.want {
				c := meta.FindStatusCondition(status.Conditions, conditionType)
				if c == nil || (wantCondition{c.Status, c.Reason, c.Message}) != want || c.ObservedGeneration != 4 {
					t.Errorf("%s is %+v, want %+v", conditionType, c, want)
				}
			}
			if len(status.Conditions) != len(test.want) {
				t.Errorf("conditions %+v", status.Conditions)
			}
		})
	}
}

func TestShortened(t *testing.T) {
	given := func(lifetime time.Duration, requestTime *metav1.Time) *v1alpha1.CertificateStatus {
		c := issued(lifetime)
		c.RequestTime = requestTime
		return c
	}
	for name, test := range map[string]struct {
		certificate *v1alpha1.CertificateStatus
		ttl         time.Duration
		want        bool
	}{
		"got what was asked":                           {given(time.Hour, at(0)), time.Hour, false},
		"signed a moment later than asked":             {given(time.Hour, at(-20*time.Second)), time.Hour, false},
		"a minute less":                                {given(59*time.Minute, at(0)), time.Hour, true},
		"counted from a backdated notBefore from 8h":   {given(8*time.Hour-5*time.Minute, at(0)), 8 * time.Hour, false},
		"five minutes less below 8h":                   {given(7*time.Hour-5*time.Minute, at(0)), 7 * time.Hour, true},
		"a year of two":                                {given(8760*time.Hour, at(0)), 17520 * time.Hour, true},
		"longer than asked":                            {given(2*time.Hour, at(0)), time.Hour, false},
		"nobody knows when it was asked for":           {given(time.Minute, nil), time.Hour, false},
		"a clock that went back: asked in the future":  {given(time.Hour, at(time.Hour)), time.Hour, true},
		"the longest lifetime that a spec can ask for": {given(time.Hour, at(0)), 2147483647 * time.Second, true},
	} {
		if got := shortened(test.certificate, test.ttl); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
