// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// newIdentity creates an identity for the user of the same name, and waits until it is ready.
func newIdentity(base string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := unready(base, changes...)
	return eventuallyReady(identity.Name)
}

// unready creates an identity, and does not wait.
func unready(base string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = uniqueName(base)
	identity.Spec.Username = identity.Name + "@example.com"
	for _, change := range changes {
		change(identity)
	}
	create(identity)
	return identity
}

// get returns an identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// update changes an identity.
func update(name string, change func(*v1alpha1.ClientIdentity)) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		GinkgoHelper()
		identity := get(name)
		change(identity)
		return admin.Update(ctx, identity)
	})).To(Succeed())
}

// eventuallyReady waits until an identity is ready, as it is asked for now.
func eventuallyReady(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	return eventually(name, v1alpha1.ConditionReady, metav1.ConditionTrue)
}

// eventually waits until a condition of an identity has that status, for what is asked for now.
func eventually(name, conditionType string, status metav1.ConditionStatus) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	var identity *v1alpha1.ClientIdentity
	Eventually(func(g Gomega) {
		identity = get(name)
		c := meta.FindStatusCondition(identity.Status.Conditions, conditionType)
		g.Expect(c).NotTo(BeNil(), conditionType)
		g.Expect(c.Status).To(Equal(status), c.Message)
		g.Expect(identity.Status.ObservedGeneration).To(Equal(identity.Generation))
	}).Should(Succeed())
	return identity
}

// selfReview asks who one is, which every user may.
func selfReview() *authenticationv1.SelfSubjectReview { return &authenticationv1.SelfSubjectReview{} }
