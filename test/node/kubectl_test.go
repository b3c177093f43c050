// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"os"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/operator"
)

const (
	deploymentName = "client-identity-operator"
	webhookSecret  = "client-identity-operator-webhook"
)

// pods select those of the operator.
var pods = client.MatchingLabels{"app.kubernetes.io/name": deploymentName, "app.kubernetes.io/component": "manager"}

// kubectl runs kubectl as an administrator does, from the root of the repository, and returns what it prints.
func kubectl(args ...string) string {
	GinkgoHelper()
	out, err := tryKubectl(args...)
	Expect(err).NotTo(HaveOccurred(), "kubectl %s:\n%s", strings.Join(args, " "), out)
	return out
}

func tryKubectl(args ...string) (string, error) {
	return command(node.Kubectl(), append([]string{"--kubeconfig", node.Kubeconfig()}, args...)...)
}

// command runs a program in the root of the repository. What it prints is returned, also where it fails.
func command(program string, args ...string) (string, error) {
	GinkgoHelper()
	root, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "HOME="+node.Dir(), "KUBECONFIG="+node.Kubeconfig())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// operatorPods reads the pods of the operator that are not about to go.
func operatorPods() []corev1.Pod {
	GinkgoHelper()
	list := &corev1.PodList{}
	Expect(admin.List(ctx, list, client.InNamespace(operator.Namespace), pods)).To(Succeed())
	var live []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			live = append(live, pod)
		}
	}
	return live
}

// rolledOut waits until the Deployment is, as kubectl tells users.
func rolledOut() {
	GinkgoHelper()
	kubectl("rollout", "status", "--namespace", operator.Namespace, "deployment/"+deploymentName, "--timeout=4m")
}
