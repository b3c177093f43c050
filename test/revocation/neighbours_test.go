// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/holder"
)

// anotherManager is a JSON patch that says that somebody else manages an object.
const anotherManager = `[{"op":"add","path":"/metadata/labels/app.kubernetes.io~1managed-by","value":"the-namespace"}]`

var _ = Describe("The neighbours of an identity in trouble", Serial, func() {
	It("wait for nothing where a policy of a namespace overrides who manages the bindings there", func() {
		const troubled = 20
		alone, revocable, namespace := uniqueName("alone"), uniqueName("revocable"), createNamespace("neighbour")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		began := time.Now()
		leak(alone, rights, boundIn(namespace))
		took := time.Since(began)
		leaked := leak(revocable, rights, boundIn(namespace))

		By("one namespace relabelling what is bound there")
		meddled := createNamespace("meddled")
		configuration, err := admission.Install(ctx, admin, uniqueName("meddle"), faults.Scope{
			Resources: []string{"rolebindings"}, Operations: nil, Namespace: meddled, Mutating: true,
		})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(remove, configuration)
		probe := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: meddled, Name: "probe", Labels: map[string]string{"a": "b"}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		}
		Eventually(func() int64 {
			_ = admin.Create(ctx, probe.DeepCopy(), client.DryRunAll)
			return admission.Asked()
		}).ShouldNot(BeZero())
		admission.Answer(meddle)
		before := admission.Asked()
		for range troubled {
			create(newIdentity(uniqueName("troubled"), boundIn(meddled)))
		}
		Eventually(admission.Asked).Should(BeNumerically(">=", before+troubled/2), "they are not in trouble")

		By("another identity coming into being, and one being revoked")
		began = time.Now()
		other := uniqueName("other")
		create(newIdentity(other, boundIn(namespace)))
		update(revocable, revoked)
		eventuallyReady(other)
		waited := time.Since(began)
		Eventually(has(leaked, rights...)).Should(BeEmpty())
		eventuallyRevoked(revocable)
		AddReportEntry("ready", took.Round(time.Millisecond).String()+" alone, "+waited.Round(time.Millisecond).String()+" beside the troubled ones")
	})

	It("cost no more where many share a user name than where each has their own", func() {
		const identities = 200
		own := processorTime(func() { fleet(uniqueName("own"), identities, false) })
		shared := processorTime(func() { fleet(uniqueName("shared"), identities, true) })
		AddReportEntry("processor time", own.String()+" with names of their own, "+shared.String()+" with one name")
		// Nothing is issued for all but one of those who share a name: they have less to do.
		Expect(shared).To(BeNumerically("<", own))
	})
})

// fleet creates identities, waits until the operator has looked at each, and deletes them.
func fleet(base string, identities int, oneName bool) {
	GinkgoHelper()
	names := make([]string, identities)
	for i := range names {
		names[i] = uniqueName(base)
		identity := newIdentity(names[i], boundToUsername)
		if oneName {
			identity.Spec.Username = base
		}
		Expect(admin.Create(ctx, identity)).To(Succeed())
	}
	for _, name := range names {
		Eventually(condition(name, "Ready")).ShouldNot(BeEmpty())
	}
	for _, name := range names {
		Expect(admin.Delete(ctx, newIdentity(name))).To(Succeed())
	}
	Eventually(func() ([]corev1.Secret, error) {
		var left corev1.SecretList
		err := admin.List(ctx, &left, client.InNamespace(secretKey("").Namespace))
		return left.Items, err
	}).ShouldNot(ContainElement(HaveField("Name", HavePrefix(base))))
}

// processorTime returns what this process, and with it the operator, has computed meanwhile.
func processorTime(do func()) time.Duration {
	GinkgoHelper()
	used := func() time.Duration {
		var usage syscall.Rusage
		Expect(syscall.Getrusage(syscall.RUSAGE_SELF, &usage)).To(Succeed())
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := used()
	do()
	return used() - before
}
