// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Soak runs many short-lived identities for a while on a real control plane and breaks things at random: the API server,
// the operator, certificate requests, Secrets and bindings. At every sample each published credential must work, and at
// the end nothing may be left over. It prints its seed, what it injected and what it checked.
//
// With -property it revokes, instead, whatever breaks meanwhile: see package property.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/property"
)

type options struct {
	duration   time.Duration
	identities int
	seed       uint64
	manager    string
	property   bool
}

func main() {
	ctrl.SetLogger(logr.Discard())
	var o options
	flag.DurationVar(&o.duration, "duration", 10*time.Minute, "How long things are broken.")
	flag.IntVar(&o.identities, "identities", 100, "How many identities there are.")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "Seed of the random choices, to repeat a run.")
	flag.StringVar(&o.manager, "manager", "bin/manager", "The operator's binary.")
	flag.BoolVar(&o.property, "property", false, "Revoke whatever breaks meanwhile, and check that complete means complete.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	do := run
	if o.property {
		do = revoke
	}
	err := do(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAILED (repeat with -seed %d): %v\n", o.seed, err)
		os.Exit(1)
	}
}

// soak is a run.
type soak struct {
	options
	cp       *controlplane.ControlPlane
	admin    client.Client
	random   *rand.Rand
	operator *process
	// injected and checked count what was done, by kind.
	injected, checked map[string]int
}

func run(ctx context.Context, o options) (err error) {
	fmt.Printf("soak: %d identities with 10-minute certificates for %s, seed %d\n", o.identities, o.duration, o.seed)
	cp, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if err := operator.Install(ctx, cp); err != nil {
		return err
	}
	admin, err := client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
	if err != nil {
		return err
	}
	connection, err := operator.Connection(ctx, cp)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(cp.Dir(), "operator.kubeconfig")
	if err := operator.WriteKubeconfig(kubeconfig, connection); err != nil {
		return err
	}
	s := &soak{
		options: o, cp: cp, admin: admin,
		random:   rand.New(rand.NewPCG(o.seed, o.seed)), // choices that can be repeated, no keys
		operator: &process{binary: o.manager, kubeconfig: kubeconfig, log: filepath.Join(cp.Dir(), "operator.log")},
		injected: map[string]int{}, checked: map[string]int{},
	}
	if err := s.operator.start(); err != nil {
		return err
	}
	defer s.operator.kill()
	if err := s.soak(ctx); err != nil {
		return fmt.Errorf("%w\nthe end of the operator's log:\n%s", err, s.operator.tail())
	}
	fmt.Printf("injected: %v\nchecked:  %v\nPASSED\n", s.injected, s.checked)
	return nil
}

// revoke tests the property of revocations.
func revoke(ctx context.Context, o options) (err error) {
	cp, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if err := operator.Install(ctx, cp); err != nil {
		return err
	}
	done, err := property.Run(ctx, property.Options{
		ControlPlane: cp, Seed: o.seed, Duration: o.duration,
		Log: func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s\nPASSED\n", done)
	return nil
}

func (s *soak) soak(ctx context.Context) error {
	if err := s.createIdentities(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return fmt.Errorf("after the creation: %w", err)
	}
	fmt.Println("all identities are ready; breaking things")
	for end := time.Now().Add(s.duration); time.Now().Before(end); {
		for range 10 {
			if err := s.inject(ctx); err != nil {
				return err
			}
			if err := s.sample(ctx, false); err != nil {
				return err
			}
			if err := pause(ctx, time.Duration(s.random.IntN(1000))*time.Millisecond); err != nil {
				return err
			}
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
		fmt.Printf("%s left; injected so far: %v\n", time.Until(end).Round(time.Second), s.injected)
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.cleanUp(ctx)
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
