// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
)

// accountOf returns the ServiceAccount of an identity's invitations, or whatever has its name; nil where there is none.
func accountOf(name string) *corev1.ServiceAccount {
	GinkgoHelper()
	account := &corev1.ServiceAccount{}
	if err := admin.Get(ctx, enrolmentAccount(name), account); err != nil {
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		return nil
	}
	return account
}

// invitesWith returns the UID of the ServiceAccount that an identity's status speaks of; empty where it speaks of none.
func invitesWith(name string) func() types.UID {
	return func() types.UID {
		GinkgoHelper()
		if ref := get(name).Status.EnrolmentRef; ref != nil {
			return ref.UID
		}
		return ""
	}
}

// eventuallyAnew waits until another ServiceAccount is in the place of a former one, and the status speaks of it.
func eventuallyAnew(name string, former types.UID) *corev1.ServiceAccount {
	GinkgoHelper()
	Eventually(invitesWith(name)).ShouldNot(BeElementOf(former, types.UID("")))
	account := accountOf(name)
	Expect(account).NotTo(BeNil())
	Expect(account.UID).To(Equal(invitesWith(name)()))
	Expect(account.Labels).To(Equal(ourLabels(name)))
	Expect(metav1.IsControlledBy(account, get(name))).To(BeTrue())
	return account
}

// accept writes accepted invitations into a status, as the operator does.
func accept(name string, count int) {
	GinkgoHelper()
	identity := get(name)
	before := identity.DeepCopy()
	for i := range count {
		identity.Status.Invitations = append(identity.Status.Invitations, v1alpha1.AcceptedInvitation{ID: fmt.Sprintf("invitation-%d", i)})
	}
	Expect(admin.Status().Patch(ctx, identity, client.MergeFrom(before))).To(Succeed())
}

func mayRequest(connection *rest.Config) bool {
	GinkgoHelper()
	return may(connection, "create", "certificates.k8s.io", "certificatesigningrequests", "")
}

var _ = Describe("The ServiceAccount of invitations", func() {
	It("is never used where somebody else has one of its name, which is named, and made once that is gone", func() {
		name := uniqueName("foreign-account")
		planted := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: enrolmentAccount(name).Namespace, Name: enrolmentAccount(name).Name}}
		create(planted, newIdentity(name, byHolder))
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonEnrolmentConflict,
			`ServiceAccount "`+enrolmentAccount(name).String()+`" exists and is not owned by this ClientIdentity: delete it`))
		identity := get(name)
		Expect(identity.Status.EnrolmentRef).To(BeNil())
		Eventually(func() error {
			return readsSecret(as(identity.Spec.Username), client.ObjectKeyFromObject(publishedSecret(identity)))
		}).Should(Succeed())
		Expect(mayRequest(invited(name))).To(BeFalse())
		Expect(readsSecret(invited(name), client.ObjectKeyFromObject(publishedSecret(identity)))).To(MatchError(ContainSubstring("forbidden")))
		Expect(accountOf(name).UID).To(Equal(planted.UID))
		Expect(accountOf(name).Labels).To(BeEmpty())

		Expect(admin.Delete(ctx, planted)).To(Succeed())
		eventuallyAnew(name, planted.UID)
		eventuallyEnrollable(name)
	})

	It("is none that another identity owns", func() {
		name, other := uniqueName("owned-account"), uniqueName("owned-account")
		create(newIdentity(other))
		seen := record(&v1alpha1.ClientIdentityList{}, inName(name))
		planted := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: enrolmentAccount(name).Namespace, Name: enrolmentAccount(name).Name, Labels: ourLabels(name), OwnerReferences: forgedOwner(eventuallyReady(other)),
		}}
		create(planted, newIdentity(name, byHolder))
		eventuallyEnrollable(name) // the other identity is to have none: it goes
		for _, event := range seen.seen() {
			if ref := event.Object.(*v1alpha1.ClientIdentity).Status.EnrolmentRef; ref != nil {
				Expect(ref.UID).NotTo(Equal(planted.UID))
			}
		}
	})

	DescribeTable("is made anew, and what was invited with the former one is nothing any more, where it",
		func(happens func(name string, account *corev1.ServiceAccount)) {
			name := uniqueName("anew")
			create(newIdentity(name, byHolder))
			eventuallyEnrollable(name)
			former := accountOf(name)
			invitation := invited(name) // not used yet: API servers remember for ten seconds whose a token was
			accept(name, 2)

			happens(name, former)
			eventuallyAnew(name, former.UID)
			Eventually(func() []v1alpha1.AcceptedInvitation { return get(name).Status.Invitations }).Should(BeEmpty())
			Eventually(func() error { _, err := whoAmI(invitation); return err }).Should(MatchError(apierrors.IsUnauthorized, "unauthorized"))
			eventuallyEnrollable(name)
			Eventually(func() bool { return mayRequest(invited(name)) }).Should(BeTrue())
		},
		Entry("is deleted", func(_ string, account *corev1.ServiceAccount) { Expect(admin.Delete(ctx, account)).To(Succeed()) }),
		Entry("was restored from a backup", func(name string, account *corev1.ServiceAccount) {
			copied := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: account.Name, Labels: account.Labels}}
			stopOperator()
			Expect(admin.Delete(ctx, account)).To(Succeed())
			Expect(admin.Create(ctx, copied)).To(Succeed())
			startOperator()
			Eventually(invitesWith(name)).ShouldNot(BeElementOf(account.UID, copied.UID, types.UID("")))
		}, Serial),
		Entry("loses our labels", func(_ string, account *corev1.ServiceAccount) {
			change(account, func(a *corev1.ServiceAccount) { a.Labels = nil })
		}),
		Entry("loses its owner", func(_ string, account *corev1.ServiceAccount) {
			change(account, func(a *corev1.ServiceAccount) { a.OwnerReferences = nil })
		}),
		Entry("is one from before revokeIssuedBefore", func(name string, _ *corev1.ServiceAccount) {
			now := metav1.Now().Rfc3339Copy()
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RevokeIssuedBefore = &now })
			Eventually(func() bool {
				ref := get(name).Status.EnrolmentRef
				return ref != nil && ref.RevokeIssuedBefore.Equal(&now)
			}).Should(BeTrue())
		}),
		Entry("has as many accepted invitations as the status has room for", func(name string, _ *corev1.ServiceAccount) {
			Expect(get(name).Status.Invitations).NotTo(BeEmpty())
			identity := get(name)
			before := identity.DeepCopy()
			for i := len(identity.Status.Invitations); i < 64; i++ {
				identity.Status.Invitations = append(identity.Status.Invitations, v1alpha1.AcceptedInvitation{ID: fmt.Sprintf("more-%d", i)})
			}
			Expect(admin.Status().Patch(ctx, identity, client.MergeFrom(before))).To(Succeed())
		}),
	)

	It("is waited for, and forgets no invitation, while somebody's finalizer keeps the former one", func() {
		name := uniqueName("held-account")
		create(newIdentity(name, byHolder))
		eventuallyEnrollable(name)
		former := accountOf(name)
		change(former, func(a *corev1.ServiceAccount) { a.Finalizers = []string{plantedFinalizer} })
		DeferCleanup(func() { release(former) })
		accept(name, 64)
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonEnrolmentConflict,
			`ServiceAccount "`+enrolmentAccount(name).String()+`" is being deleted but has finalizers: remove them`))
		identity := get(name)
		Expect(identity.Status.EnrolmentRef).To(BeNil(), "nobody is invited meanwhile")
		Expect(identity.Status.Invitations).To(HaveLen(64))
		release(former)
		eventuallyAnew(name, former.UID)
		Eventually(func() []v1alpha1.AcceptedInvitation { return get(name).Status.Invitations }).Should(BeEmpty())
	})

	It("follows the Secret into another namespace, and is gone from the former one", Serial, func() {
		name, namespace := uniqueName("moved-account"), createNamespace("elsewhere", nil)
		allowSecrets(namespace)
		restartOperator(func(options *manager.Options) { options.SecretNamespaces = append(options.SecretNamespaces, namespace) })
		create(newIdentity(name, byHolder))
		former := accountOf(eventuallyEnrollable(name).Name)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Namespace = namespace })
		Eventually(func() string { ref := get(name).Status.EnrolmentRef; return ref.Namespace }).Should(Equal(namespace))
		identity := eventuallyEnrollable(name)
		Expect(identity.Status.SecretRef.Namespace).To(Equal(namespace))
		Eventually(func() *corev1.ServiceAccount { return accountOf(name) }).Should(BeNil())
		Eventually(secretsOf(name)).Should(ConsistOf(name + "-kubeconfig"))
		Expect(identity.Status.EnrolmentRef.UID).NotTo(Equal(former.UID))
	})

	It("goes with the access of the identity, and comes back with it", func() {
		name := uniqueName("withdrawn-account")
		create(newIdentity(name, byHolder))
		eventuallyEnrollable(name)
		former, invitation := accountOf(name), invited(name)
		update(name, withdrawn)
		Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).Should(haveCondition(v1alpha1.ConditionWithdrawn, metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState))
		Expect(accountOf(name)).To(BeNil())
		Expect(get(name).Status.EnrolmentRef).To(BeNil())
		Expect(bindingsOf(name)()).To(BeEmpty())
		Expect(secretsOf(name)()).To(BeEmpty())
		Eventually(func() error { _, err := whoAmI(invitation); return err }).Should(MatchError(apierrors.IsUnauthorized, "unauthorized"))

		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateActive })
		eventuallyAnew(name, former.UID)
		eventuallyEnrollable(name)
	})

	It("goes with the identity", func() {
		name := uniqueName("deleted-account")
		create(newIdentity(name, byHolder))
		Expect(admin.Delete(ctx, eventuallyEnrollable(name))).To(Succeed())
		Eventually(func() *corev1.ServiceAccount { return accountOf(name) }).Should(BeNil())
	})
})
