// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/node/cluster"
	"github.com/clientidentity/operator/test/operator"
)

// testLeaderDeleted deletes the pod that works: the other one takes over.
func testLeaderDeleted() {
	before := leaderPod()
	kubectl("delete", "pod", "--namespace", before.Namespace, before.Name, "--wait=false")
	Eventually(func() string { return leaderPod().Name }).ShouldNot(Equal(before.Name))
	becomesReady("after-deletion")
	rolledOut()
}

// testLeaderKilled kills the process that works. Its lease has to run out; the webhook goes on meanwhile.
func testLeaderKilled() {
	before, pod := leader(), leaderPod()
	Expect(syscall.Kill(processOf(pod), syscall.SIGKILL)).To(Succeed())
	// Its connections are reset, and new ones are refused until its endpoint is gone: a create that meets one of them is refused.
	Eventually(create).WithArguments("after-kill").Should(Succeed())
	awaitReady("after-kill")
	Expect(leader()).NotTo(Equal(before))
	Eventually(func() int32 { return restarts(pod.Name) }).Should(BeEquivalentTo(1))
	rolledOut()
}

// testDrain drains the node. There is no other, so that the second pod has to stay until the first one's successor can run.
func testDrain() {
	before := operatorPods()
	Expect(before).To(HaveLen(2))
	drained := make(chan error, 1)
	go func() {
		defer GinkgoRecover()
		out, err := node.TryKubectl("drain", cluster.NodeName, "--timeout=4m")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		drained <- err
	}()
	DeferCleanup(func() { kubectl("uncordon", cluster.NodeName) })
	var gone, left corev1.Pod
	Eventually(func() bool {
		for i := range before {
			if isGone(before[i].Name) {
				gone, left = before[i], before[1-i]
				return true
			}
		}
		return false
	}).Should(BeTrue(), "one may go")

	err := admin.SubResource("eviction").Create(ctx, &left, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: left.Name, Namespace: left.Namespace}})
	Expect(apierrors.IsTooManyRequests(err)).To(BeTrue(), "the other one may not: %v", err)
	Expect(err).To(MatchError(ContainSubstring("disruption budget")))
	becomesReady("while-draining")
	Expect(isReady(left.Name)).To(BeTrue(), "the successor of %s waits for a node", gone.Name)
	Expect(drained).NotTo(Receive())

	kubectl("uncordon", cluster.NodeName)
	Eventually(drained, "4m").Should(Receive(Succeed()), "the successor runs, so that the other one may go")
	Expect(isGone(left.Name)).To(BeTrue())
	becomesReady("after-draining")
}

// testRollingUpdate restarts the Deployment, as an upgrade does, until so many identities have been created meanwhile.
func testRollingUpdate() {
	stream := startStream("rolled")
	stream.more(100)
	for updates := 0; updates == 0 || stream.count() < *creates; updates++ {
		kubectl("rollout", "restart", "--namespace", operator.Namespace, "deployment/"+deploymentName)
		rolledOut()
	}
	stream.more(100)
	stream.end()
	stream.ready()
}

// testEmptiedSecret empties the Secret of the webhook's certificate: another one is made, and nobody notices.
func testEmptiedSecret() {
	key := client.ObjectKey{Namespace: operator.Namespace, Name: webhookSecret}
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, key, secret)).To(Succeed())
	before := string(secret.Data[corev1.TLSCertKey])
	Expect(before).NotTo(BeEmpty())

	stream := startStream("emptied")
	stream.more(100)
	secret.Data = nil
	Expect(admin.Update(ctx, secret)).To(Succeed())
	Eventually(func() string {
		Expect(admin.Get(ctx, key, secret)).To(Succeed())
		return string(secret.Data[corev1.TLSCertKey])
	}).ShouldNot(Or(BeEmpty(), Equal(before)))
	stream.more(*creates / 2)
	stream.end()
	stream.ready()
}

// testMemory expects that what came before did not bring a pod to its limit, of which the operator was told.
func testMemory() {
	for _, pod := range operatorPods() {
		limit := pod.Spec.Containers[0].Resources.Limits.Memory().Value()
		Expect(strings.Split(kernelSays(processOf(pod), "environ")[0], "\x00")).To(ContainElement(fmt.Sprint("MEMORY_LIMIT=", limit)))
		AddReportEntry(pod.Name+" used at most", peakMemory(pod))
		for _, status := range pod.Status.ContainerStatuses {
			for _, ended := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
				Expect(ended == nil || ended.Reason != "OOMKilled").To(BeTrue(), "%s: %v", pod.Name, ended)
			}
		}
	}
}
