// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package api tests the ClientIdentity API on a real API server with nothing but the CRD installed: what the schema
// accepts, what it refuses and in which words, its defaults, and that the Go types decode all that it accepts.
package api

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

var (
	ctx = context.Background()
	cp  *controlplane.ControlPlane
	// raw sends bytes as they are: what a client library would normalise is what we want to see refused.
	raw *rest.RESTClient
	// typed is what Go programs, the operator among them, use.
	typed client.Client
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // else controller-runtime complains that nobody did
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	var err error
	if cp, err = controlplane.Start(ctx, controlplane.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := cp.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// setUp installs the CRD and makes the clients. The controller manager has nothing to do here.
func setUp() error {
	if err := cp.StopComponent(controlplane.ControllerManager); err != nil {
		return err
	}
	if err := operator.Apply(ctx, cp, "config/crd"); err != nil {
		return err
	}
	if out, err := kubectl("wait", "--for=condition=Established", "crd/clientidentities.clientidentity.dev"); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	var err error
	if typed, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	config := cp.Config()
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.ContentType = runtime.ContentTypeJSON
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion() // knows Status, which says why something is refused
	raw, err = rest.RESTClientFor(config)
	return err
}

// kubectl runs kubectl as an administrator and returns what it prints.
func kubectl(args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, cp.Kubectl(), append([]string{"--kubeconfig", cp.Kubeconfig()}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+cp.Dir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}
