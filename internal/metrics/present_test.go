// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// exposed returns the samples of a collector, without comments.
func exposed(t *testing.T, present *Present) []string {
	t.Helper()
	families, err := registryOf(t, present).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	var samples []string
	for line := range strings.SplitSeq(strings.TrimSpace(text.String()), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			samples = append(samples, strings.TrimPrefix(line, "clientidentity_"))
		}
	}
	return samples
}

func TestWhatIsNow(t *testing.T) {
	tests := map[string]struct {
		given *v1alpha1.ClientIdentity
		caches
		want string
	}{
		"of a ready identity": {
			given: ready("alice"),
			want: `bound_bindings{identity="alice"} 2
certificate_not_after_timestamp_seconds{identity="alice"} 1.79532024e+09
certificate_not_before_timestamp_seconds{identity="alice"} 1.79531634e+09
certificate_renewal_timestamp_seconds{identity="alice"} 1.79531904e+09
condition{condition="AccessBound",identity="alice",reason="Bound"} 1
condition{condition="CertificateIssued",identity="alice",reason="Issued"} 1
condition{condition="Ready",identity="alice",reason="Ready"} 1
issuer_certificates{authority_key_id="0a",issuer="CN=kubernetes"} 1
state{identity="alice",state="Ready"} 1`,
		},
		"of one whose holders make the keys": {
			given: ready("alice", func(id *v1alpha1.ClientIdentity) {
				id.Spec.PrivateKey.Source = v1alpha1.SourceHolder
				id.Status.Devices = []v1alpha1.Device{{Name: "laptop", State: v1alpha1.DeviceActive, NotAfter: at(time.Hour)}, {Name: "phone", State: v1alpha1.DeviceSuspended}}
			}, with(condition(v1alpha1.ConditionCredentialReused, true, v1alpha1.ReasonDeviceSuspended))),
			want: `bound_bindings{identity="alice"} 2
condition{condition="AccessBound",identity="alice",reason="Bound"} 1
condition{condition="CertificateIssued",identity="alice",reason="Issued"} 1
condition{condition="CredentialReused",identity="alice",reason="DeviceSuspended"} 1
condition{condition="Ready",identity="alice",reason="Ready"} 1
device_certificate_not_after_timestamp_seconds{device="laptop",identity="alice"} 1.79532024e+09
device_state{device="laptop",identity="alice",state="Active"} 1
device_state{device="phone",identity="alice",state="Suspended"} 1
state{identity="alice",state="AtRisk"} 1`,
		},
		"of one that is used, and was not for long": {
			given: ready("alice", without, with(condition(v1alpha1.ConditionDormant, true, v1alpha1.ReasonUnused)), func(id *v1alpha1.ClientIdentity) {
				id.Status.LastUsed = &v1alpha1.LastUsed{CertificateUse: v1alpha1.CertificateUse{Time: *at(time.Hour)}}
			}),
			want: `bound_bindings{identity="alice"} 0
condition{condition="Dormant",identity="alice",reason="Unused"} 1
last_used_timestamp_seconds{identity="alice"} 1.79532024e+09
state{identity="alice",state="Pending"} 1`,
		},
		"of one that nobody has looked at": {
			given: ready("alice", without, func(id *v1alpha1.ClientIdentity) { id.Status.ObservedGeneration = -1 }),
			want: `bound_bindings{identity="alice"} 0
state{identity="alice",state="Pending"} 1`,
		},
		"of one that is withdrawn": {
			given: ready("alice", without, func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn },
				with(condition(v1alpha1.ConditionWithdrawn, true, v1alpha1.ReasonWithdrawnByState))),
			want: `bound_bindings{identity="alice"} 0
condition{condition="Withdrawn",identity="alice",reason="StateWithdrawn"} 1
state{identity="alice",state="Withdrawn"} 1`,
		},
		"of one that cannot be bound, ends, and gains nothing by renewing": {
			given: ready("alice", with(condition(v1alpha1.ConditionReady, false, v1alpha1.ReasonBindingConflict), condition(v1alpha1.ConditionAccessBound, false, v1alpha1.ReasonBindingConflict)),
				func(id *v1alpha1.ClientIdentity) {
					id.Spec.AccessUntil, id.Status.Certificate.RenewalTime = at(2*time.Hour), nil
				}),
			want: `access_until_timestamp_seconds{identity="alice"} 1.79532384e+09
bound_bindings{identity="alice"} 2
certificate_not_after_timestamp_seconds{identity="alice"} 1.79532024e+09
certificate_not_before_timestamp_seconds{identity="alice"} 1.79531634e+09
condition{condition="AccessBound",identity="alice",reason="BindingConflict"} 0
condition{condition="CertificateIssued",identity="alice",reason="Issued"} 1
condition{condition="Ready",identity="alice",reason="BindingConflict"} 0
issuer_certificates{authority_key_id="0a",issuer="CN=kubernetes"} 1
state{identity="alice",state="Waiting"} 1`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.identities = append(test.identities, test.given)
			if got := strings.Join(exposed(t, presentAfter(&test.caches, time.Minute)), "\n"); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestRequestsThatWait(t *testing.T) {
	waiting := func(request string, attempts int32) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) {
			id.Status.Issuance = &v1alpha1.IssuanceStatus{CertificateSigningRequest: request, FailedAttempts: attempts, LastFailureReason: v1alpha1.ReasonUnavailable}
		}
	}
	cached := &caches{identities: []*v1alpha1.ClientIdentity{
		ready("alice", waiting("alice-1", 0)), ready("bob", waiting("bob-1", 3)), ready("carol", waiting("", 1)), ready("dave", waiting("dave-gone", 0)),
	}}
	cached.request("alice-1", signer, time.Minute)
	cached.request("bob-1", "made.up/by-a-tenant", 2*time.Minute)
	cached.request("mallory-1", signer, 0) // in our guise, but no status speaks of it
	want := `issuance_failed_attempts{identity="bob",reason="Unavailable"} 3
issuance_failed_attempts{identity="carol",reason="Unavailable"} 1
pending_request_timestamp_seconds{identity="alice",signer="kubernetes.io/kube-apiserver-client"} 1.7953167e+09
pending_request_timestamp_seconds{identity="bob",signer="other"} 1.79531676e+09`
	var got []string
	for _, sample := range exposed(t, presentAfter(cached, time.Hour)) {
		if strings.HasPrefix(sample, "issuance_") || strings.HasPrefix(sample, "pending_") {
			got = append(got, sample)
		}
	}
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestStates(t *testing.T) {
	withdrawn := with(condition(v1alpha1.ConditionWithdrawn, true, v1alpha1.ReasonWithdrawnByState))
	tests := map[string]struct {
		given *v1alpha1.ClientIdentity
		after time.Duration
		want  v1alpha1.ObservedState
	}{
		"ready":                              {ready("a"), 0, v1alpha1.ObservedReady},
		"pending while not ready":            {ready("a", with(condition(v1alpha1.ConditionReady, false, v1alpha1.ReasonPending))), 0, v1alpha1.ObservedPending},
		"pending after a change":             {ready("a", func(id *v1alpha1.ClientIdentity) { id.Generation++ }), 0, v1alpha1.ObservedPending},
		"stalled although ready":             {ready("a", with(condition(v1alpha1.ConditionStalled, true, v1alpha1.ReasonDenied))), 0, v1alpha1.ObservedStalled},
		"at risk":                            {ready("a", with(condition(v1alpha1.ConditionCertificateIssued, true, v1alpha1.ReasonUnavailable))), 0, v1alpha1.ObservedAtRisk},
		"withdrawing when asked to":          {ready("a", func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }), 0, v1alpha1.ObservedWithdrawing},
		"withdrawn when deleted":             {ready("a", func(id *v1alpha1.ClientIdentity) { id.DeletionTimestamp = at(0) }, withdrawn), 0, v1alpha1.ObservedWithdrawn},
		"ready before its end":               {ready("a", func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = at(time.Hour) }), time.Minute, v1alpha1.ObservedReady},
		"withdrawing at its end":             {ready("a", func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = at(time.Hour) }), time.Hour, v1alpha1.ObservedWithdrawing},
		"withdrawn":                          {ready("a", func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }, withdrawn), 0, v1alpha1.ObservedWithdrawn},
		"withdrawing while that is not said": {ready("a", func(id *v1alpha1.ClientIdentity) { id.Spec.State, id.Generation = v1alpha1.StateWithdrawn, 4 }, withdrawn), 0, v1alpha1.ObservedWithdrawing},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := stateOf(test.given, start.Add(test.after)); got != string(test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestOthersCannotBlowUpTheLabels(t *testing.T) {
	identity := ready("alice")
	for i := range 16 {
		identity.Status.Conditions = append(identity.Status.Conditions, condition("Planted"+string(rune('A'+i)), true, "Planted"))
	}
	samples := strings.Join(exposed(t, presentAfter(&caches{identities: []*v1alpha1.ClientIdentity{identity}}, 0)), "\n")
	if strings.Contains(samples, "Planted") {
		t.Errorf("conditions of others are told of:\n%s", samples)
	}
	if strings.Contains(samples, "example.com") {
		t.Errorf("a user name is told of:\n%s", samples)
	}
}

func TestNothingOfADeletedIdentityStays(t *testing.T) {
	cached := &caches{identities: []*v1alpha1.ClientIdentity{ready("alice"), ready("bob")}}
	present, past := presentAfter(cached, time.Minute), NewPast(Signers{signer}, "v1")
	registry := registryOf(t, present, past)
	past.Written(ready("alice", without), &ready("alice").Status, start.Add(time.Minute))
	named := func() bool {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if regexp.MustCompile(`"alice`).MatchString(family.String()) {
				return true
			}
		}
		return false
	}
	if !named() {
		t.Fatal("nothing is told of alice while she is there")
	}
	cached.identities = cached.identities[1:]
	if named() {
		t.Error("alice is told of after she was deleted")
	}
}

func TestNothingIsToldBeforeTheCachesAreFilled(t *testing.T) {
	if samples := exposed(t, presentAfter(&caches{err: errors.New("not synced")}, 0)); len(samples) > 0 {
		t.Errorf("got %v", samples)
	}
}

func TestIssuersAreCounted(t *testing.T) {
	of := func(issuer, keyID string) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) {
			id.Status.Certificate.Issuer, id.Status.Certificate.AuthorityKeyID = issuer, keyID
		}
	}
	cached := &caches{identities: []*v1alpha1.ClientIdentity{
		ready("a", of("CN=ca", "01")), ready("b", of("CN=ca", "02")), ready("c", of("CN=ca", "02")), ready("d", of("CN=\xff", "")), ready("e", without),
	}}
	want := `issuer_certificates{authority_key_id="",issuer="CN=?"} 1
issuer_certificates{authority_key_id="01",issuer="CN=ca"} 1
issuer_certificates{authority_key_id="02",issuer="CN=ca"} 2`
	var got []string
	for _, sample := range exposed(t, presentAfter(cached, 0)) {
		if strings.HasPrefix(sample, "issuer_") {
			got = append(got, sample)
		}
	}
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}
