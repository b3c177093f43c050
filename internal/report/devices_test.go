// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// withDevices is alice a minute after the start, whose laptop has a certificate until one hour after it, and whose phone until two.
func withDevices(changes ...func(*Input)) Input {
	return input(append([]func(*Input){func(in *Input) {
		in.Identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder
		in.Credential = Credential{UpToDate: true}
		in.Enrolment.Ref = &v1alpha1.EnrolmentReference{Namespace: "client-identities", Name: "clientidentity-alice-enrolment", UID: "1"}
		in.Before.EnrolmentRef = in.Enrolment.Ref
		in.Before.Devices = []v1alpha1.Device{
			{Name: "laptop", State: v1alpha1.DeviceActive, Fingerprint: "f1", Revision: 1, EnrolledRevision: 1, NotAfter: at(time.Hour), RenewalTime: at(40 * time.Minute)},
			{Name: "phone", State: v1alpha1.DeviceActive, Fingerprint: "f2", Revision: 2, EnrolledRevision: 2, NotAfter: at(2 * time.Hour), RenewalTime: at(80 * time.Minute)},
		}
		in.Before.Certificates = []v1alpha1.IssuedCertificate{
			{Revision: 2, Fingerprint: "f2", SerialNumber: "b2", Device: "phone", NotAfter: at(2 * time.Hour)},
			{Revision: 1, Fingerprint: "f1", SerialNumber: "a1", Device: "laptop", NotAfter: at(time.Hour)},
		}
	}}, changes...)...)
}

func TestWhatIsSaidOfDevices(t *testing.T) {
	device := func(i int, change func(*v1alpha1.Device)) func(*Input) {
		return func(in *Input) { change(&in.Before.Devices[i]) }
	}
	suspend := func(d *v1alpha1.Device) { d.State, d.Message = v1alpha1.DeviceSuspended, "a copy" }
	devicesProblem := func(p *problem.Problem) func(*Input) {
		return func(in *Input) { in.Devices.Problem = p }
	}
	none := func(in *Input) { in.Before.Devices, in.Before.Certificates = nil, nil }
	for name, test := range map[string]struct {
		given                      Input
		issued, ready, certificate string // reasons; the serial number that the status tells of
		says                       string
		state                      v1alpha1.ObservedState
		next                       time.Duration
	}{
		"both are in order": {
			withDevices(), v1alpha1.ReasonIssued, v1alpha1.ReasonReady, "b2", "valid on 2 of 5 devices (laptop, phone), the last of them until 2026-11-22T05:04:00Z", v1alpha1.ObservedReady, time.Hour,
		},
		"one has ended": {
			withDevices(after(90 * time.Minute)), v1alpha1.ReasonIssued, v1alpha1.ReasonReady, "b2", "valid on 1 of 5 devices (phone)", v1alpha1.ObservedReady, 2 * time.Hour,
		},
		"all have ended": {
			withDevices(after(3 * time.Hour)), v1alpha1.ReasonReadyToEnroll, v1alpha1.ReasonReadyToEnroll, "", `the last one, of device "phone", ended at 2026-11-22T05:04:00Z`, v1alpha1.ObservedReady, 0,
		},
		"there is none": {
			withDevices(none), v1alpha1.ReasonReadyToEnroll, v1alpha1.ReasonReadyToEnroll, "", "No device has a valid certificate: invite one", v1alpha1.ObservedReady, 0,
		},
		"one is suspended": {
			withDevices(device(1, suspend)), v1alpha1.ReasonIssued, v1alpha1.ReasonReady, "a1", "valid on 1 of 5 devices (laptop)", v1alpha1.ObservedAtRisk, time.Hour,
		},
		"one waits for its signer": {
			withDevices(devicesProblem(problem.NewWaiting(v1alpha1.ReasonPending, 0, "it waits"))), v1alpha1.ReasonPending, v1alpha1.ReasonReady, "b2", "it waits", v1alpha1.ObservedReady, time.Hour,
		},
		"the signer failed for one": {
			withDevices(devicesProblem(problem.NewTransient(v1alpha1.ReasonSignerFailed, "no"))), v1alpha1.ReasonSignerFailed, v1alpha1.ReasonReady, "b2", "no", v1alpha1.ObservedAtRisk, time.Hour,
		},
		"nobody serves the signer": {
			withDevices(none, devicesProblem(problem.NewWaiting(v1alpha1.ReasonSignerNotServing, 0, "no"))), v1alpha1.ReasonSignerNotServing, v1alpha1.ReasonSignerNotServing, "", "no", v1alpha1.ObservedWaiting, 0,
		},
		"the operator may not ask the signer": {
			withDevices(devicesProblem(problem.NewStalled(v1alpha1.ReasonSignerNotAllowed, "no"))), v1alpha1.ReasonSignerNotAllowed, v1alpha1.ReasonReady, "b2", "no", v1alpha1.ObservedStalled, time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Compute(test.given)
			issued, ready := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionCertificateIssued), meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionReady)
			if issued.Reason != test.issued || ready.Reason != test.ready || !strings.Contains(issued.Message, test.says) || got.State != test.state {
				t.Errorf("%s (%s), %s, %s", issued.Reason, issued.Message, ready.Reason, got.State)
			}
			serial := ""
			if got.Certificate != nil {
				serial = got.Certificate.SerialNumber
			}
			if serial != test.certificate {
				t.Errorf("the status tells of certificate %q, want %q", serial, test.certificate)
			}
			want := time.Time{}
			if test.next > 0 {
				want = start.Add(test.next)
			}
			if next := NextChange(test.given.Identity, &got, test.given.Now); !next.Equal(want) {
				t.Errorf("changes at %v, want %v", next, want)
			}
			if suspended := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionCredentialReused); (suspended != nil) != (name == "one is suspended") {
				t.Errorf("%+v", suspended)
			}
		})
	}
}

func TestAWithdrawalKeepsWhatIsKnownOfDevices(t *testing.T) {
	given := withDevices(func(in *Input) { in.Before.Devices[0].State = v1alpha1.DeviceSuspended })
	given.Before = Compute(given)
	got := ComputeWithdrawn(Withdrawal{Identity: given.Identity, Before: given.Before, Now: given.Now, SecretGone: true, CredentialGone: true, Done: true})
	if len(got.Devices) != 2 || got.Devices[0].State != v1alpha1.DeviceSuspended || got.Certificate != nil || !got.Certificates[0].Withdrawn {
		t.Errorf("got %+v", got)
	}
	if c := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionCredentialReused); c != nil {
		t.Errorf("%+v", c)
	}
	again := given
	again.Before = got
	after := Compute(again)
	if c := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionCredentialReused); c == nil || c.Status != metav1.ConditionTrue || after.Certificate == nil {
		t.Errorf("active again: %+v, %+v", c, after.Certificate)
	}
}
