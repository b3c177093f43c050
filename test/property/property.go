// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package property tests one property of revocations, whatever happens: once the status says that a revocation is complete,
// no certificate from before has any right that the identity ever granted, nor can it read anything that gives one. And
// at no time does a revoked copy read a kubeconfig that is newer than its revocation.
//
// It draws identities, revocations and faults at random: writes of the operator that are refused, slow, or made and not
// answered; an operator that is killed at a write; bindings that lose their labels or are held by finalizers; a signer that
// is away. It keeps every kubeconfig that was ever published, and tries each on the real API server.
package property

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/operator"
)

const (
	// slots is how many identities there are at a time.
	slots = 5
	// faultTime is how long things break in a round.
	faultTime = 6 * time.Second
	// settleTime bounds how long everything may take to be well again once nothing breaks any more.
	settleTime = 3 * time.Minute
)

// Options say what to run. No other operator may run on the control plane.
type Options struct {
	ControlPlane *controlplane.ControlPlane
	// Seed draws everything that is drawn, so that a run can be repeated as far as the scheduling lets it.
	Seed uint64
	// Duration is how long rounds begin.
	Duration time.Duration
	// Log says what was done, once per round.
	Log func(format string, args ...any)
}

// run is a run.
type run struct {
	Options
	admin     client.Client
	process   *process
	admission *faults.Admission
	slots     []*slot
	world     *rand.Rand

	mu     sync.Mutex
	counts map[string]int
}

// Run draws and checks until the time is over. It returns what it did, by kind, and the first violation.
func Run(ctx context.Context, options Options) (counts string, err error) {
	r := &run{Options: options, counts: map[string]int{}, world: draw(options.Seed, 0)}
	r.Log("property: %d identities at a time for %s, seed %d", slots, r.Duration, r.Seed)
	if r.admin, err = client.New(r.ControlPlane.Config(), client.Options{Scheme: manager.Scheme()}); err != nil {
		return "", err
	}
	connection, err := operator.Connection(ctx, r.ControlPlane)
	if err != nil {
		return "", err
	}
	if err := r.furnish(ctx); err != nil {
		return "", err
	}
	r.process = &process{connection: connection}
	if err := r.process.start(ctx); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.process.stop()) }()
	end, err := r.interpose(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, end()) }()
	for i := range slots {
		r.slots = append(r.slots, &slot{run: r, number: i, random: draw(r.Seed, uint64(i)+1)})
	}
	if err := r.rounds(ctx); err != nil {
		return r.String(), fmt.Errorf("seed %d: %w", r.Seed, err)
	}
	return r.String(), nil
}

// draw returns a source of choices that can be repeated; nothing secret comes from it.
func draw(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// rounds breaks things, lets them heal, and checks, again and again.
func (r *run) rounds(ctx context.Context) error {
	for end := time.Now().Add(r.Duration); time.Now().Before(end); {
		if err := r.each(ctx, (*slot).begin); err != nil {
			return err
		}
		if err := r.disturb(ctx); err != nil {
			return err
		}
		if err := r.each(ctx, (*slot).settle); err != nil {
			return err
		}
		r.count("rounds")
		r.Log("property: %s left; %s", time.Until(end).Round(time.Second), r)
	}
	return r.each(ctx, (*slot).retire)
}

// each does something with all identities at the same time.
func (r *run) each(ctx context.Context, do func(*slot, context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range r.slots {
		group.Go(func() error {
			if err := do(s, ctx); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// disturb lets the identities be changed and revoked while things break, and mends what it broke.
func (r *run) disturb(ctx context.Context) error {
	faulty, cancel := context.WithTimeout(ctx, faultTime)
	defer cancel()
	broken := make(chan error, 1)
	go func() { broken <- r.breakThings(faulty) }()
	err := r.each(ctx, func(s *slot, ctx context.Context) error { return s.live(ctx, faulty.Done()) })
	cancel()
	return errors.Join(err, <-broken, r.mend(ctx))
}

// count counts something that was done.
func (r *run) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}

// String says what was done so far.
func (r *run) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for _, what := range slices.Sorted(maps.Keys(r.counts)) {
		texts = append(texts, fmt.Sprintf("%s: %d", what, r.counts[what]))
	}
	return strings.Join(texts, ", ")
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
