// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/docs"
)

func TestEachReasonOfTheGuideHasAdvice(t *testing.T) {
	for reason, what := range troubleshooting() {
		if strings.ContainsAny(what, "`[") || what == "" {
			t.Errorf("%s: %q", reason, what)
		}
	}
	// The guide has all reasons: internal/docs checks that.
	rows := regexp.MustCompile("(?m)^\\| `[A-Z][A-Za-z]+` \\|").FindAllString(docs.Troubleshooting, -1)
	slices.Sort(rows)
	rows = slices.Compact(rows)
	if len(rows) == 0 || len(troubleshooting()) != len(rows) {
		t.Errorf("%d reasons were read from %d rows of the guide: have its tables changed?", len(troubleshooting()), len(rows))
	}
	if text, needed := advice(v1alpha1.ReasonSecretConflict); !needed || text != "Delete it, or choose another secret.name." {
		t.Errorf("got %q, %v", text, needed)
	}
	if _, needed := advice(v1alpha1.ReasonIssued); needed {
		t.Error("something is to be done about a certificate that is as asked for")
	}
}

func TestStatusTellsOfAnOperatorsKey(t *testing.T) {
	id := identity("alice", func(id *v1alpha1.ClientIdentity) {
		id.Status.BoundBindings = 2
		id.Spec.AccessUntil = in(70 * day)
		id.Spec.RoleBindings = []v1alpha1.RoleBinding{
			{Name: "dev", Namespace: "development", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "edit"}},
			{Name: "deploy", NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "a"}},
				RoleRef: v1alpha1.RoleRef{Kind: "Role", Name: "deployer"}, BindingWindow: v1alpha1.BindingWindow{ValidUntil: in(2 * time.Hour)}},
		}
		id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{Fingerprint: fingerprint('b'), NotAfter: in(day)})
	})
	const want = `alice   Ready

Wanted
  User           alice@example.com
  Groups         developers
  Key            ECDSA, made by the operator, a new one for each certificate
  Lifetime       90d, renewed when a third is left
  Bound to       the user name: certificates keep what it is granted until they end
  Access until   2027-02-04T15:00:00Z (in 70d)

Role bindings (2 in place)
  dev      ClusterRole edit   in namespace development
  deploy   Role deployer      in namespaces that match team=a   until 2026-11-26T17:00:00Z (in 120m)

Issued
  REVISION   EXPIRES   RENEWS   STANDING                FINGERPRINT
  1          in 88d    in 58d   published               aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  0          in 24h    -        replaced, still valid   bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
  Published in the Secret client-identities/alice-kubeconfig, with a kubeconfig for https://api.example.com:6443

Next
  in 120m   2026-11-26T17:00:00Z   the binding deploy ends
  in 58d    2027-01-23T15:00:00Z   the operator issues a new certificate, and publishes it
  in 70d    2027-02-04T15:00:00Z   access ends: the identity is withdrawn

In the way
  Nothing.
`
	if got := printed(&id); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestStatusTellsOfDevices(t *testing.T) {
	id := identity("alice", heldOn(
		onDevice("desktop", 20*time.Hour, -time.Hour, v1alpha1.DeviceActive),
		onDevice("laptop", 20*time.Hour, 12*time.Hour, v1alpha1.DeviceActive),
		onDevice("old", -time.Hour, -9*time.Hour, v1alpha1.DeviceActive),
		onDevice("stolen", 20*time.Hour, 12*time.Hour, v1alpha1.DeviceSuspended)),
		condition(v1alpha1.ObservedAtRisk, v1alpha1.ConditionCredentialReused, metav1.ConditionTrue, v1alpha1.ReasonDeviceSuspended, "device stolen"))
	id.Status.Devices[3].Message = "a certificate was renewed twice"
	got := printed(&id)
	for _, want := range []string{
		"ECDSA, made on each device (at most 5) and never seen by the operator",
		"  laptop    3          in 20h    in 12h   Active      dddd",
		"  desktop   3          in 20h    due      Active      dddd",
		"  old       3          60m ago   -        expired     dddd",
		"  stolen    3          in 20h    -        Suspended   dddd",
		"  due      2026-11-26T14:00:00Z   device desktop renews when it is used; its certificate ends in 20h\n  in 12h   2026-11-27T03:00:00Z   device laptop renews",
		"  device old   its certificate ended 60m ago: it was not used in time to renew\n  ->   If it is still wanted: kubectl clientidentity invite alice\n",
		"  device stolen   suspended: a certificate was renewed twice\n  ->   Somebody has a copy of its key.",
		"  ->   kubectl clientidentity revoke alice --device stolen\n  ->   kubectl clientidentity invite alice\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, v1alpha1.ReasonDeviceSuspended) {
		t.Errorf("the suspended device is told of twice:\n%s", got)
	}
}

func TestStatusSaysWhatIsInTheWayAndWhatToDo(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.ClientIdentity)
		want   []string
	}{
		"a Secret of somebody else": {
			condition(v1alpha1.ObservedStalled, v1alpha1.ConditionCertificateIssued, metav1.ConditionFalse, v1alpha1.ReasonSecretConflict, "secret exists"),
			[]string{"alice   Stalled", "  SecretConflict   secret exists\n  ->   Delete it, or choose another secret.name.\n"},
		},
		"nobody has enrolled": {
			condition(v1alpha1.ObservedReady, v1alpha1.ConditionCertificateIssued, metav1.ConditionFalse, v1alpha1.ReasonReadyToEnroll, "no device yet"),
			[]string{"  ReadyToEnroll   no device yet\n  ->   kubectl clientidentity invite alice\n"},
		},
		"a spec that nobody has looked at": {
			func(id *v1alpha1.ClientIdentity) { id.Generation = 7 },
			[]string{"  NotObserved   the operator has not looked at the newest spec yet: the status is about generation 1, and the spec has 7\n", "kubectl get pods"},
		},
		"a certificate that is valid, and a renewal that was denied": {
			condition(v1alpha1.ObservedAtRisk, v1alpha1.ConditionCertificateIssued, metav1.ConditionTrue, v1alpha1.ReasonDenied, "denied by bob"),
			[]string{"  Denied   denied by bob\n", "  ->   kubectl clientidentity renew alice\n"},
		},
		"a shorter lifetime, which is in nobody's way": {
			condition(v1alpha1.ObservedReady, v1alpha1.ConditionCertificateIssued, metav1.ConditionTrue, v1alpha1.ReasonTTLShortened, "shortened"),
			[]string{"In the way\n  Nothing.\n"},
		},
		"failures that are over for the conditions": {
			func(id *v1alpha1.ClientIdentity) {
				id.Status.Issuance = &v1alpha1.IssuanceStatus{FailedAttempts: 3, LastFailureTime: in(-5 * time.Minute), LastFailureReason: v1alpha1.ReasonUnavailable, LastFailureMessage: "no answer"}
			},
			[]string{"  Unavailable   3 attempts to issue failed, the last one 5m ago: no answer\n"},
		},
		"a withdrawn one": {
			func(id *v1alpha1.ClientIdentity) {
				id.Spec.State, id.Status.State, id.Status.OutstandingUntil = v1alpha1.StateWithdrawn, v1alpha1.ObservedWithdrawn, in(day)
				id.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionWithdrawn, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonWithdrawnByState}}
			},
			[]string{"withdrawn   aaaa", "  in 24h   2026-11-27T15:00:00Z   the last certificate that was issued for it ends\n", "In the way\n  Nothing.\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := identity("alice", test.change)
			got := printed(&id)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("it lacks %q:\n%s", want, got)
				}
			}
		})
	}
}

func printed(id *v1alpha1.ClientIdentity) string {
	var out bytes.Buffer
	printStatus(NewPrinter(&out), id, now)
	return out.String()
}
