// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/report"
)

// everything returns a registry in which each metric has a value.
func everything(t *testing.T) *prometheus.Registry {
	t.Helper()
	busy := ready("alice", func(id *v1alpha1.ClientIdentity) {
		id.Spec.AccessUntil = at(24 * time.Hour)
		id.Status.Devices = []v1alpha1.Device{{Name: "laptop", State: v1alpha1.DeviceActive, NotAfter: at(time.Hour)}}
		id.Status.LastUsed = &v1alpha1.LastUsed{CertificateUse: v1alpha1.CertificateUse{Time: *at(0)}}
		id.Status.Issuance = &v1alpha1.IssuanceStatus{CertificateSigningRequest: "alice-1", FailedAttempts: 1, LastFailureReason: v1alpha1.ReasonUnavailable}
	})
	cached := &caches{identities: []*v1alpha1.ClientIdentity{busy}}
	cached.request("alice-1", signer, 0)
	past := NewPast(Signers{signer}, "v1.2.3")
	past.Written(ready("alice", without), &ready("alice").Status, start.Add(time.Minute))
	past.Recorded(report.Event{Type: "Normal", Reason: "Issued"})
	past.Reaches(v1alpha1.ReachAPIServer)
	return registryOf(t, presentAfter(cached, time.Minute), past)
}

func TestEachMetricIsInTheReferenceAsItIs(t *testing.T) {
	families, err := everything(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	exposed := map[string]bool{}
	for _, family := range families {
		exposed[family.GetName()] = true
		i := slices.IndexFunc(Reference(), func(m Metric) bool { return m.Name == family.GetName() })
		if i < 0 {
			t.Errorf("%s is exposed and not in the reference", family.GetName())
			continue
		}
		metric := Reference()[i]
		if got := strings.ToLower(family.GetType().String()); got != string(metric.Type) {
			t.Errorf("%s is a %s, and a %s in the reference", metric.Name, got, metric.Type)
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		if want := slices.Sorted(slices.Values(metric.Labels)); !slices.Equal(labels, want) {
			t.Errorf("%s has the labels %v, and %v in the reference", metric.Name, labels, want)
		}
	}
	for _, metric := range Reference() {
		if !exposed[metric.Name] {
			t.Errorf("%s is in the reference, and this test has no value of it", metric.Name)
		}
		if !strings.HasPrefix(metric.Name, "clientidentity_") || !strings.HasSuffix(metric.Help, ".") {
			t.Errorf("%s: a name begins with clientidentity_, a help ends with a period", metric.Name)
		}
	}
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	families, err := everything(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

func TestTheLastOperatorOfAProcessIsTheOneThatIsScraped(t *testing.T) {
	registry := prometheus.NewRegistry()
	for _, name := range []string{"alice", "bob"} {
		present := presentAfter(&caches{identities: []*v1alpha1.ClientIdentity{ready(name)}}, 0)
		if err := Register(registry, NewPast(Signers{signer}, "v1"), present); err != nil {
			t.Fatal(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == identityState.Name && (len(family.GetMetric()) != 1 || family.GetMetric()[0].GetLabel()[0].GetValue() != name) {
				t.Errorf("got %s, want %s", family, name)
			}
		}
	}
}

func TestDecisionsAreCounted(t *testing.T) {
	answer := func(code int32) admission.Response {
		return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: code == http.StatusOK, Result: &metav1.Status{Code: code}}}
	}
	tests := map[string]admission.Response{
		decisionAllowed:    answer(http.StatusOK),
		decisionDenied:     admission.Denied("no right to impersonate"),
		decisionInvalid:    answer(http.StatusBadRequest),
		decisionUnanswered: answer(http.StatusGatewayTimeout),
	}
	past := NewPast(nil, "v1")
	for want, response := range tests {
		handler := past.Counting(admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return response }))
		if got := handler.Handle(t.Context(), admission.Request{}); got.Allowed != response.Allowed {
			t.Errorf("%s: the answer is changed", want)
		}
		if got := valueOf(t, past, admissionDecisions.Name, map[string]string{labelResult: want}); got != 1 {
			t.Errorf("%s: counted %v times", want, got)
		}
	}
	if got := decisionOf(answer(http.StatusServiceUnavailable)); got != decisionUnanswered {
		t.Errorf("got %s", got)
	}
	if got := decisionOf(admission.Response{}); got != decisionInvalid {
		t.Errorf("got %s", got)
	}
}
