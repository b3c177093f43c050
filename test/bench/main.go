// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Bench measures how many identities a second the operator makes ready, as a ratio to a bare client that does the same
// reads and writes: CertificateSigningRequest, approval, proof, Secret, RoleBinding, status and event; and how long one alone
// takes, and a revocation. With -deny: what a request costs that the API server asks the operator about. With -plugin: what the exec plugin adds
// to a call of kubectl. Absolute numbers are the machine's; the ratio is the operator's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

func main() {
	ctrl.SetLogger(logr.Discard())
	identities := flag.Int("identities", 300, "How many identities are made ready in each run.")
	workers := flag.Int("workers", 16, "How many are worked on at a time, by either side.")
	rounds := flag.Int("rounds", 3, "How many runs of each side, in turn.")
	alone := flag.Int("alone", 20, "How many identities the latencies are measured with, one at a time; 0 measures none.")
	denies := flag.Bool("deny", false, "Measure instead what a request costs that the API server asks the operator about.")
	fleet := flag.Int("fleet", 10_000, "With -deny, how many identities there are in the second half.")
	calls := flag.Int("plugin", 0, "Measure instead what the exec plugin adds to that many calls of kubectl.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch {
	case *denies:
		err = deny(ctx, *workers, *rounds, *fleet)
	case *calls > 0:
		err = execPlugin(ctx, *calls)
	default:
		err = run(ctx, *identities, *workers, *rounds, *alone)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, identities, workers, rounds, alone int) (err error) {
	cp, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if err := operator.Install(ctx, cp); err != nil {
		return err
	}
	b, err := newBench(ctx, cp, workers)
	if err != nil {
		return err
	}
	var ratios []float64
	for round := range rounds {
		bare, err := b.bare(ctx, fmt.Sprintf("bare-%d", round), identities)
		if err != nil {
			return fmt.Errorf("bare client: %w", err)
		}
		ours, err := b.operator(ctx, fmt.Sprintf("ours-%d", round), identities)
		if err != nil {
			return fmt.Errorf("operator: %w", err)
		}
		ratio := bare.Seconds() / ours.Seconds()
		ratios = append(ratios, ratio)
		fmt.Printf("round %d: bare client %.0f identities/s, operator %.0f identities/s, ratio %.2f\n", round+1,
			float64(identities)/bare.Seconds(), float64(identities)/ours.Seconds(), ratio)
	}
	slices.Sort(ratios)
	fmt.Printf("median ratio of the operator to the bare client: %.2f (min %.2f, max %.2f)\n", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	return b.latencies(ctx, alone)
}

type bench struct {
	admin      client.WithWatch
	connection *rest.Config
	workers    int
}

// newBench connects to a control plane as an administrator and as the operator, without limits of their own.
func newBench(ctx context.Context, cp *controlplane.ControlPlane, workers int) (*bench, error) {
	connection, err := operator.Connection(ctx, cp)
	if err != nil {
		return nil, err
	}
	connection.QPS = -1
	admin, err := client.NewWithWatch(connectionOf(cp), client.Options{Scheme: manager.Scheme()})
	return &bench{admin: admin, connection: connection, workers: workers}, err
}

// operator measures the time from the first identity's creation until all are ready, and deletes them.
func (b *bench) operator(ctx context.Context, prefix string, count int) (time.Duration, error) {
	running, err := operator.Start(ctx, b.connection, func(o *manager.Options) { o.ConcurrentReconciles = b.workers })
	if err != nil {
		return 0, err
	}
	defer func() { _ = running.Stop() }()
	watch, err := b.admin.Watch(ctx, &v1alpha1.ClientIdentityList{})
	if err != nil {
		return 0, err
	}
	defer watch.Stop()
	start := time.Now()
	created := make(chan error, 1)
	go func() {
		created <- inParallel(b.workers, count, func(i int) error { return b.admin.Create(ctx, identity(prefix, i)) })
	}()
	ready := map[string]bool{}
	for len(ready) < count {
		event, ok := <-watch.ResultChan()
		if !ok {
			return 0, errors.New("the watch ended")
		}
		if id, ok := event.Object.(*v1alpha1.ClientIdentity); ok && isReady(id) {
			ready[id.Name] = true
		}
	}
	elapsed := time.Since(start)
	return elapsed, errors.Join(<-created, b.deleteAll(ctx))
}

func isReady(id *v1alpha1.ClientIdentity) bool {
	return slices.ContainsFunc(id.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue
	})
}

// identity returns the i-th identity of a run: with one role binding.
func identity(prefix string, i int) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", prefix, i)}}
	id.Spec.Username = id.Name
	id.Spec.Groups = []string{"developers"}
	id.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "view", Namespace: "default", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}}}
	return id
}

// deleteAll deletes the identities and waits until their dependents are gone, so that one run does not burden the next.
func (b *bench) deleteAll(ctx context.Context) error {
	if err := b.admin.DeleteAllOf(ctx, &v1alpha1.ClientIdentity{}); err != nil {
		return err
	}
	for {
		var secrets metav1.PartialObjectMetadataList
		secrets.SetGroupVersionKind(secretList)
		if err := b.admin.List(ctx, &secrets, client.InNamespace(operator.SecretNamespace)); err != nil {
			return err
		}
		if len(secrets.Items) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
