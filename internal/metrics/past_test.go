// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/report"
)

// statusOf changes the status of an identity that is ready since the start.
func statusOf(changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentityStatus {
	return &ready("alice", changes...).Status
}

// renewed is the certificate that follows the first one.
func renewed(after time.Duration, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentityStatus {
	status := statusOf(changes...)
	revoke := status.Certificate.RevokeIssuedBefore
	status.Certificate = issued("f2", after)
	status.Certificate.RevokeIssuedBefore = revoke
	return status
}

func failed(after time.Duration, reason string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Status.Issuance = &v1alpha1.IssuanceStatus{FailedAttempts: 1, LastFailureTime: at(after), LastFailureReason: reason}
	}
}

func requested(id *v1alpha1.ClientIdentity) { id.Status.LastHandledRenewRequest = "now" }
func revoked(id *v1alpha1.ClientIdentity)   { id.Status.Certificate.RevokeIssuedBefore = at(time.Minute) }

// completed says that everything from before that time is revoked.
func completed(before time.Duration) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		with(condition(v1alpha1.ConditionRevocationComplete, true, v1alpha1.ReasonRevoked))(id)
		id.Status.CompletedRevocation = at(before)
	}
}

func TestWhatAStatusTells(t *testing.T) {
	tests := map[string]struct {
		before, after *v1alpha1.ClientIdentityStatus
		now           time.Duration
		want          change
	}{
		"nothing": {statusOf(), statusOf(), time.Minute, change{}},
		"nothing where only a condition changes": {
			statusOf(), statusOf(with(condition(v1alpha1.ConditionReady, false, v1alpha1.ReasonPending))), time.Minute, change{},
		},
		"the first certificate":           {statusOf(without), statusOf(), 3 * time.Second, change{published: causeFirst, took: seconds3}},
		"a renewal that was due":          {statusOf(), renewed(40 * time.Minute), 40*time.Minute + 3*time.Second, change{published: causeDue, took: seconds3, late: seconds3}},
		"a renewal that came too late":    {statusOf(), renewed(2 * time.Hour), 2*time.Hour + 3*time.Second, change{published: causeExpired, took: seconds3, late: lasting(80*time.Minute + 3*time.Second)}},
		"a renewal that somebody asked":   {statusOf(), renewed(time.Minute, requested), time.Minute + 3*time.Second, change{published: causeRequested, took: seconds3}},
		"one asked for when it was due":   {statusOf(), renewed(time.Hour, requested), time.Hour + 3*time.Second, change{published: causeRequested, took: seconds3}},
		"a renewal after a revocation":    {statusOf(), renewed(time.Minute, revoked), time.Minute + 3*time.Second, change{published: causeRevoked, took: seconds3}},
		"another certificate for another": {statusOf(), renewed(time.Minute), time.Minute + 3*time.Second, change{published: causeChanged, took: seconds3}},
		"a clock that was set back":       {statusOf(), renewed(time.Minute), 0, change{published: causeChanged, took: lasting(0)}},
		"that the certificate is gone":    {statusOf(), statusOf(without), time.Minute, change{}},

		"a failed attempt":               {statusOf(), statusOf(failed(time.Minute, v1alpha1.ReasonDenied)), time.Minute, change{failed: v1alpha1.ReasonDenied}},
		"one that failed again":          {statusOf(failed(0, v1alpha1.ReasonDenied)), statusOf(failed(time.Minute, v1alpha1.ReasonUnavailable)), time.Minute, change{failed: v1alpha1.ReasonUnavailable}},
		"no new failure":                 {statusOf(failed(0, v1alpha1.ReasonDenied)), statusOf(failed(0, v1alpha1.ReasonDenied)), time.Minute, change{}},
		"that failures are over":         {statusOf(failed(0, v1alpha1.ReasonDenied)), statusOf(), time.Minute, change{}},
		"a revocation":                   {statusOf(), statusOf(completed(time.Second)), time.Minute, change{revocation: resultComplete, revocationReason: v1alpha1.ReasonRevoked}},
		"another revocation":             {statusOf(completed(time.Second)), statusOf(completed(time.Minute)), time.Minute, change{revocation: resultComplete, revocationReason: v1alpha1.ReasonRevoked}},
		"the same revocation":            {statusOf(completed(time.Second)), statusOf(completed(time.Second)), time.Minute, change{}},
		"that no revocation is left":     {statusOf(completed(time.Second)), statusOf(), time.Minute, change{}},
		"a revocation that is worked on": {statusOf(), statusOf(with(condition(v1alpha1.ConditionRevocationComplete, false, v1alpha1.ReasonPending))), time.Minute, change{}},
		"a revocation that is not complete": {
			statusOf(completed(time.Second)), statusOf(with(condition(v1alpha1.ConditionRevocationComplete, false, v1alpha1.ReasonBindingNotRevoked))), time.Minute,
			change{revocation: resultIncomplete, revocationReason: v1alpha1.ReasonBindingNotRevoked},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := changeOf(test.before, test.after, start.Add(test.now))
			if got.published != test.want.published || got.failed != test.want.failed || got.revocation != test.want.revocation ||
				got.revocationReason != test.want.revocationReason || !same(got.took, test.want.took) || !same(got.late, test.want.late) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

var seconds3 = lasting(3 * time.Second)

func lasting(d time.Duration) *time.Duration { return &d }

func same(a, b *time.Duration) bool {
	return (a == nil && b == nil) || (a != nil && b != nil && *a == *b)
}

// valueOf returns the value of a counter, or how many observations a histogram has; -1 where there is none.
func valueOf(t *testing.T, collector prometheus.Collector, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := registryOf(t, collector).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			if matches(metric, labels) {
				return metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	return -1
}

func matches(metric *dto.Metric, labels map[string]string) bool {
	found := 0
	for _, label := range metric.GetLabel() {
		if value, ok := labels[label.GetName()]; ok && value == label.GetValue() {
			found++
		}
	}
	return found == len(labels)
}

func TestWhatIsWrittenIsCounted(t *testing.T) {
	past := NewPast(Signers{signer}, "v1")
	identity := ready("alice")
	past.Recorded(report.Event{Type: "Normal", Reason: "Renewed"})
	past.Recorded(report.Event{Type: "Warning", Reason: v1alpha1.ReasonDenied})
	past.Written(identity, renewed(40*time.Minute), start.Add(40*time.Minute+time.Second))
	past.Written(identity, statusOf(failed(time.Minute, v1alpha1.ReasonDenied), with(condition(v1alpha1.ConditionCertificateIssued, true, v1alpha1.ReasonDenied))), start.Add(time.Minute))
	past.Written(identity, statusOf(completed(time.Second)), start.Add(time.Minute))
	for _, test := range []struct {
		name   string
		labels map[string]string
		want   float64
	}{
		{issuances.Name, map[string]string{labelResult: resultPublished, labelReason: causeDue, labelSigner: signer}, 1},
		{issuances.Name, map[string]string{labelResult: resultFailed, labelReason: v1alpha1.ReasonDenied, labelSigner: signer}, 1},
		{issuances.Name, map[string]string{labelResult: resultFailed, labelReason: v1alpha1.ReasonNotAccepted, labelSigner: signer}, 0},
		{issuanceDuration.Name, map[string]string{labelSigner: signer}, 1},
		{renewalDelay.Name, map[string]string{labelSigner: signer}, 1},
		{revocations.Name, map[string]string{labelResult: resultComplete, labelReason: v1alpha1.ReasonRevoked}, 1},
		{events.Name, map[string]string{labelType: "Normal", labelReason: "Renewed"}, 1},
		{events.Name, map[string]string{labelType: "Warning", labelReason: v1alpha1.ReasonDenied}, 1},
	} {
		if got := valueOf(t, past, test.name, test.labels); got != test.want {
			t.Errorf("%s%v is %v, want %v", test.name, test.labels, got, test.want)
		}
	}
}

func TestSignersThatTenantsMakeUpAreOne(t *testing.T) {
	past := NewPast(Signers{signer}, "v1")
	for _, name := range []string{"made.up/a", "made.up/b"} {
		identity := ready("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.SignerName = name })
		past.Written(identity, statusOf(failed(time.Minute, v1alpha1.ReasonRequestRejected)), start.Add(time.Minute))
	}
	if got := valueOf(t, past, issuances.Name, map[string]string{labelSigner: otherSigner, labelReason: v1alpha1.ReasonRequestRejected}); got != 2 {
		t.Errorf("counted %v times", got)
	}
}

func TestCertificatesOfDevicesAreCountedAndNeverLate(t *testing.T) {
	past := NewPast(Signers{signer}, "v1")
	listed := func(revisions ...int64) *v1alpha1.ClientIdentity {
		return ready("alice", func(id *v1alpha1.ClientIdentity) {
			id.Spec.PrivateKey.Source = v1alpha1.SourceHolder
			for _, revision := range revisions {
				id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{Device: "laptop", Fingerprint: fmt.Sprint(revision), Revision: revision})
				id.Status.Devices = []v1alpha1.Device{{Name: "laptop", Revision: revision, EnrolledRevision: revisions[0]}}
			}
			id.Status.Certificate = issued(fmt.Sprint(len(revisions)), 0)
		})
	}
	past.Written(listed(), &listed(1).Status, start.Add(time.Minute))
	past.Written(listed(1), &listed(1, 2).Status, start.Add(72*time.Hour))
	for cause, want := range map[string]float64{causeEnrolled: 1, causeRenewed: 1, causeDue: 0, causeExpired: 0, causeChanged: 0, causeFirst: 0} {
		if got := valueOf(t, past, issuances.Name, map[string]string{labelResult: resultPublished, labelReason: cause, labelSigner: signer}); got != want {
			t.Errorf("%s: %v, want %v", cause, got, want)
		}
	}
	if got := valueOf(t, past, renewalDelay.Name, map[string]string{labelSigner: signer}); got != 0 {
		t.Errorf("%v renewals were late", got)
	}
}
