// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command generate freezes a release for the tests of upgrades: it installs the release at a commit into a control plane as its
// users did, lets it work, and keeps what it leaves behind (see package fixture).
//
//	make upgrade-fixture COMMIT=048b967 RELEASE=v0.1.0
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

func main() {
	var g generator
	flag.StringVar(&g.Commit, "commit", "", "the release's `commit`")
	flag.StringVar(&g.Release, "release", "", "its `version`, such as v0.1.0: the name of the directory below test/upgrade/testdata")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := g.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generator makes a fixture.
type generator struct {
	fixture.Fixture
	root, source, work string
	cp                 *controlplane.ControlPlane
	admin              client.Client
	manifests          string
}

func (g *generator) run(ctx context.Context) error {
	if g.Commit == "" || g.Release == "" {
		return fmt.Errorf("-commit and -release are both needed")
	}
	var err error
	if g.root, err = operator.Root(); err != nil {
		return err
	}
	if g.work, err = os.MkdirTemp("", "upgrade-fixture-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(g.work) }()
	if err := g.build(ctx); err != nil {
		return err
	}
	state, err := fixture.NewState()
	if err != nil {
		return err
	}
	g.cp, err = controlplane.Start(ctx, controlplane.Options{State: state, SigningDuration: fixture.Lifetime, Progress: progress})
	if err != nil {
		return err
	}
	defer func() { _ = g.cp.Stop() }()
	for _, step := range []func(context.Context) error{g.install, g.live, g.guard} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	dir := filepath.Join(g.root, "test", "upgrade", "testdata", g.Release)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, fixture.ManifestsFile), []byte(g.manifests), 0o600); err != nil {
		return err
	}
	if err := g.Save(ctx, g.cp, state, dir); err != nil {
		return err
	}
	progress("%d objects of %s, on Kubernetes %s, are in %s", len(g.Entries), g.Release, g.Kubernetes, dir)
	return nil
}

// build builds the release's operator, from its whole commit name on.
func (g *generator) build(ctx context.Context) error {
	commit, err := exec.CommandContext(ctx, "git", "-C", g.root, "rev-parse", "--verify", g.Commit+"^{commit}").Output()
	if err != nil {
		return fmt.Errorf("%s: %w", g.Commit, fixture.ErrNoSource)
	}
	g.Commit = strings.TrimSpace(string(commit))
	g.source = filepath.Join(g.work, "source")
	if err := os.Mkdir(g.source, 0o700); err != nil {
		return err
	}
	if err := fixture.Source(ctx, g.root, g.Commit, g.source); err != nil {
		return err
	}
	progress("building the operator of %s from %.12s", g.Release, g.Commit)
	return fixture.BuildManager(ctx, g.source, g.Release, g.binary())
}

func (g *generator) binary() string { return filepath.Join(g.work, "manager") }

func progress(format string, args ...any) { fmt.Printf(format+"\n", args...) }
