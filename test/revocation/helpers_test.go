// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"slices"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/property"
)

type change = func(*v1alpha1.ClientIdentity)

// offset is a clock that is ahead of the real one.
type offset struct{ by atomic.Int64 }

func (o *offset) Now() time.Time                  { return time.Now().Add(time.Duration(o.by.Load())) }
func (o *offset) Since(t time.Time) time.Duration { return o.Now().Sub(t) }
func (o *offset) step(d time.Duration)            { o.by.Add(int64(d)) }

// newIdentity returns an identity that is bound to its credential, for the user of the same name.
func newIdentity(name string, changes ...change) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	identity.Spec.Username = name + "@example.com"
	identity.Spec.BindTo = v1alpha1.BindToCredential
	for _, c := range changes {
		c(identity)
	}
	return identity
}

func boundIn(namespace string) change {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RoleBindings = append(identity.Spec.RoleBindings, v1alpha1.RoleBinding{
			Name: "view", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"},
		})
	}
}

func boundEverywhere(identity *v1alpha1.ClientIdentity) {
	identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "view", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}}
}

func readable(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.HolderCanRead = true }

func boundToUsername(identity *v1alpha1.ClientIdentity) {
	identity.Spec.BindTo = v1alpha1.BindToUsername
}

func boundToCredential(identity *v1alpha1.ClientIdentity) {
	identity.Spec.BindTo = v1alpha1.BindToCredential
}

func keepsKey(identity *v1alpha1.ClientIdentity) {
	identity.Spec.PrivateKey.RotationPolicy = v1alpha1.RotationNever
}

func withdrawn(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn }

// revoked revokes all certificates issued so far.
func revoked(identity *v1alpha1.ClientIdentity) {
	identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Now()}
}

// revokedAsOf revokes what was issued before some time ago: a leak that was noticed late, or a slow clock.
func revokedAsOf(ago time.Duration) change {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Now().Add(-ago)}
	}
}

// create creates objects and deletes them after the spec.
func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() { remove(object) })
	}
}

// remove deletes an object and waits until it is gone; namespaces take their time.
func remove(object client.Object) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
	if _, is := object.(*corev1.Namespace); is {
		return
	}
	Eventually(func() bool {
		return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(object), object))
	}).Should(BeTrue())
}

// createNamespace creates a namespace with a unique name and returns the name.
func createNamespace(base string) string {
	GinkgoHelper()
	name := uniqueName(base)
	create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"purpose": base}}})
	return name
}

// get returns the identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// patch changes an identity. A merge patch has no quarrel with the operator's own writes.
func patch(name string, changes ...change) error {
	GinkgoHelper()
	identity := get(name)
	base := identity.DeepCopy()
	for _, c := range changes {
		c(identity)
	}
	return admin.Patch(ctx, identity, client.MergeFrom(base))
}

// update changes an identity.
func update(name string, changes ...change) {
	GinkgoHelper()
	Expect(patch(name, changes...)).To(Succeed())
}

// condition returns a condition as "status reason: message", "" where there is none, or where the status is not about the
// current spec.
func condition(name, conditionType string) func() string {
	return func() string {
		GinkgoHelper()
		identity := get(name)
		c := meta.FindStatusCondition(identity.Status.Conditions, conditionType)
		if c == nil || identity.Status.ObservedGeneration != identity.Generation {
			return ""
		}
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
}

// eventuallyReady waits until the identity is ready and returns it.
func eventuallyReady(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	Eventually(condition(name, v1alpha1.ConditionReady)).Should(HavePrefix("True "), name)
	return get(name)
}

// eventuallyRevoked waits until the status says that nothing from before has any right, and that all is well again.
func eventuallyRevoked(name string) {
	GinkgoHelper()
	Eventually(condition(name, property.RevocationComplete)).Should(HavePrefix("True "+property.Revoked+": "), name)
	eventuallyReady(name)
}

// eventuallyAnother waits until another certificate than that of the copy is published, and returns a copy of it.
func eventuallyAnother(name string, than *holder.Copy) *holder.Copy {
	GinkgoHelper()
	Eventually(func() string { return publishedCopy(get(name)).Fingerprint }).ShouldNot(Equal(than.Fingerprint))
	eventuallyReady(name)
	return publishedCopy(get(name))
}

// secretKey is where an identity's Secret is published by default.
func secretKey(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}
}

// publishedCopy returns a copy of the kubeconfig that is published now.
func publishedCopy(identity *v1alpha1.ClientIdentity) *holder.Copy {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, secretKey(identity.Name), secret)).To(Succeed())
	c, err := holder.Of(secret)
	Expect(err).NotTo(HaveOccurred())
	return c
}

// has returns what a copy may still do of what it was granted.
func has(c *holder.Copy, rights ...holder.Right) func() ([]holder.Right, error) {
	return func() ([]holder.Right, error) { return c.Has(ctx, rights...) }
}

// leak creates an identity that grants these rights, and returns a copy of its kubeconfig that has them.
func leak(name string, rights []holder.Right, changes ...change) *holder.Copy {
	GinkgoHelper()
	create(newIdentity(name, changes...))
	c := publishedCopy(eventuallyReady(name))
	Eventually(has(c, rights...)).Should(ConsistOf(rights))
	if get(name).Spec.Secret.HolderCanRead {
		Eventually(reads(c, name)).Should(Equal(c.Fingerprint))
	}
	return c
}

// reads returns the fingerprint of what a copy reads in the Secret.
func reads(c *holder.Copy, name string) func() (string, error) {
	return func() (string, error) {
		found, err := c.ReadSecret(ctx, secretKey(name))
		if err != nil {
			return "", err
		}
		return found.Fingerprint, nil
	}
}

// beForbidden matches the error of a request that RBAC does not allow.
func beForbidden() gomegatypes.GomegaMatcher {
	return WithTransform(apierrors.IsForbidden, BeTrue())
}

// cannotRead waits until a copy may not read the Secret.
func cannotRead(c *holder.Copy, name string) {
	GinkgoHelper()
	Eventually(func() error { _, err := c.ReadSecret(ctx, secretKey(name)); return err }).Should(beForbidden())
}

// bindingsOf returns the role bindings of an identity, by label.
func bindingsOf(name string) []rbacv1.RoleBinding {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(admin.List(ctx, &list, client.MatchingLabels{v1alpha1.IdentityLabel: name})).To(Succeed())
	return list.Items
}

// bindingIn returns the binding of an identity in a namespace, or any where none is given.
func bindingIn(name, namespace string) *rbacv1.RoleBinding {
	GinkgoHelper()
	for _, b := range bindingsOf(name) {
		if namespace == "" || b.Namespace == namespace {
			return &b
		}
	}
	Fail("no binding of " + name + " in " + namespace)
	return nil
}

// bindingsNaming returns the bindings of an identity that name a group of the copy.
func bindingsNaming(name string, c *holder.Copy) []string {
	GinkgoHelper()
	var naming []string
	for _, b := range bindingsOf(name) {
		for _, s := range b.Subjects {
			if slices.Contains(c.Groups, s.Name) {
				naming = append(naming, b.Namespace+"/"+b.Name)
			}
		}
	}
	return naming
}
