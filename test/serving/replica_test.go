// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"

	"github.com/clientidentity/operator/test/operator"
)

// replica is an operator in a process of its own, with the arguments and the environment that its Deployment gives it.
type replica struct {
	*gexec.Session
	address, probes string
	log             *gbytes.Buffer
}

// start starts a replica, and does not wait for it.
func start(more ...string) *replica {
	GinkgoHelper()
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(operator.WriteKubeconfig(kubeconfig, connection)).To(Succeed())
	address, flags, err := operator.ReplicaFlags()
	Expect(err).NotTo(HaveOccurred())
	probes, _, err := operator.ReplicaFlags()
	Expect(err).NotTo(HaveOccurred())
	container, err := operator.Container(ctx, admin)
	Expect(err).NotTo(HaveOccurred())
	flags = append(append(container.Args, flags...), "--kubeconfig="+kubeconfig, "--leader-election-namespace="+operator.Namespace,
		"--health-probe-bind-address="+probes, "--metrics-bind-address=0")
	flags = append(flags, more...)
	command := exec.Command(binary, flags...)
	command.Env = append(os.Environ(), operator.Environment(container)...)
	r := &replica{address: address, probes: probes, log: gbytes.NewBuffer()}
	shown := gexec.NewPrefixedWriter("["+address+"] ", GinkgoWriter)
	r.Session, err = gexec.Start(command, shown, both{r.log, shown})
	Expect(err).NotTo(HaveOccurred())
	return r
}

// both writes twice.
type both struct {
	first, second interface{ Write([]byte) (int, error) }
}

func (b both) Write(content []byte) (int, error) {
	if n, err := b.first.Write(content); err != nil {
		return n, err
	}
	return b.second.Write(content)
}

// ready is what its readiness probe says.
func (r *replica) ready() error { return r.probe("/readyz") }

func (r *replica) probe(path string) error {
	response, err := http.Get("http://" + r.probes + path)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
}

// complaints are the lines of its log that are more than information, or no entry.
func (r *replica) complaints() []string {
	var complaints []string
	for line := range strings.Lines(string(r.log.Contents())) {
		var entry struct{ Level, Stacktrace string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || (entry.Level != "info" && entry.Level != "debug") || entry.Stacktrace != "" {
			complaints = append(complaints, line)
		}
	}
	return complaints
}

// logged returns its log.
func (r *replica) logged() string { return string(r.log.Contents()) }
