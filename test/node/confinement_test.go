// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// testConfinement looks from outside at what the pods may do.
func testConfinement() {
	privileged := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "privileged"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "c", Image: "localhost/pause:1", SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)},
		}}},
	}
	err := admin.Create(ctx, privileged, client.DryRunAll)
	Expect(err).To(MatchError(ContainSubstring(`violates PodSecurity "restricted:latest"`)))

	live := operatorPods()
	Expect(live).To(HaveLen(2))
	for _, pod := range live {
		pid := processOf(pod)
		Expect(kernelSays(pid, "status")).To(ContainElements(
			MatchRegexp(`^Uid:\s65532\s65532\s65532\s65532$`),
			MatchRegexp(`^Gid:\s65532\s65532\s65532\s65532$`),
			MatchRegexp(`^CapEff:\s0+$`),
			MatchRegexp(`^CapBnd:\s0+$`),
			MatchRegexp(`^NoNewPrivs:\s1$`),
			MatchRegexp(`^Seccomp:\s2$`)))
		Expect(kernelSays(pid, "mounts")).To(ContainElement(MatchRegexp(`^overlay / overlay ro,`)))
		for _, volume := range pod.Spec.Volumes {
			Expect(volume.Secret).To(BeNil(), "a Secret that is mounted is up to two minutes behind")
		}
	}
}

// testAdmission asks as somebody who may write identities, and holds nothing else.
func testAdmission() {
	kubectl("create", "clusterrolebinding", "author", "--clusterrole=client-identity-operator-clientidentity-editor", "--user=author")
	DeferCleanup(func() { kubectl("delete", "clusterrolebinding", "author") })
	config, err := node.ConfigFor("author")
	Expect(err).NotTo(HaveOccurred())
	author, err := client.New(config, client.Options{Scheme: admin.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "somebody-else"}}
	identity.Spec.Username = "somebody-else"
	// The caches of the API server's authorizer follow the binding soon.
	Eventually(func() error { return author.Create(ctx, identity.DeepCopy()) }).
		Should(MatchError(And(ContainSubstring("denied the request"), ContainSubstring("impersonate"))))
}

// testMetrics scrapes through the Service, as Prometheus does.
func testMetrics() {
	service := &corev1.Service{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: deploymentName + "-metrics"}, service)).To(Succeed())
	scraper := &http.Client{
		Timeout: 10 * time.Second,
		// Its certificate is one that nobody knows; monitoring.md says so.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	scrape := func(token string) (int, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://%s:8443/metrics", service.Spec.ClusterIP), nil)
		Expect(err).NotTo(HaveOccurred())
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := scraper.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(response.Body.Close()).To(Succeed()) }()
		body, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		return response.StatusCode, string(body)
	}
	status, _ := scrape("")
	Expect(status).To(Equal(http.StatusUnauthorized))

	token := strings.TrimSpace(kubectl("create", "token", "default", "--namespace=default"))
	status, _ = scrape(token)
	Expect(status).To(Equal(http.StatusForbidden), "who it is does not suffice")

	kubectl("create", "clusterrolebinding", "scraper", "--clusterrole=client-identity-operator-metrics-reader", "--serviceaccount=default:default")
	DeferCleanup(func() { kubectl("delete", "clusterrolebinding", "scraper") })
	Eventually(func(g Gomega) {
		status, body := scrape(token)
		g.Expect(status).To(Equal(http.StatusOK))
		g.Expect(body).To(ContainSubstring("clientidentity_"))
	}).Should(Succeed())
}

// testUnreadiness stops a manager in its tracks: the kubelet sees that it does not answer, and that it does again.
func testUnreadiness() {
	pod := operatorPods()[0]
	pid := processOf(pod)
	Expect(syscall.Kill(pid, syscall.SIGSTOP)).To(Succeed())
	Eventually(func() bool { return isReady(pod.Name) }).Should(BeFalse())
	Expect(syscall.Kill(pid, syscall.SIGCONT)).To(Succeed())
	Eventually(func() bool { return isReady(pod.Name) }).Should(BeTrue())
}

// testLiveness stops a manager in its tracks, until the kubelet starts another one in its place.
func testLiveness() {
	pod := operatorPods()[0]
	Expect(syscall.Kill(processOf(pod), syscall.SIGSTOP)).To(Succeed())
	Eventually(func() int32 { return restarts(pod.Name) }).WithTimeout(5 * time.Minute).Should(BeEquivalentTo(1))
	Eventually(func() bool { return isReady(pod.Name) }).Should(BeTrue())
}

// podNamed reads a pod of the operator.
func podNamed(name string) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: name}, pod)).To(Succeed())
	return pod
}

func isReady(name string) bool {
	GinkgoHelper()
	for _, condition := range podNamed(name).Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func restarts(name string) int32 {
	GinkgoHelper()
	return podNamed(name).Status.ContainerStatuses[0].RestartCount
}

// isGone says whether a pod is no more.
func isGone(name string) bool {
	GinkgoHelper()
	err := admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: name}, &corev1.Pod{})
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return apierrors.IsNotFound(err)
}
