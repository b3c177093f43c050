// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

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

// former returns the path of the operator of the release before, which is built from its commit.
func (w *world) former() string {
	GinkgoHelper()
	binary, err := w.release.Manager(w, root)
	if errors.Is(err, fixture.ErrNoSource) {
		Skip("NOT TESTED: the operator of " + w.release.Release + " cannot be built: " + err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	return binary
}

// process is an operator in a process of its own, as its ServiceAccount.
type process struct{ *gexec.Session }

// start starts an operator as its Deployment does, one of several replicas, until the end of the specs.
func (w *world) start(binary string, flags ...string) *process {
	GinkgoHelper()
	connection, err := operator.Connection(w, w.cp)
	Expect(err).NotTo(HaveOccurred())
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(operator.WriteKubeconfig(kubeconfig, connection)).To(Succeed())
	command := exec.Command(binary, append(flags, "--kubeconfig="+kubeconfig, "--health-probe-bind-address=0", "--leader-elect",
		"--leader-election-namespace="+operator.Namespace, "--secret-namespaces="+operator.SecretNamespace+",team-a")...)
	command.Env = os.Environ()
	log := gexec.NewPrefixedWriter("["+filepath.Base(binary)+"] ", GinkgoWriter)
	session, err := gexec.Start(command, log, log)
	Expect(err).NotTo(HaveOccurred())
	p := &process{session}
	DeferCleanup(func() { p.Kill().Wait() })
	return p
}

// stop ends it as the kubelet does, and waits.
func (p *process) stop() {
	GinkgoHelper()
	Eventually(p.Terminate(), 30*time.Second).Should(gexec.Exit())
}

// leader returns who holds the Lease: a machine's name and something random, as long as it is nobody.
func (w *world) leader() string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	Expect(w.admin.Get(w, client.ObjectKey{Namespace: operator.Namespace, Name: name}, lease)).To(Succeed())
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// eventuallyLed waits until somebody else than before leads, and has looked at every identity.
func (w *world) eventuallyLed(p *process, before string) {
	GinkgoHelper()
	Eventually(w.leader).ShouldNot(Or(BeEmpty(), Equal(before)))
	Expect(p.ExitCode()).To(Equal(-1), "the operator ended")
}

// applied applies the manifests as they are here, but for the configuration of the webhook, which calls a Service.
func (w *world) applied() {
	GinkgoHelper()
	// All of it would be taken.
	_, err := operator.Kubectl(w, w.cp, nil, "apply", "--dry-run=server", "-k", fixture.Overlay)
	Expect(err).NotTo(HaveOccurred())
	Expect(operator.ApplyWithoutWebhook(w, w.cp, fixture.Overlay)).To(Succeed())
}

// appliedFormer applies the manifests of the release before.
func (w *world) appliedFormer() {
	GinkgoHelper()
	manifests, err := os.ReadFile(filepath.Join(root, fixture.Previous, fixture.ManifestsFile))
	Expect(err).NotTo(HaveOccurred())
	_, err = operator.Kubectl(w, w.cp, strings.NewReader(string(manifests)), "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
}
