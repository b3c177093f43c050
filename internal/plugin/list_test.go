// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func fleet() []v1alpha1.ClientIdentity {
	return []v1alpha1.ClientIdentity{
		identity("zoe"),
		identity("expired", func(id *v1alpha1.ClientIdentity) { id.Status.Certificate.NotAfter = in(-time.Hour) },
			condition(v1alpha1.ObservedWaiting, v1alpha1.ConditionCertificateIssued, metav1.ConditionFalse, v1alpha1.ReasonExpired, "It has ended.")),
		identity("soon", func(id *v1alpha1.ClientIdentity) {
			id.Status.Certificate.NotAfter, id.Status.Certificate.Issuer = in(29*day), "CN=old-ca"
		}),
		identity("gone", func(id *v1alpha1.ClientIdentity) { id.Status.State = v1alpha1.ObservedWithdrawn }),
		identity("risky", condition(v1alpha1.ObservedAtRisk, v1alpha1.ConditionCertificateIssued, metav1.ConditionTrue, v1alpha1.ReasonDenied, "Somebody denied it.")),
		identity("held", heldOn(onDevice("laptop", 20*time.Hour, 12*time.Hour, v1alpha1.DeviceActive),
			onDevice("stolen", time.Minute, time.Second, v1alpha1.DeviceSuspended), onDevice("old", -time.Hour, -2*time.Hour, v1alpha1.DeviceRevoked))),
		identity("nobody", heldOn()),
	}
}

func TestListShowsWhatIsAskedFor(t *testing.T) {
	for name, test := range map[string]struct {
		which selection
		want  string
	}{
		"all by name":                 {selection{}, "expired gone held nobody risky soon zoe"},
		"what ends, the first first":  {selection{expiring: Days(30 * day)}, "expired held soon"},
		"what ends, of a CA":          {selection{expiring: Days(30 * day), issuer: "old-ca"}, "soon"},
		"not ready":                   {selection{notReady: true}, "expired risky"},
		"of a CA":                     {selection{issuer: "CN=kubernetes"}, "expired gone held risky soon zoe"},
		"of a CA that there is not":   {selection{issuer: "CN=nobody"}, ""},
		"an end that is far away":     {selection{expiring: Days(365 * day)}, "expired held soon risky zoe"},
		"an end that is a device's":   {selection{expiring: Days(21 * time.Hour)}, "expired held"},
		"one that no active one has":  {selection{expiring: Days(time.Hour)}, "expired"},
		"nothing that is all of this": {selection{expiring: Days(time.Hour), issuer: "old-ca", notReady: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, id := range test.which.of(fleet(), now) {
				names = append(names, id.Name)
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestListPrintsATable(t *testing.T) {
	var out bytes.Buffer
	printList(NewPrinter(&out), selection{}.of(fleet(), now)[:5], false, now)
	const want = `NAME      USER                  STATE       KEY          EXPIRES   RENEWS   AGE
expired   expired@example.com   Waiting     Operator     60m ago   in 58d   2d
gone      gone@example.com      Withdrawn   Operator     -         -        2d
held      held@example.com      Ready       Holder 1/5   in 20h    in 12h   2d
nobody    nobody@example.com    Ready       Holder 0/5   -         -        2d
risky     risky@example.com     AtRisk      Operator     in 88d    in 58d   2d
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
	out.Reset()
	printList(NewPrinter(&out), []v1alpha1.ClientIdentity{identity("zoe")}, true, now)
	if !strings.Contains(out.String(), "client-identities/zoe-kubeconfig   CN=kubernetes   Issued") {
		t.Errorf("the wide table lacks something:\n%s", out.String())
	}
}

func TestDaysAreDurationsToo(t *testing.T) {
	for given, want := range map[string]time.Duration{
		"30d": 30 * day, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute, "0d": 0,
		"-1d": -1, "d": -1, "1.5d": -1, "": -1, "30": -1, "40000d": -1, "1d-2h": -1, "tomorrow": -1,
	} {
		var d Days
		switch err := d.Set(given); {
		case want < 0 && err == nil:
			t.Errorf("%q was taken for %s", given, time.Duration(d))
		case want >= 0 && (err != nil || time.Duration(d) != want):
			t.Errorf("%q is %s, %v", given, time.Duration(d), err)
		}
	}
}
