// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package steps are what the suites on a node do alike: they start it, and do and look at what users do.
package steps

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/node/cluster"
	"github.com/clientidentity/operator/test/operator"
)

// imageEnv names the OCI archive of the operator's image, which make e2e-node builds.
const imageEnv = "NODE_IMAGE"

// pods select those of the operator.
var pods = client.MatchingLabels{"app.kubernetes.io/name": "client-identity-operator", "app.kubernetes.io/component": "manager"}

// Node is a running node, and who works on it.
type Node struct {
	*cluster.Cluster
	// Context ends with the suite.
	Context context.Context //nolint:containedctx // a suite has one
	// Admin is an administrator's client, without a cache.
	Admin client.Client
}

// Start starts a node for a suite, with the image of the operator: the one manual step of an installation where there is no registry.
// What else is to be done before pods run is done then.
func Start(options controlplane.Options, before ...func(context.Context, *cluster.Cluster) error) *Node {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	options.Progress = func(format string, args ...any) { GinkgoWriter.Printf(format+"\n", args...) }

	image := FileIn(imageEnv)
	before = append(before, func(ctx context.Context, c *cluster.Cluster) error { return c.ImportImage(ctx, image) })
	started, err := cluster.Start(ctx, options, before...)
	Expect(err).NotTo(HaveOccurred())
	admin, err := client.New(started.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return &Node{Cluster: started, Context: ctx, Admin: admin}
}

// FileIn is the file that an environment variable of make e2e-node names.
func FileIn(variable string) string {
	GinkgoHelper()
	Expect(os.Getenv(variable)).To(BeAnExistingFile(), "%s names no file: run make e2e-node", variable)
	return os.Getenv(variable)
}

// ReportFailure shows what the node saw where a spec failed: it is gone with the namespaces. Secrets are never asked for.
func (n *Node) ReportFailure() {
	if n != nil && CurrentSpecReport().Failed() {
		AddReportEntry("the node", n.Report(context.WithoutCancel(n.Context)))
	}
}

// Run runs a program in the root of the repository, as an administrator. What it prints is returned, also where it fails.
func (n *Node) Run(program string, args ...string) (string, error) {
	GinkgoHelper()
	root, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	cmd := exec.CommandContext(n.Context, program, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "HOME="+n.Dir(), "KUBECONFIG="+n.Kubeconfig())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// TryKubectl runs kubectl as an administrator does, from the root of the repository.
func (n *Node) TryKubectl(args ...string) (string, error) {
	GinkgoHelper()
	return n.Run(n.Cluster.Kubectl(), append([]string{"--kubeconfig", n.Kubeconfig()}, args...)...)
}

// Kubectl is TryKubectl where it has to succeed.
func (n *Node) Kubectl(args ...string) string {
	GinkgoHelper()
	out, err := n.TryKubectl(args...)
	Expect(err).NotTo(HaveOccurred(), "kubectl %s:\n%s", strings.Join(args, " "), out)
	return out
}

// RolledOut waits until the Deployment is, as kubectl tells users.
func (n *Node) RolledOut() {
	GinkgoHelper()
	n.Kubectl("rollout", "status", "--namespace", operator.Namespace, "deployment/client-identity-operator", "--timeout=4m")
}

// OperatorPods reads the pods of the operator that are not about to go.
func (n *Node) OperatorPods() []corev1.Pod {
	GinkgoHelper()
	list := &corev1.PodList{}
	Expect(n.Admin.List(n.Context, list, client.InNamespace(operator.Namespace), pods)).To(Succeed())
	var live []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			live = append(live, pod)
		}
	}
	return live
}

// Problems are the lines of the operator's logs that tell of an error, from every container that there was.
func (n *Node) Problems() []string {
	GinkgoHelper()
	var found []string
	for _, pod := range n.OperatorPods() {
		logs := n.Kubectl("logs", "--namespace", pod.Namespace, pod.Name)
		Expect(logs).NotTo(BeEmpty())
		for line := range strings.Lines(logs) {
			if !strings.HasPrefix(line, "{") || strings.Contains(line, `"level":"error"`) || strings.Contains(line, "stacktrace") {
				found = append(found, pod.Name+": "+line)
			}
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.RestartCount > 0 {
				found = append(found, fmt.Sprintf("%s was restarted %d times: %v", pod.Name, status.RestartCount, status.LastTerminationState))
			}
		}
	}
	return found
}
