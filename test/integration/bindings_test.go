// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("Role bindings", func() {
	DescribeTable("come back as they were",
		func(edit func(client.Object), alter func(*[]rbacv1.Subject)) {
			name, namespace := uniqueName("edited"), createNamespace("edited", nil)
			create(newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view")))
			identity := eventuallyReady(name)
			binding, everywhere := devBinding(name, namespace, "view"), allBinding(name, "view")
			change(binding, func(b *rbacv1.RoleBinding) { edit(b); alter(&b.Subjects) })
			change(everywhere, func(b *rbacv1.ClusterRoleBinding) { edit(b); alter(&b.Subjects) })
			whole := func(g Gomega, object client.Object, subjects []rbacv1.Subject) {
				g.Expect(subjects).To(ConsistOf(user(identity.Spec.Username)))
				g.Expect(object.GetLabels()).To(And(HaveKeyWithValue(v1alpha1.ManagedByLabel, v1alpha1.ManagedByValue), HaveKeyWithValue(v1alpha1.IdentityLabel, name)))
				g.Expect(metav1.IsControlledBy(object, identity)).To(BeTrue(), "the owner")
			}
			Eventually(func(g Gomega) {
				b, c := devBinding(name, namespace, "view"), allBinding(name, "view")
				g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
				whole(g, b, b.Subjects)
				g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
				whole(g, c, c.Subjects)
			}).Should(Succeed())
			Expect(may(holder(eventuallyReady(name)), "list", "", "configmaps", namespace)).To(BeTrue())
		},
		Entry("where somebody was added", nothing, func(subjects *[]rbacv1.Subject) { *subjects = append(*subjects, user("somebody")) }),
		Entry("where somebody else was put in", nothing, func(subjects *[]rbacv1.Subject) { *subjects = []rbacv1.Subject{user("somebody")} }),
		Entry("where the subjects were removed", nothing, func(subjects *[]rbacv1.Subject) { *subjects = nil }),
		Entry("where the labels were taken off", func(object client.Object) { object.SetLabels(nil) }, untouched),
		Entry("where the labels were taken off and somebody was added", func(object client.Object) { object.SetLabels(nil) },
			func(subjects *[]rbacv1.Subject) { *subjects = append(*subjects, user("somebody")) }),
		Entry("where the owner was taken off", func(object client.Object) { object.SetOwnerReferences(nil) }, untouched),
	)

	It("come back where they were deleted, also many times", func() {
		name, namespace := uniqueName("deleted"), createNamespace("deleted", nil)
		create(newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view")))
		eventuallyReady(name)
		for range 3 {
			binding, everywhere := devBinding(name, namespace, "view"), allBinding(name, "view")
			for _, object := range []client.Object{binding, everywhere} {
				old := uidOf(object)()
				Expect(admin.Delete(ctx, object)).To(Succeed())
				Eventually(uidOf(object)).ShouldNot(Or(BeEmpty(), Equal(old)))
			}
		}
		Expect(revision(name)()).To(BeEquivalentTo(1))
	})

	It("keep the labels and annotations of others when they are corrected", func() {
		name, namespace := uniqueName("foreign"), createNamespace("foreign", nil)
		create(newIdentity(name, boundIn(namespace, "view")))
		eventuallyReady(name)
		binding := devBinding(name, namespace, "view")
		change(binding, func(b *rbacv1.RoleBinding) {
			b.Labels["example.com/theirs"] = "1"
			b.Annotations = map[string]string{"example.com/their-note": "1"}
			b.Subjects = nil
		})
		Eventually(func() []rbacv1.Subject { return roleBindingsOf(name)[0].Subjects }).Should(HaveLen(1))
		Expect(roleBindingsOf(name)[0].Labels).To(HaveKey("example.com/theirs"))
		Expect(roleBindingsOf(name)[0].Annotations).To(HaveKey("example.com/their-note"))
	})

	It("go when they are asked for no longer, and name a group where that is asked for", func() {
		name, namespace := uniqueName("unasked"), createNamespace("unasked", nil)
		create(newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view"), func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Groups = []string{"team-" + name}
			identity.Spec.RoleBindings[0].Group = "team-" + name
		}))
		identity := eventuallyReady(name)
		Expect(roleBindingsOf(name)[0].Subjects).To(ConsistOf(rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "team-" + name}))
		Expect(may(holder(identity), "list", "", "configmaps", namespace)).To(BeTrue())
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.ClusterRoleBindings = nil })
		Eventually(bindingsOf(name)).Should(ConsistOf("RoleBinding " + namespace + "/view"))
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RoleBindings = nil })
		Eventually(bindingsOf(name)).Should(BeEmpty())
		Eventually(func() int32 { return get(name).Status.BoundBindings }).Should(BeZero())
		Eventually(may).WithArguments(holder(identity), "list", "", "configmaps", namespace).Should(BeFalse())
	})

	It("to another role are made before the old ones go", func() {
		name, namespace := uniqueName("other-role"), createNamespace("other-role", nil)
		create(newIdentity(name, boundIn(namespace, "view")))
		eventuallyReady(name)
		seen := record(&rbacv1.RoleBindingList{}, client.MatchingLabels(ourLabels(name)))
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RoleBindings[0].RoleRef.Name = "edit" })
		Eventually(bindingsOf(name)).Should(ConsistOf("RoleBinding " + namespace + "/edit"))
		var order []string
		Eventually(func() []string {
			order = nil
			for _, event := range seen.seen() {
				if role := event.Object.(*rbacv1.RoleBinding).RoleRef.Name; (role == "edit") == (event.Type == watch.Added) {
					order = append(order, string(event.Type)+" "+role)
				}
			}
			return order
		}).Should(ContainElement("DELETED view"))
		Expect(slices.Index(order, "ADDED edit")).To(BeElementOf(0), "order: %v", order)
	})

	It("wait for a namespace that appears later, and hold up neither the others nor the credential", func() {
		name, here, later := uniqueName("later"), createNamespace("here", nil), uniqueName("later-ns")
		create(newIdentity(name, boundIn(later, "view"), func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings[0].Name = "later"
		}, boundIn(here, "view")))
		words := `role binding "later" waits for namespace "` + later + `", which does not exist: create it or remove the binding`
		Eventually(state(name, v1alpha1.ConditionAccessBound)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonNamespaceMissing, words))
		Eventually(state(name, v1alpha1.ConditionCertificateIssued)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonIssued, ""))
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonNamespaceMissing, words))
		Expect(may(holder(get(name)), "list", "", "configmaps", here)).To(BeTrue())
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: later}})
		identity := eventuallyReady(name)
		Expect(identity.Status.BoundBindings).To(BeEquivalentTo(2))
		Expect(may(holder(identity), "list", "", "configmaps", later)).To(BeTrue())
	})

	It("say that their namespace is being deleted, and come back when it is created again", func() {
		name, namespace, here := uniqueName("terminating"), uniqueName("terminating-ns"), createNamespace("here", nil)
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		holds := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "holds", Finalizers: []string{plantedFinalizer}}}
		Expect(admin.Create(ctx, holds)).To(Succeed())
		DeferCleanup(release, holds)
		create(newIdentity(name, boundIn(namespace, "view"), func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings[0].Name = "gone"
		}, boundIn(here, "view")))
		eventuallyReady(name)
		going := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		Expect(admin.Delete(ctx, going)).To(Succeed())
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonNamespaceMissing,
			`role binding "gone" waits for namespace "`+namespace+`", which is being deleted: create it again or remove the binding`))
		Eventually(bindingsOf(name)).Should(ConsistOf("RoleBinding " + here + "/view"))
		release(holds)
		Eventually(uidOf(going)).Should(BeEmpty())
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		Expect(may(holder(eventuallyReady(name)), "list", "", "configmaps", namespace)).To(BeTrue())
	})

	It("by selector follow the labels of namespaces both ways, but never into kube-system or where Secrets are published", func() {
		team := map[string]string{"example.com/team": uniqueName("team")}
		a, b := createNamespace("selected", team), createNamespace("selected", nil)
		label := func(namespace string, labels map[string]string) {
			change(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, func(ns *corev1.Namespace) {
				delete(ns.Labels, "example.com/team")
				for k, v := range labels {
					metav1.SetMetaDataLabel(&ns.ObjectMeta, k, v)
				}
			})
		}
		for _, protected := range []string{metav1.NamespaceSystem, operator.SecretNamespace} {
			label(protected, team)
			DeferCleanup(label, protected, map[string]string(nil))
		}
		name := uniqueName("selector")
		create(newIdentity(name, boundIn("", "view"), func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings[0].NamespaceSelector = &v1alpha1.NamespaceSelector{
				MatchLabels: map[string]v1alpha1.LabelValue{"example.com/team": v1alpha1.LabelValue(team["example.com/team"])},
			}
		}))
		eventuallyReady(name)
		Expect(bindingsOf(name)()).To(ConsistOf("RoleBinding " + a + "/view"))
		label(b, team)
		Eventually(bindingsOf(name)).Should(ConsistOf("RoleBinding "+a+"/view", "RoleBinding "+b+"/view"))
		label(a, nil)
		Eventually(bindingsOf(name)).Should(ConsistOf("RoleBinding " + b + "/view"))
		c := createNamespace("selected", team)
		Eventually(bindingsOf(name)).Should(ConsistOf("RoleBinding "+b+"/view", "RoleBinding "+c+"/view"))
		Eventually(func() int32 { return eventuallyReady(name).Status.BoundBindings }).Should(BeEquivalentTo(2))
	})

	It("that are not wanted any more are emptied and named while somebody's finalizer holds them", func() {
		name, namespace := uniqueName("clinging"), createNamespace("clinging", nil)
		create(newIdentity(name, boundIn(namespace, "view")))
		identity := eventuallyReady(name)
		binding := devBinding(name, namespace, "view")
		change(binding, func(b *rbacv1.RoleBinding) { b.Finalizers = []string{plantedFinalizer} })
		DeferCleanup(release, binding)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RoleBindings = nil })
		Eventually(state(name, v1alpha1.ConditionReady)).Should(And(
			begin(metav1.ConditionFalse, v1alpha1.ReasonBindingTerminating, ""),
			ContainSubstring(`RoleBinding "`+namespace+"/"+binding.Name+`" is being deleted but has finalizers: remove them`)))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
		Expect(binding.Subjects).To(BeEmpty())
		Expect(may(holder(identity), "list", "", "configmaps", namespace)).To(BeFalse())
		release(binding)
		eventuallyReady(name)
		Expect(bindingsOf(name)()).To(BeEmpty())
	})

	Context("with a time", func() {
		// in returns a moment some seconds away, in the whole seconds that the API keeps.
		in := func(seconds int) *metav1.Time {
			return &metav1.Time{Time: time.Now().Truncate(time.Second).Add(time.Duration(seconds) * time.Second)}
		}
		timed := func(from, until *metav1.Time) func(*v1alpha1.ClientIdentity) {
			return func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.RoleBindings[0].BindingWindow = v1alpha1.BindingWindow{ValidFrom: from, ValidUntil: until}
			}
		}

		It("exist exactly in it", func() {
			name, namespace := uniqueName("timed"), createNamespace("timed", nil)
			from, until := in(3), in(6)
			create(newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view"), timed(from, until)))
			seen := record(&rbacv1.RoleBindingList{}, client.MatchingLabels(ourLabels(name)))
			eventuallyReady(name)
			Eventually(seen.seen).Should(HaveLen(1))
			Expect(time.Now()).NotTo(BeTemporally("<", from.Time), "it exists before its time")
			Eventually(seen.seen).Should(HaveLen(2))
			Expect(time.Now()).NotTo(BeTemporally("<", until.Time), "it went before its time")
			Expect(bindingsOf(name)()).To(ConsistOf("ClusterRoleBinding view"))
			eventuallyReady(name)
		})

		It("go after a restart where they ended meanwhile, and come where they began", func() {
			name, other, namespace := uniqueName("ended"), uniqueName("began"), createNamespace("timed", nil)
			edge := in(3)
			create(newIdentity(name, boundIn(namespace, "view"), timed(nil, edge)), newIdentity(other, boundIn(namespace, "view"), timed(edge, nil)))
			eventuallyReady(name)
			eventuallyReady(other)
			Expect(bindingsOf(name)()).To(HaveLen(1))
			Expect(bindingsOf(other)()).To(BeEmpty())
			stopOperator()
			Eventually(time.Now).Should(BeTemporally(">=", edge.Time))
			startOperator()
			Eventually(bindingsOf(name)).Should(BeEmpty())
			Eventually(bindingsOf(other)).Should(HaveLen(1))
		}, Serial)
	})
})

// nothing leaves an object as it is.
func nothing(client.Object) {}

// untouched leaves subjects as they are.
func untouched(*[]rbacv1.Subject) {}
