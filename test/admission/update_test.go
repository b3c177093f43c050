// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

type change = func(*v1alpha1.ClientIdentity)

// all makes several changes at once.
func all(changes ...change) change {
	return func(identity *v1alpha1.ClientIdentity) {
		for _, c := range changes {
			c(identity)
		}
	}
}

func withdraw(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn }

func revoke(identity *v1alpha1.ClientIdentity) {
	identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func moveSecret(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Namespace = "dev" }

func redirect(identity *v1alpha1.ClientIdentity) {
	identity.Spec.Kubeconfig.Server = "https://evil.example.com"
}

// nextYear is what the identities below end with.
var nextYear = metav1.Time{Time: time.Date(time.Now().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)}

// root returns an identity that an administrator made for an administrator.
func root(changes ...change) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := newIdentity(uniqueName("root"), append([]change{func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.Groups = []string{"admins", "team-a"}
		identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "all", RoleRef: v1alpha1.ClusterRoleRef{Name: "cluster-admin"}}}
		identity.Spec.AccessUntil = &nextYear
	}}, changes...)...)
	create(identity)
	return identity
}

// byHolder is a change: the holder makes the keys.
func byHolder(identity *v1alpha1.ClientIdentity) {
	identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder
}

// devices is a change of the number of devices.
func devices(most int32) change {
	return func(identity *v1alpha1.ClientIdentity) { identity.Spec.MaxDevices = ptr.To(most) }
}

var _ = Describe("Changing an identity of somebody greater", func() {
	DescribeTable("is refused where it does more than take access away, however much the author holds besides, and open to who holds it all",
		func(c change, before ...change) {
			identity := root(before...)
			user, author := newAuthor()
			// All that Secrets could need: what is missing is what the identity gives.
			grant(user, may("create", "secrets"), may("update", "secrets"), may("get", "secrets"))
			refused := beRefused("checked like a new identity", `resources: [users], verbs: [impersonate], resourceNames: ["`+identity.Spec.Username+`"]`,
				`resources: [groups], verbs: [impersonate], resourceNames: ["admins"`, `resources: [clusterroles], verbs: [bind], resourceNames: ["cluster-admin"]`)

			identity = get(identity.Name)
			By("a patch")
			Eventually(func() error { return patch(author, identity.Name, c) }).Should(refused)
			By("an update")
			// The operator may write the status in between: a conflict is no refusal.
			var changed *v1alpha1.ClientIdentity
			Eventually(func() error {
				changed = get(identity.Name)
				c(changed)
				return author.Update(ctx, changed)
			}).Should(refused)
			By("a server-side apply")
			applied := newIdentity(identity.Name)
			applied.Spec = *changed.Spec.DeepCopy()
			applied.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClientIdentity"))
			// It takes no field away that somebody else has set: such an attempt changes nothing.
			Expect(author.Patch(ctx, applied, client.Apply, client.ForceOwnership, client.FieldOwner(user))).To(Or(Succeed(), refused)) //nolint:staticcheck // typed objects have no other way yet
			Expect(get(identity.Name).Spec).To(BeComparableTo(identity.Spec), "the identity was changed")
			By("an administrator")
			Expect(patch(admin, identity.Name, c)).To(Succeed())
		},
		Entry("moving the Secret to where the author reads it", moveSecret),
		Entry("renaming the Secret", func(i *v1alpha1.ClientIdentity) { i.Spec.Secret.Name = "mine" }),
		Entry("labelling the Secret", func(i *v1alpha1.ClientIdentity) {
			i.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"copy": "me"}
		}),
		Entry("redirecting the kubeconfig to a server of the author's", redirect),
		Entry("redirecting the kubeconfig through a proxy of the author's", func(i *v1alpha1.ClientIdentity) { i.Spec.Kubeconfig.ProxyURL = "http://evil.example.com" }),
		Entry("prolonging access", func(i *v1alpha1.ClientIdentity) { i.Spec.AccessUntil.Time = nextYear.AddDate(1, 0, 0) }),
		Entry("lifting the end of access", func(i *v1alpha1.ClientIdentity) { i.Spec.AccessUntil = nil }),
		Entry("reactivating it", func(i *v1alpha1.ClientIdentity) { i.Spec.State = v1alpha1.StateActive }, withdraw),
		Entry("a longer ttl", func(i *v1alpha1.ClientIdentity) { i.Spec.TTL.Duration = 8760 * time.Hour }),
		Entry("another group", func(i *v1alpha1.ClientIdentity) { i.Spec.Groups = append(i.Spec.Groups, "more") }),
		Entry("another binding", func(i *v1alpha1.ClientIdentity) {
			i.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "b", Namespace: "dev", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}}}
		}),
		Entry("bound to something else", func(i *v1alpha1.ClientIdentity) { i.Spec.BindTo = v1alpha1.BindToCredential }),
		Entry("letting holders make the keys", byHolder),
		Entry("having the operator make the keys again", func(i *v1alpha1.ClientIdentity) { i.Spec.PrivateKey.Source = v1alpha1.SourceOperator }, byHolder),
		Entry("more devices", devices(6), byHolder),
		Entry("withdrawing it and moving the Secret in one go", all(withdraw, moveSecret)),
		Entry("revoking it and moving the Secret in one go", all(revoke, moveSecret)),
		Entry("withdrawing, revoking and redirecting it in one go", all(withdraw, revoke, redirect)),
		Entry("reactivating and revoking it in one go", all(revoke, func(i *v1alpha1.ClientIdentity) { i.Spec.State = v1alpha1.StateActive }), withdraw),
	)

	DescribeTable("needs nothing where it only takes access away",
		func(c change, before ...change) {
			identity := root(before...)
			_, author := newAuthor()
			Eventually(func() error { return patch(author, identity.Name, c) }).Should(Succeed())
		},
		Entry("withdrawing it", withdraw),
		Entry("revoking it", revoke),
		Entry("both", all(withdraw, revoke)),
		Entry("fewer groups", func(i *v1alpha1.ClientIdentity) { i.Spec.Groups = []string{"team-a"} }),
		Entry("fewer bindings", func(i *v1alpha1.ClientIdentity) { i.Spec.ClusterRoleBindings = nil }),
		Entry("a binding that ends", func(i *v1alpha1.ClientIdentity) { i.Spec.ClusterRoleBindings[0].ValidUntil = &nextYear }),
		Entry("an earlier end", func(i *v1alpha1.ClientIdentity) { i.Spec.AccessUntil.Time = nextYear.AddDate(0, 0, -1) }),
		Entry("a shorter ttl", func(i *v1alpha1.ClientIdentity) { i.Spec.TTL.Duration = time.Hour }),
		Entry("fewer devices", devices(4), byHolder),
		Entry("as many devices as by default", func(i *v1alpha1.ClientIdentity) { i.Spec.MaxDevices = nil }, all(byHolder, devices(6))),
		Entry("a label", func(i *v1alpha1.ClientIdentity) { i.Labels = map[string]string{"team": "a"} }),
		Entry("asking for a renewal", func(i *v1alpha1.ClientIdentity) {
			metav1.SetMetaDataAnnotation(&i.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, "now")
		}),
	)

	It("cannot be done in its status, which is the operator's", func() {
		identity := root()
		_, author := newAuthor()
		forged := get(identity.Name)
		forged.Status.SecretRef = &v1alpha1.SecretReference{Namespace: "dev", Name: "mine"}
		err := author.Status().Update(ctx, forged)
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("clientidentities/status")))
	})
})
