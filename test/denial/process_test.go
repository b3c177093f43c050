// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"

	"github.com/clientidentity/operator/test/operator"
)

// process is an operator in a process of its own, that serves the authorization webhook.
type process struct {
	*gexec.Session
	replica *operator.Replica
}

// elected are the flags of one of several operators.
var elected = []string{"--leader-elect", "--leader-election-namespace=" + operator.Namespace}

// startProcess starts an operator with the environment that its Deployment gives it, until the end of the spec, and waits until it serves.
func startProcess(flags ...string) *process {
	GinkgoHelper()
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(operator.WriteKubeconfig(kubeconfig, connection)).To(Succeed())
	own, err := authorizer.NewReplica()
	Expect(err).NotTo(HaveOccurred())
	container, err := operator.Container(ctx, admin)
	Expect(err).NotTo(HaveOccurred())
	flags = append(flags, own.Flags()...)
	command := exec.Command(binary, append(flags, "--kubeconfig="+kubeconfig, "--health-probe-bind-address=0", "--enable-webhooks=false")...)
	command.Env = append(os.Environ(), operator.Environment(container)...)
	log := gexec.NewPrefixedWriter("["+own.Address+"] ", GinkgoWriter)
	session, err := gexec.Start(command, log, log)
	Expect(err).NotTo(HaveOccurred())
	p := &process{session, own}
	DeferCleanup(p.kill)
	Expect(own.Serving(ctx)).To(Succeed())
	return p
}

// kill ends it as a crash does, or the lack of memory.
func (p *process) kill() {
	GinkgoHelper()
	p.Kill().Wait()
}

// pause stops it in its tracks until the end of the spec at the latest: connections stay open, and nobody answers.
func (p *process) pause() (resume func()) {
	GinkgoHelper()
	p.Signal(syscall.SIGSTOP)
	return func() { p.Signal(syscall.SIGCONT) }
}
