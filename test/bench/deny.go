// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

const (
	// fewIdentities is the smaller number of identities.
	fewIdentities = 100
	// revokedEach is how many fingerprints the authorizer finds each of the others by: as many as a status lists certificates.
	revokedEach = 10
	// unallowed is a signer that the operator does not ask.
	unallowed = "example.com/unallowed"
	// phase is how long each measurement takes.
	phase = 4 * time.Second
)

// denying measures what requests cost that the API server asks the operator about.
type denying struct {
	*bench
	cp         *controlplane.ControlPlane
	authorizer *operator.Authorizer
	replica    *operator.Replica
	identities int
	rounds     int
	began      time.Time
}

// deny measures reads by an identity and by a ServiceAccount, in turn with and without the authorizer, among few and among many
// identities, and prints a table.
func deny(ctx context.Context, workers, rounds, many int) (err error) {
	certDir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(certDir)) }()
	d := &denying{rounds: rounds, began: time.Now()}
	if d.authorizer, err = operator.NewAuthorizer(certDir); err != nil {
		return err
	}
	d.progress("starting a control plane")
	d.cp, err = controlplane.Start(ctx, controlplane.Options{Authorization: func(files controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
		if _, err := d.authorizer.Authorization("v1")(files); err != nil { // it remembers the files
			return controlplane.Authorization{}, err
		}
		return operator.NobodyAsked(files)
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.cp.Stop()) }()
	if err := operator.Install(ctx, d.cp); err != nil {
		return err
	}
	if d.bench, err = newBench(ctx, d.cp, workers); err != nil {
		return err
	}
	if d.replica, err = d.authorizer.NewReplica(); err != nil {
		return err
	}
	running, err := operator.Start(ctx, d.connection, func(o *manager.Options) {
		o.ConcurrentReconciles = workers
		d.replica.Configure(o)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, running.Stop()) }()
	readers, err := d.readers(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "identities\trequests by\tat a time\tper second without\twith\tratio\tp50 without\twith\tratio\tp99 without\twith\tratio\ta review\t")
	for _, count := range []int{fewIdentities, many} {
		if err := d.fill(ctx, count); err != nil {
			return err
		}
		for _, r := range readers {
			for _, atATime := range []int{1, workers} {
				if err := d.row(ctx, table, r, atATime); err != nil {
					return err
				}
			}
		}
	}
	return table.Flush()
}

func (d *denying) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0fs "+format+"\n", append([]any{time.Since(d.began).Seconds()}, args...)...)
}

// readers returns an identity, by its kubeconfig, and a ServiceAccount, which the API server does not ask about.
func (d *denying) readers(ctx context.Context) ([]*reader, error) {
	id := identity("reader", 0)
	if err := d.untilReady(ctx, id); err != nil {
		return nil, err
	}
	d.identities = 1
	theirs, err := d.kubeconfig(ctx, id)
	if err != nil {
		return nil, err
	}
	certificate, err := newReader("an identity", theirs)
	if err != nil {
		return nil, err
	}
	account := d.connection
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "bench-account"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operator.Namespace, Name: operator.ServiceAccount}},
	}
	if err := d.admin.Create(ctx, binding); err != nil {
		return nil, err
	}
	token, err := newReader("a ServiceAccount", account)
	return []*reader{certificate, token}, err
}

// fill creates identities until there are so many. They wait for somebody to allow their signer, so that the operator has nothing
// to do about them when this returns, and the authorizer finds each by its UID and by as many fingerprints as a status lists.
func (d *denying) fill(ctx context.Context, count int) error {
	first := d.identities
	d.progress("creating %d identities", count-first)
	err := inParallel(d.workers, count-first, func(i int) error {
		id := identity("other", first+i)
		id.Spec.SignerName, id.Spec.RoleBindings = unallowed, nil
		for n := range revokedEach {
			id.Spec.RevokedCertificates = append(id.Spec.RevokedCertificates, v1alpha1.RevokedCertificate{
				Fingerprint: fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s/%d", id.Name, n))),
			})
		}
		return d.admin.Create(ctx, id)
	})
	if err != nil {
		return err
	}
	d.identities = count
	for {
		var list v1alpha1.ClientIdentityList
		if err := d.admin.List(ctx, &list); err != nil {
			return err
		}
		done := 0
		for i := range list.Items {
			if list.Items[i].Status.ObservedGeneration == list.Items[i].Generation {
				done++
			}
		}
		if done == count {
			return nil
		}
		d.progress("the operator has looked at %d of %d", done, count)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
}

// row measures one reader, in turn without and with the authorizer.
func (d *denying) row(ctx context.Context, table *tabwriter.Writer, r *reader, atATime int) error {
	var without, with []speed
	var spent time.Duration
	var reviews uint64
	for round := range d.rounds {
		if err := d.cp.ReplaceAuthorization(ctx, operator.NobodyAsked); err != nil {
			return err
		}
		alone, err := r.measure(ctx, atATime, phase)
		if err != nil {
			return err
		}
		if err := d.cp.ReplaceAuthorization(ctx, operator.AsPrinted(d.replica.Address, d.authorizer.CA.CertPEM())); err != nil {
			return err
		}
		spentBefore, reviewsBefore, err := answered()
		if err != nil {
			return err
		}
		asked, err := r.measure(ctx, atATime, phase)
		if err != nil {
			return err
		}
		spentAfter, reviewsAfter, err := answered()
		if err != nil {
			return err
		}
		spent, reviews = spent+spentAfter-spentBefore, reviews+reviewsAfter-reviewsBefore
		without, with = append(without, alone), append(with, asked)
		d.progress("%d identities, %s, %d at a time, round %d: %.0f/s without the authorizer, %.0f/s with it",
			d.identities, r.name, atATime, round+1, alone.perSecond, asked.perSecond)
	}
	review := "not asked"
	// The operator's own check asks now and then.
	if total := middle(with).perSecond * phase.Seconds() * float64(d.rounds); float64(reviews) > total/2 {
		review = fmt.Sprintf("%.3f ms", milliseconds(spent)/float64(reviews))
	}
	ratio := func(number func(speed) float64) float64 {
		var ratios []float64
		for i := range with {
			ratios = append(ratios, number(with[i])/number(without[i]))
		}
		return median(ratios, func(f float64) float64 { return f })
	}
	a, b := middle(without), middle(with)
	_, err := fmt.Fprintf(table, "%d\t%s\t%d\t%.0f\t%.0f\t%.2f\t%.2f ms\t%.2f ms\t%.2f\t%.2f ms\t%.2f ms\t%.2f\t%s\t\n", d.identities, r.name, atATime,
		a.perSecond, b.perSecond, ratio(func(s speed) float64 { return s.perSecond }),
		milliseconds(a.p50), milliseconds(b.p50), ratio(func(s speed) float64 { return s.p50.Seconds() }),
		milliseconds(a.p99), milliseconds(b.p99), ratio(func(s speed) float64 { return s.p99.Seconds() }), review)
	return err
}

// answered returns how long the operator has spent on how many reviews, by its own metric.
func answered() (spent time.Duration, reviews uint64, err error) {
	families, err := metrics.Registry.Gather()
	if err != nil {
		return 0, 0, err
	}
	for _, family := range families {
		if family.GetName() != "controller_runtime_webhook_latency_seconds" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if labels := metric.GetLabel(); len(labels) == 1 && labels[0].GetValue() == authorizationconfig.Path {
				histogram := metric.GetHistogram()
				return time.Duration(histogram.GetSampleSum() * float64(time.Second)), histogram.GetSampleCount(), nil
			}
		}
	}
	return 0, 0, nil
}
