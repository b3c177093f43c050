// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package overlays

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// plantedSecrets, plantedRoles and plantedBindings are what the administrator of a namespace plants, each as large as it may be.
const plantedSecrets, plantedRoles, plantedBindings = 300, 100, 100

var _ = Describe("The administrator of a namespace that Secrets may be published in", func() {
	It("does not drive the operator past its memory limit, neither while it runs nor at its next start", func() {
		root, err := operator.Root()
		Expect(err).NotTo(HaveOccurred())
		binary := filepath.Join(GinkgoT().TempDir(), "manager")
		build := exec.Command("go", "build", "-o", binary, "./cmd")
		build.Dir = root
		output, err := build.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		Expect(operator.ApplyWithoutWebhook(ctx, cp, "config/overlays/secret-namespace")).To(Succeed())
		container, err := operator.Container(ctx, admin)
		Expect(err).NotTo(HaveOccurred())
		memoryLimit := container.Resources.Limits.Memory().Value() >> 20
		Expect(memoryLimit).To(BeEquivalentTo(256), "MiB: what docs and sizing speak of")

		run := func() *exec.Cmd {
			kubeconfig := filepath.Join(GinkgoT().TempDir(), "operator.kubeconfig")
			connection, err := operator.Connection(ctx, cp)
			Expect(err).NotTo(HaveOccurred())
			Expect(operator.WriteKubeconfig(kubeconfig, connection)).To(Succeed())
			cmd := exec.Command(binary, "--kubeconfig", kubeconfig, "--health-probe-bind-address=0", "--leader-elect=false", "--enable-webhooks=false",
				"--secret-namespaces=client-identities,team-a")
			cmd.Env = append(os.Environ(), operator.Environment(container)...)
			Expect(cmd.Start()).To(Succeed())
			DeferCleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			return cmd
		}
		first := run()
		create("neighbour", readableIn("team-a"))
		expectPublished("team-a", "neighbour")
		before := peak(first)

		plant()
		create("later", readableIn("team-a"))
		expectPublished("team-a", "later")
		while := peak(first)
		Expect(first.Process.Kill()).To(Succeed())
		_, _ = first.Process.Wait()

		second := run()
		create("last", readableIn("team-a"))
		expectPublished("team-a", "last")
		after := peak(second)
		AddReportEntry("peak memory", fmt.Sprintf("%d MiB before, %d MiB while %d Secrets, %d Roles and %d RoleBindings came, %d MiB at the next start",
			before, while, plantedSecrets, plantedRoles, plantedBindings, after))
		Expect(while).To(BeNumerically("<", memoryLimit))
		Expect(after).To(BeNumerically("<", memoryLimit))
	})
})

// plant makes Secrets, Roles and RoleBindings in the guise of the operator's.
func plant() {
	GinkgoHelper()
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: "team-a", Name: name,
			Labels:      map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: "nobody"},
			Annotations: map[string]string{"planted": strings.Repeat("x", 250_000)},
		}
	}
	var rules []rbacv1.PolicyRule
	for n := range 400 {
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}, ResourceNames: []string{fmt.Sprint(n, strings.Repeat("n", 1000))},
		})
	}
	var subjects []rbacv1.Subject
	for n := range 4000 {
		subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: v1alpha1.CredentialGroupPrefix + fmt.Sprint(n, strings.Repeat("n", 200))})
	}
	for n := range plantedSecrets {
		secret := &corev1.Secret{ObjectMeta: meta(fmt.Sprint("planted-", n))}
		Expect(admin.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func() { _ = admin.Delete(ctx, secret) })
	}
	for n := range plantedRoles {
		role := &rbacv1.Role{ObjectMeta: meta(fmt.Sprint("planted-", n)), Rules: rules}
		Expect(admin.Create(ctx, role)).To(Succeed())
		DeferCleanup(func() { _ = admin.Delete(ctx, role) })
	}
	for n := range plantedBindings {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: meta(fmt.Sprint("planted-", n)), Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		}
		Expect(admin.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func() { _ = admin.Delete(ctx, binding) })
	}
}

// peak returns the most memory that a process ever had, in MiB.
func peak(cmd *exec.Cmd) int64 {
	GinkgoHelper()
	mebibytes, err := operator.PeakMemory(cmd.Process.Pid)
	if errors.Is(err, os.ErrNotExist) {
		Skip("this system does not tell the peak memory of a process in /proc")
	}
	Expect(err).NotTo(HaveOccurred())
	return mebibytes
}
