// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/internal/access"
)

// LeaseName is the name of the Lease, in the operator's namespace, that remembers since when audit events come.
const LeaseName = "client-identity-operator-audit"

// The right to create a Lease, which cannot be limited to a name, is the one of the leader election.
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=client-identity-operator-audit,namespace=client-identity-system,verbs=get;update

// Stream knows since when audit events tell of every use of a certificate. It hears of the proofs that the operator itself makes
// with certificates of identities, every ten minutes or so: each one that comes back says that the API server records requests
// with certificates, and that its posts arrive. Where none comes back for too long, what was observed before is worth nothing.
//
// A Lease remembers it for all replicas, and for the next process: acquireTime is since when, renewTime until when.
type Stream struct {
	client    client.Client
	namespace string
	clock     clock.PassiveClock
	// every is the time between two looks at the Lease, and silence how long no proof may come back.
	every, silence time.Duration

	mu sync.Mutex
	// known says that the Lease has been read, or is known not to be there.
	known bool
	// since and until are what it says.
	since, until time.Time
	// heard is when the last proof was made of which this process was told.
	heard time.Time
}

// heartbeat takes in that a proof came back.
func (s *Stream) heartbeat(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.After(s.heard) {
		s.heard = at
	}
}

// Observed returns since when uses are noticed.
func (s *Stream) Observed(now time.Time) access.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return access.Observation{Unknown: true}
	}
	if s.since.IsZero() || now.Sub(s.until) > s.silence {
		return access.Observation{}
	}
	return access.Observation{Since: s.since, Until: s.until}
}

// NeedLeaderElection says that it runs on every replica: each one may be told, and each one may come to decide.
func (*Stream) NeedLeaderElection() bool { return false }

// Start keeps the Lease until the context ends. It is a Runnable of the manager.
func (s *Stream) Start(ctx context.Context) error {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		if err := s.sync(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot keep since when audit events come; trying again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// sync reads the Lease, and writes it where this process was told of more.
func (s *Stream) sync(ctx context.Context) error {
	lease := &coordinationv1.Lease{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: LeaseName}, lease)
	exists := err == nil
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read Lease %s/%s: %w", s.namespace, LeaseName, err)
	}
	s.mu.Lock()
	heard := s.heard
	s.mu.Unlock()
	since, until := timesOf(lease)
	now := s.clock.Now()
	if until.After(now.Add(s.silence)) {
		since, until = time.Time{}, time.Time{} // of a clock that was ahead
	}
	if heard.After(until) {
		if since.IsZero() || heard.Sub(until) > s.silence {
			since = heard
		}
		until = heard
		if err := s.write(ctx, lease, exists, since, until); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.since, s.until = true, since, until
	return nil
}

// write writes the Lease, on top of what was read: of two replicas one is first, and the other one looks again.
func (s *Stream) write(ctx context.Context, lease *coordinationv1.Lease, exists bool, since, until time.Time) error {
	lease.Namespace, lease.Name = s.namespace, LeaseName
	lease.Spec.HolderIdentity = ptr.To("client-identity-operator")
	lease.Spec.AcquireTime, lease.Spec.RenewTime = &metav1.MicroTime{Time: since}, &metav1.MicroTime{Time: until}
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(s.silence.Seconds()))
	var err error
	if exists {
		err = s.client.Update(ctx, lease)
	} else {
		err = s.client.Create(ctx, lease)
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write Lease %s/%s: %w", s.namespace, LeaseName, err)
	}
	return nil
}

func timesOf(lease *coordinationv1.Lease) (since, until time.Time) {
	if lease.Spec.AcquireTime == nil || lease.Spec.RenewTime == nil {
		return time.Time{}, time.Time{}
	}
	return lease.Spec.AcquireTime.Time, lease.Spec.RenewTime.Time
}
