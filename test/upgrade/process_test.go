// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

// name is that of the operator's objects.
const name = "client-identity-operator"

// former returns the path of the operator of the release before, which is built from its commit. The error is that this clone does
// not have the commit; with UPGRADE_REQUIRED=yes, as in CI, it has to.
func former(ctx context.Context, release *fixture.Fixture) (string, error) {
	GinkgoHelper()
	binary, err := release.Manager(ctx, root)
	if errors.Is(err, fixture.ErrNoSource) && os.Getenv("UPGRADE_REQUIRED") != "yes" {
		return "", err
	}
	Expect(err).NotTo(HaveOccurred())
	return binary, nil
}

// process is an operator in a process of its own, as its ServiceAccount.
type process struct {
	*gexec.Session
	// webhook is where it serves the admission webhook.
	webhook string
}

// start starts an operator as its Deployment does, one of several replicas, and waits until it is ready.
func (w *world) start(binary string, flags ...string) *process {
	GinkgoHelper()
	connection, err := operator.Connection(w, w.cp)
	Expect(err).NotTo(HaveOccurred())
	kubeconfig := filepath.Join(w.dir(), "kubeconfig")
	Expect(operator.WriteKubeconfig(kubeconfig, connection)).To(Succeed())
	return w.startWith(binary, kubeconfig, flags...)
}

// startWith starts an operator that has a kubeconfig.
func (w *world) startWith(binary, kubeconfig string, flags ...string) *process {
	GinkgoHelper()
	container, err := operator.Container(w, w.admin)
	Expect(err).NotTo(HaveOccurred())
	port, health := freePort(), fmt.Sprintf("127.0.0.1:%d", freePort())
	command := exec.Command(binary, append(flags, "--kubeconfig="+kubeconfig, "--health-probe-bind-address="+health,
		"--webhook-port="+strconv.Itoa(port), "--webhook-namespace="+operator.Namespace,
		"--leader-elect", "--leader-election-namespace="+operator.Namespace, "--secret-namespaces="+operator.SecretNamespace+",team-a")...)
	command.Env = append(os.Environ(), operator.Environment(container)...)
	log := gexec.NewPrefixedWriter("["+filepath.Base(binary)+"] ", GinkgoWriter)
	session, err := gexec.Start(command, log, log)
	Expect(err).NotTo(HaveOccurred())
	w.atEnd(func() { session.Kill().Wait() })
	Eventually(func() error {
		if session.ExitCode() >= 0 {
			return StopTrying("the operator ended")
		}
		response, err := http.Get("http://" + health + "/readyz")
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	}).Should(Succeed())
	return &process{session, fmt.Sprintf("localhost:%d", port)}
}

// stop ends it as the kubelet does, and waits.
func (p *process) stop() {
	GinkgoHelper()
	Eventually(p.Terminate()).Should(gexec.Exit())
}

func freePort() int {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// leader returns who holds the Lease: a machine's name and something random; empty while nobody does.
func (w *world) leader() string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	err := w.admin.Get(w, client.ObjectKey{Namespace: operator.Namespace, Name: name}, lease)
	Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// eventuallyLed waits until somebody leads, and nobody of these.
func (w *world) eventuallyLed(others ...string) (leader string) {
	GinkgoHelper()
	Eventually(func() string {
		leader = w.leader()
		return leader
	}).ShouldNot(BeElementOf(append(others, "")))
	return leader
}
