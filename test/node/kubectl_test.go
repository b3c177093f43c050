// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	. "github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"
)

const (
	deploymentName = "client-identity-operator"
	webhookSecret  = "client-identity-operator-webhook"
)

// kubectl runs kubectl as an administrator does, from the root of the repository, and returns what it prints.
func kubectl(args ...string) string {
	GinkgoHelper()
	return node.Kubectl(args...)
}

// operatorPods reads the pods of the operator that are not about to go.
func operatorPods() []corev1.Pod {
	GinkgoHelper()
	return node.OperatorPods()
}

// rolledOut waits until the Deployment is, as kubectl tells users.
func rolledOut() {
	GinkgoHelper()
	node.RolledOut()
}
