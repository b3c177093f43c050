// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

type change = func(*v1alpha1.ClientIdentity)

// newIdentity returns an identity for the user of the same name.
func newIdentity(name string, changes ...change) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	identity.Spec.Username = name + "@example.com"
	for _, c := range changes {
		c(identity)
	}
	return identity
}

func bound(to v1alpha1.BindTo) change {
	return func(identity *v1alpha1.ClientIdentity) { identity.Spec.BindTo = to }
}

func inGroup(group string) change {
	return func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = append(identity.Spec.Groups, group) }
}

func inNoGroup(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = nil }

func withdrawn(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn }

// revoked revokes all certificates issued so far.
func revoked(identity *v1alpha1.ClientIdentity) {
	identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Now()}
}

// endingSoon ends the access in a moment: the API keeps whole seconds.
func endingSoon(identity *v1alpha1.ClientIdentity) {
	identity.Spec.AccessUntil = &metav1.Time{Time: time.Now().Add(2 * time.Second)}
}

// stolen revokes one certificate alone.
func stolen(fingerprint string) change {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RevokedCertificates = append(identity.Spec.RevokedCertificates,
			v1alpha1.RevokedCertificate{Fingerprint: fingerprint, Reason: "the laptop was stolen"})
	}
}

// create creates objects and deletes them after the spec.
func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
	}
}

// get returns the identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// update changes an identity. A merge patch has no quarrel with the operator's own writes.
func update(name string, changes ...change) {
	GinkgoHelper()
	identity := get(name)
	base := identity.DeepCopy()
	for _, c := range changes {
		c(identity)
	}
	Expect(admin.Patch(ctx, identity, client.MergeFrom(base))).To(Succeed())
}

// ready says whether an identity is ready, as its current spec has it.
func ready(name string) func() bool {
	return func() bool {
		GinkgoHelper()
		c := meta.FindStatusCondition(get(name).Status.Conditions, v1alpha1.ConditionReady)
		return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == get(name).Generation
	}
}

// publishedNow returns a copy of the kubeconfig that is published now, if one is.
func publishedNow(name string) (*holder.Copy, error) {
	secret := &corev1.Secret{}
	if err := admin.Get(ctx, client.ObjectKey{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}, secret); err != nil {
		return nil, err
	}
	return holder.Of(secret)
}

// published returns a copy of the kubeconfig that is published now.
func published(name string) *holder.Copy {
	GinkgoHelper()
	c, err := publishedNow(name)
	Expect(err).NotTo(HaveOccurred())
	return c
}

// leak creates an identity whose user somebody else has made an administrator, and returns a copy of its kubeconfig, which may do
// everything.
func leak(name string, changes ...change) *holder.Copy {
	GinkgoHelper()
	identity := newIdentity(name, changes...)
	makeAdministrator(identity.Spec.Username)
	create(identity)
	Eventually(ready(name)).Should(BeTrue(), name)
	c := published(name)
	Eventually(refused(c.Connection())).Should(BeEmpty())
	return c
}

// makeAdministrator gives a user every right, as somebody does who does not know of identities.
func makeAdministrator(user string) {
	GinkgoHelper()
	create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: uniqueName("from-others")},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
	})
}

// another waits until another certificate than those is published, and returns a copy of it, which may do everything.
func another(name string, than ...*holder.Copy) *holder.Copy {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		current, err := publishedNow(name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(slices.ContainsFunc(than, func(c *holder.Copy) bool { return c.Fingerprint == current.Fingerprint })).To(BeFalse())
		g.Expect(ready(name)()).To(BeTrue())
	}).Should(Succeed(), name)
	c := published(name)
	Eventually(refused(c.Connection())).Should(BeEmpty())
	return c
}

// aSecondLater waits until a revocation can be told from what was issued just now: whole seconds count.
func aSecondLater() {
	GinkgoHelper()
	began := time.Now().Truncate(time.Second)
	Eventually(time.Now).Should(BeTemporally(">=", began.Add(time.Second)))
}
