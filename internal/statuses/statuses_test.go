// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package statuses

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
)

var now = time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)

// api is an API server with alice in it, that counts the writes and may refuse them.
type api struct {
	client.Client
	recorder *events.FakeRecorder
	patches  []string
	refuse   error
}

func newAPI(t *testing.T) (*api, *v1alpha1.ClientIdentity) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "uid-of-alice", Generation: 1}}
	a := &api{recorder: events.NewFakeRecorder(10)}
	a.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(alice).WithStatusSubresource(alice).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			data, err := patch.Data(object)
			if err != nil || a.refuse != nil {
				return errors.Join(err, a.refuse)
			}
			a.patches = append(a.patches, string(data))
			return c.SubResource(name).Patch(ctx, object, patch, opts...)
		},
	}).Build()
	created := a.alice(t)
	return a, created
}

func (a *api) alice(t *testing.T) *v1alpha1.ClientIdentity {
	t.Helper()
	alice := &v1alpha1.ClientIdentity{}
	if err := a.Get(t.Context(), client.ObjectKey{Name: "alice"}, alice); err != nil {
		t.Fatal(err)
	}
	return alice
}

// ready is the status of one whose certificate was published.
func ready() v1alpha1.ClientIdentityStatus {
	published := &v1alpha1.CertificateStatus{SerialNumber: "a1", Fingerprint: "f1", NotAfter: &metav1.Time{Time: now.Add(time.Hour)}}
	secret := &v1alpha1.SecretReference{Namespace: "client-identities", Name: "alice-kubeconfig"}
	return v1alpha1.ClientIdentityStatus{ObservedGeneration: 1, Certificate: published, SecretRef: secret, Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.Time{Time: now},
	}}}
}

// counts is how many statuses the metrics were told of.
type counts int

func (c *counts) Written(*v1alpha1.ClientIdentity, *v1alpha1.ClientIdentityStatus, time.Time) { *c++ }

func (*counts) Recorded(report.Event) {}

// eventTypes counts events by their type.
type eventTypes map[string]int

func (t eventTypes) Eventf(_, _ runtime.Object, eventType, _, _, _ string, _ ...any) { t[eventType]++ }

func TestOfMassRenewalsEachWarningIsToldAndNotEachEventThatIsNone(t *testing.T) {
	told := eventTypes{}
	a, alice := newAPI(t)
	w := NewWriter(a, a.Client, told, nil)
	conclude := func(at time.Time, condition, reason string) {
		t.Helper()
		status := ready()
		status.Certificate.Fingerprint += reason
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionFalse, Reason: reason, LastTransitionTime: metav1.Time{Time: now},
		})
		if _, err := w.Conclude(t.Context(), alice, status, Conclusion{Now: at}); err != nil {
			t.Fatal(err)
		}
		alice = a.alice(t)
	}
	for i := range 3 * eventBurst {
		conclude(now, v1alpha1.ConditionAccessBound, fmt.Sprintf("Conflict%d", i))
	}
	if told[corev1.EventTypeNormal] != eventBurst || told[corev1.EventTypeWarning] != 3*eventBurst {
		t.Errorf("at once the API server was told %v, want %d normal events and every warning", told, eventBurst)
	}
	for i := range 3 * eventsPerSecond {
		conclude(now.Add(time.Second), v1alpha1.ConditionAccessBound, fmt.Sprintf("Later%d", i))
	}
	if told[corev1.EventTypeNormal] != eventBurst+eventsPerSecond {
		t.Errorf("a second later the API server was told %v, want %d normal events more", told, eventsPerSecond)
	}
}

func TestAStatusIsWrittenOnceAndOnlyOnChange(t *testing.T) {
	a, alice := newAPI(t)
	var counted counts
	w := NewWriter(a, a.Client, a.recorder, &counted)
	for range 3 {
		if _, err := w.Conclude(t.Context(), alice, ready(), Conclusion{Now: now}); err != nil {
			t.Fatal(err)
		}
		alice = a.alice(t)
	}
	if len(a.patches) != 1 || !strings.Contains(a.patches[0], `"uid":"uid-of-alice"`) || !strings.Contains(a.patches[0], "resourceVersion") {
		t.Errorf("the writes are %q, want one that names the UID and the resourceVersion", a.patches)
	}
	if len(a.recorder.Events) != 1 || counted != 1 {
		t.Errorf("%d events were recorded and %d changes counted, want one", len(a.recorder.Events), counted)
	}
}

func TestAStatusThatCouldNotBeWrittenIsKnown(t *testing.T) {
	a, alice := newAPI(t)
	var counted counts
	w := NewWriter(a, a.Client, a.recorder, &counted)
	a.refuse = errors.New("no")
	if _, err := w.Conclude(t.Context(), alice, ready(), Conclusion{Now: now}); err == nil {
		t.Fatal("the refusal is not told")
	}
	known := w.Known(alice)
	if known.ObservedGeneration != 1 || len(a.recorder.Events) > 0 || counted > 0 {
		t.Errorf("known is %+v, with %d events, %d counted: want what was to be written, and none", known, len(a.recorder.Events), counted)
	}
	again := alice.DeepCopy()
	again.UID = "uid-of-another"
	if other := w.Known(again); other.ObservedGeneration == 1 {
		t.Error("another identity of the name is taken for it")
	}
	a.refuse = nil
	if _, err := w.Conclude(t.Context(), alice, known, Conclusion{Now: now}); err != nil {
		t.Fatal(err)
	}
	if fresh := w.Known(alice); fresh.ObservedGeneration != alice.Status.ObservedGeneration {
		t.Error("it is remembered after it was written")
	}
}

func TestAChangeOfTheSpecMadeMeanwhileDoesNotKeepAStatusFromBeingWritten(t *testing.T) {
	a, alice := newAPI(t)
	changed := alice.DeepCopy()
	changed.Spec.Groups = []string{"team-a"}
	if err := a.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if _, err := NewWriter(a, a.Client, a.recorder, nil).Conclude(t.Context(), alice, ready(), Conclusion{Now: now}); err != nil {
		t.Fatal(err)
	}
	if got := a.alice(t); got.Status.Certificate == nil || len(got.Spec.Groups) != 1 {
		t.Errorf("got %+v", got)
	}
}

// An operator that stood still does not know what its successor wrote.
func TestAStatusThatSomebodyElseWroteStays(t *testing.T) {
	for name, test := range map[string]struct {
		status v1alpha1.ClientIdentityStatus
		kept   bool
	}{
		"where nothing was published":            {v1alpha1.ClientIdentityStatus{ObservedGeneration: 1}, false},
		"until what was published is remembered": {ready(), true},
	} {
		t.Run(name, func(t *testing.T) {
			a, alice := newAPI(t)
			other := alice.DeepCopy()
			other.Status.BoundBindings = 7
			if err := a.Status().Update(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			w := NewWriter(a, a.Client, a.recorder, nil)
			result, err := w.Conclude(t.Context(), alice, test.status, Conclusion{Now: now})
			got := a.alice(t)
			if got.Status.BoundBindings != 7 || got.Status.ObservedGeneration == 1 || len(a.recorder.Events) > 0 {
				t.Errorf("it was written over: %+v", got.Status)
			}
			if err != nil || result.RequeueAfter != soon {
				t.Errorf("got %+v, %v", result, err)
			}
			if known := w.Known(got); (known.Certificate != nil) != test.kept {
				t.Errorf("known is %+v", known)
			}
		})
	}
}

func TestWhatUsageWroteIsLeftAloneAndHoldsNothingUp(t *testing.T) {
	for name, behind := range map[string]bool{"in the cache already": false, "that the cache does not show yet": true} {
		t.Run(name, func(t *testing.T) {
			a, alice := newAPI(t)
			w := NewWriter(a, a.Client, a.recorder, nil)
			a.refuse = errors.New("no")
			if _, err := w.Conclude(t.Context(), alice, ready(), Conclusion{Now: now}); err == nil {
				t.Fatal("the refusal is not told")
			}
			a.refuse = nil
			used := alice.DeepCopy()
			used.Status.LastUsed = &v1alpha1.LastUsed{CertificateUse: v1alpha1.CertificateUse{Fingerprint: "f1", Time: metav1.Time{Time: now}}}
			if err := a.Client.Status().Update(t.Context(), used); err != nil {
				t.Fatal(err)
			}
			if !behind {
				alice = a.alice(t)
			}
			if result, err := w.Conclude(t.Context(), alice, w.Known(alice), Conclusion{Now: now}); err != nil || result.RequeueAfter != 0 {
				t.Errorf("got %+v, %v", result, err)
			}
			if got := a.alice(t).Status; got.LastUsed == nil || got.LastUsed.Fingerprint != "f1" || got.ObservedGeneration != 1 {
				t.Errorf("status: %+v", got)
			}
			if strings.Contains(strings.Join(a.patches, ""), "lastUsed") {
				t.Errorf("the writes are %q", a.patches)
			}
		})
	}
}

func TestWhenToLookAgain(t *testing.T) {
	waiting := func(retry time.Duration) error { return problem.NewWaiting("Reason", retry, "wait") }
	unknown := errors.New("unknown")
	for name, test := range map[string]struct {
		c    Conclusion
		want time.Duration
		// within is how much later it may be; err says that the queue decides.
		within time.Duration
		err    bool
	}{
		"never where nothing is due":              {c: Conclusion{Next: []time.Time{{}}, Errs: []error{nil, nil}}},
		"at the earliest time":                    {c: Conclusion{Next: []time.Time{now.Add(time.Hour), {}, now.Add(time.Minute)}}, want: time.Minute},
		"soon where a cache was behind":           {c: Conclusion{Stale: true, Next: []time.Time{now.Add(time.Minute)}}, want: soon},
		"not at once where something is due":      {c: Conclusion{Next: []time.Time{now.Add(time.Millisecond)}}, want: 100 * time.Millisecond},
		"after what a problem says, spread":       {c: Conclusion{Errs: []error{waiting(time.Minute)}}, want: time.Minute, within: 6 * time.Second},
		"never for a problem that a watch ends":   {c: Conclusion{Errs: []error{waiting(0)}}},
		"when the queue says for unknown errors":  {c: Conclusion{Errs: []error{unknown, unknown}, Next: []time.Time{now.Add(time.Minute)}}, err: true},
		"at what is due before a problem's retry": {c: Conclusion{Errs: []error{waiting(time.Hour)}, Next: []time.Time{now.Add(time.Minute)}}, want: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			a, alice := newAPI(t)
			test.c.Now = now
			result, err := NewWriter(a, a.Client, a.recorder, nil).Conclude(t.Context(), alice, alice.Status, test.c)
			if (err != nil) != test.err || result.RequeueAfter < test.want || result.RequeueAfter > test.want+test.within {
				t.Errorf("looks again after %v (%v), want %v", result.RequeueAfter, err, test.want)
			}
			if test.err && strings.Count(err.Error(), "unknown") != 1 {
				t.Errorf("an error that is in the way of two is told twice: %v", err)
			}
		})
	}
}

func TestAnOperatorThatStopsLooksAgain(t *testing.T) {
	a, alice := newAPI(t)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	result, err := NewWriter(a, a.Client, a.recorder, nil).Conclude(stopped, alice, ready(), Conclusion{Now: now})
	if err != nil || result.RequeueAfter != soon || len(a.patches) != 1 {
		t.Errorf("got %+v, %v with writes %q: what was done is to be written all the same", result, err, a.patches)
	}
}
