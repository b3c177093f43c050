// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/bench/result"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// settings are what a run is asked for.
type settings struct {
	result.Settings
	alone   int
	quiet   time.Duration
	only    []result.Phase
	who     []result.Subject
	json    string
	manager string
}

// world is what the subjects of a run work in, one after the other.
type world struct {
	settings
	cp *controlplane.ControlPlane
	// admin is who changes identities and looks at them. Its requests are not those of a subject: own counts them.
	admin     client.WithWatch
	own       *tally
	observer  *observer
	blind     context.CancelFunc // ends the observer
	apiServer *apiServer
	// connection is that of the operator's ServiceAccount, without a limit of its own.
	connection *rest.Config
	document   *result.Document
	began      time.Time
}

// newWorld starts a control plane, installs the operator in it without running it, and makes the namespaces of the bindings.
func newWorld(ctx context.Context, s settings) (w *world, err error) {
	w = &world{settings: s, own: &tally{counted: requests{}}, began: time.Now()}
	w.say("starting a control plane")
	if w.cp, err = controlplane.Start(ctx, controlplane.Options{}); err != nil {
		return nil, err
	}
	w.say("it can be looked at with KUBECONFIG=%s", w.cp.Kubeconfig())
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

func (w *world) prepare(ctx context.Context) error {
	if err := operator.Install(ctx, w.cp); err != nil {
		return err
	}
	root, err := operator.Root()
	if err != nil {
		return err
	}
	if w.manager == "" {
		w.manager = filepath.Join(w.cp.Dir(), "manager")
		w.say("building the operator")
		if err := build(ctx, root, w.manager); err != nil {
			return err
		}
	}
	b, err := newBench(ctx, w.cp, w.Workers)
	if err != nil {
		return err
	}
	w.connection = b.connection
	if w.admin, err = client.NewWithWatch(w.own.wrap(connectionOf(w.cp)), client.Options{Scheme: manager.Scheme()}); err != nil {
		return err
	}
	if w.apiServer, err = newAPIServer(w.cp.Config()); err != nil {
		return err
	}
	machine, err := describeMachine(ctx, root, w.cp.Config(), w.began)
	if err != nil {
		return err
	}
	w.document = &result.Document{Machine: machine, Settings: w.Settings}
	for i := range w.Namespaces {
		if err := w.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace(i)}}); err != nil {
			return err
		}
	}
	if err := allowScraping(ctx, w.admin); err != nil {
		return err
	}
	ctx, w.blind = context.WithCancel(ctx)
	w.observer, err = newObserver(ctx, w.admin)
	return err
}

func (w *world) stop() error {
	if w.blind != nil {
		w.blind()
	}
	return w.cp.Stop()
}

// say tells of progress.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0fs "+format+"\n", append([]any{time.Since(w.began).Seconds()}, args...)...)
}

func namespace(i int) string { return fmt.Sprintf("bench-%d", i) }

// batch returns identities that are not there yet.
func (w *world) batch(prefix string, count int) *batch {
	return &batch{prefix: prefix, count: count, workers: w.Workers}
}

// identity returns the i-th identity of a batch. Each has its bindings in other namespaces than the one before.
func (w *world) identity(b *batch, i int) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: b.nameOf(i)}}
	id.Spec.Username = id.Name
	id.Spec.Groups = []string{"developers"}
	for k := range w.Bindings {
		id.Spec.RoleBindings = append(id.Spec.RoleBindings, v1alpha1.RoleBinding{
			Name: fmt.Sprintf("b%d", k), Namespace: namespace((i + k) % w.Namespaces), RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"},
		})
	}
	return id
}

// asked says whether a phase is to be measured.
func (w *world) asked(phase result.Phase) bool { return slices.Contains(w.only, phase) }
