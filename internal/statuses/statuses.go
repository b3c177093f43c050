// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package statuses ends a pass over an identity: it writes the status that the pass reports, once and only on change, records
// events about what changed, and says when to look again. It remembers statuses that could not be written. It writes nothing
// else of an identity, and no dependent.
package statuses

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
	"github.com/clientidentity/operator/internal/timing"
)

// Events about cluster-scoped objects live in the namespace default.
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,namespace=default,verbs=create;patch

const (
	// soon is when to look again where the cache was behind.
	soon = time.Second
	// finishTimeout bounds a write that is not cut off, by an operator that is being stopped or by a pass whose time is up.
	finishTimeout = 10 * time.Second

	// eventBurst and eventsPerSecond bound the events that tell of what is as it should be: of so many at once each has one, and
	// then so many a second. An event costs the API server as much as a seventh of an issuance, and nobody reads ten thousand.
	eventBurst, eventsPerSecond = 100, 10
)

// Writer writes what passes report.
type Writer struct {
	client    client.Client
	live      client.Reader
	events    events.EventRecorder
	metrics   Metrics
	unwritten unwritten
	// normal bounds events of type Normal.
	normal *rate.Limiter
}

// Metrics is told of each status that was written in place of the one that the identity has, and of the time of the pass.
type Metrics interface {
	Written(identity *v1alpha1.ClientIdentity, after *v1alpha1.ClientIdentityStatus, now time.Time)
	// Recorded is told of each event, also of those that the API server is not told of.
	Recorded(event report.Event)
}

// NewWriter returns a Writer that patches statuses with one client, reads identities past the caches with another, records
// events, and tells the metrics; nil counts nothing.
func NewWriter(patches client.Client, live client.Reader, recorder events.EventRecorder, metrics Metrics) *Writer {
	return &Writer{client: patches, live: live, events: recorder, metrics: metrics, normal: rate.NewLimiter(eventsPerSecond, eventBurst)}
}

// Known returns what is known of an identity: its status, or the one that could not be written yet. It is not shared.
func (s *Writer) Known(identity *v1alpha1.ClientIdentity) v1alpha1.ClientIdentityStatus {
	return s.unwritten.statusOf(identity)
}

// Forget drops what is remembered of the identity of that name.
func (s *Writer) Forget(name string) { s.unwritten.forget(name) }

// Conclusion is what a pass ends with, besides the status.
type Conclusion struct {
	// Now is when the pass began.
	Now time.Time
	// Stale says that a cache was behind.
	Stale bool
	// Next are the times to look again at the latest; zero ones count for nothing.
	Next []time.Time
	// Errs are what stands in the way: problems, errors that nothing more is known of, or nil.
	Errs []error
	// Events are about what no status tells.
	Events []report.Event
}

// Conclude writes the status and says when to look again.
func (s *Writer) Conclude(ctx context.Context, identity *v1alpha1.ClientIdentity, after v1alpha1.ClientIdentityStatus, c Conclusion) (reconcile.Result, error) {
	for _, e := range c.Events {
		s.record(identity, e, true)
	}
	err := s.write(ctx, identity, &after, c.Now)
	if err != nil && !errors.Is(err, problem.ErrStale) {
		return reconcile.Result{}, err
	}
	next := c.Next
	if err != nil || c.Stale || Interrupted(ctx) {
		next = append(next[:len(next):len(next)], c.Now.Add(soon))
	}
	return result(identity, c.Now, next, c.Errs)
}

// Interrupted says whether the operator is being stopped: what failed for that tells nothing of the identity.
func Interrupted(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// result says when to look again. Errors that are no problems of a known kind go back to the queue.
func result(identity *v1alpha1.ClientIdentity, now time.Time, times []time.Time, errs []error) (reconcile.Result, error) {
	var unknown []error
	next := timing.Earliest(now, times...)
	for _, err := range errs {
		// One that is in the way of everything comes twice. Errors need not be comparable; their texts are.
		if err == nil || slices.ContainsFunc(unknown, func(known error) bool { return known.Error() == err.Error() }) {
			continue
		}
		if known := problem.As(err); known == nil {
			unknown = append(unknown, err)
		} else if known.Retry > 0 {
			// A tenth of jitter, by identity, so that many that wait for the same do not look at once.
			next = timing.Earliest(now, next, now.Add(known.Retry+timing.Jitter(string(identity.UID), known.Retry/10)))
		}
	}
	if err := errors.Join(unknown...); err != nil {
		return reconcile.Result{}, err
	}
	if next.IsZero() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(next.Sub(now), 100*time.Millisecond)}, nil
}

// write patches the status where it changed. It fails with ErrStale where somebody else has written another one meanwhile: what
// was published is remembered all the same.
func (s *Writer) write(ctx context.Context, identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, now time.Time) error {
	status.LastUsed = identity.Status.LastUsed // usage writes it, also while what is computed here waits to be written
	if equality.Semantic.DeepEqual(&identity.Status, status) {
		s.unwritten.forget(identity.Name)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	err := s.patch(ctx, identity, status)
	switch {
	case apierrors.IsNotFound(err) || (apierrors.IsConflict(err) && identity.DeletionTimestamp != nil):
		s.unwritten.forget(identity.Name)
		return nil
	case identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder && err != nil:
		// Nothing of it is known here alone: requests tell it again, and who entitled whom is judged by what the API server has.
		s.unwritten.forget(identity.Name)
		return err
	case errors.Is(err, problem.ErrStale) && !publishes(&identity.Status, status):
		s.unwritten.forget(identity.Name)
		return err
	case err != nil:
		s.unwritten.keep(identity, status)
		return fmt.Errorf("write the status: %w", err)
	}
	s.unwritten.forget(identity.Name)
	if s.metrics != nil {
		s.metrics.Written(identity, status, now)
	}
	for _, e := range report.Events(identity, status) {
		s.record(identity, e, e.Type != corev1.EventTypeNormal || s.normal.AllowN(now, 1))
	}
	return nil
}

// record tells the metrics of an event and, where told is set, the API server: the status says the same, except for what comes
// with a Conclusion.
func (s *Writer) record(identity *v1alpha1.ClientIdentity, e report.Event, told bool) {
	if told {
		s.events.Eventf(identity, nil, e.Type, e.Reason, e.Action, "%s", e.Note)
	}
	if s.metrics != nil {
		s.metrics.Recorded(e)
	}
}

// publishes says whether a status tells of another certificate than the one before.
func publishes(before, after *v1alpha1.ClientIdentityStatus) bool {
	return after.Certificate != nil && (before.Certificate == nil || before.Certificate.Fingerprint != after.Certificate.Fingerprint)
}

// patch patches the status of the identity that was seen: the patch names UID and resourceVersion. A change of the spec that was
// made meanwhile does not keep us from remembering what was done. Another status does, and patch fails with ErrStale: an
// operator that stood still, and lost its lease, would write over what its successor knows.
func (s *Writer) patch(ctx context.Context, identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus) error {
	before := &v1alpha1.ClientIdentity{Status: identity.Status}
	after := &v1alpha1.ClientIdentity{Status: *status}
	after.UID, after.ResourceVersion = identity.UID, identity.ResourceVersion
	for {
		patch, err := client.MergeFrom(before).Data(after)
		if err != nil {
			return fmt.Errorf("compute the status: %w", err)
		}
		target := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: identity.Name}}
		conflict := s.client.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, patch))
		if !apierrors.IsConflict(conflict) {
			return conflict
		}
		live := &v1alpha1.ClientIdentity{}
		if err := s.live.Get(ctx, client.ObjectKeyFromObject(identity), live); err != nil {
			return err
		}
		live.Status.LastUsed = identity.Status.LastUsed // usage's, in which nobody is overtaken
		switch {
		case live.UID != identity.UID || live.ResourceVersion == after.ResourceVersion:
			return conflict // admission says so, too
		case !equality.Semantic.DeepEqual(&live.Status, &identity.Status):
			return problem.ErrStale
		}
		after.ResourceVersion = live.ResourceVersion
	}
}
