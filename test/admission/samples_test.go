// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// beDeniedBy matches an error of a ValidatingAdmissionPolicy with that message.
func beDeniedBy(policy, message string) gomegatypes.GomegaMatcher {
	return And(
		MatchError(ContainSubstring(`ValidatingAdmissionPolicy '`+policy+`'`)),
		MatchError(ContainSubstring(message)),
	)
}

// roleIn binds a ClusterRole in a namespace.
func roleIn(namespace, role string) change {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RoleBindings = append(identity.Spec.RoleBindings, v1alpha1.RoleBinding{
			Name: role, Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: role}})
	}
}

func inGroups(groups ...string) change {
	return func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = groups }
}

var _ = Describe("The delegation sample", Ordered, Serial, func() {
	var lead client.Client
	// member is an identity for a member of team-a.
	member := func(name, user string, changes ...change) *v1alpha1.ClientIdentity {
		return newIdentity(name, append([]change{func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Username = user
			identity.Spec.Groups = []string{"team-a"}
		}, roleIn("team-a", "edit")}, changes...)...)
	}

	BeforeAll(func() {
		Expect(operator.Apply(ctx, cp, "config/samples/delegation")).To(Succeed())
		lead = as("lead@example.com", "team-a-leads")
		Eventually(func() error {
			return lead.Create(ctx, member("team-a-ann", "ann@example.com"), client.DryRunAll)
		}).Should(Succeed())
		// The policy is in force once it refuses something.
		Eventually(func() error { return lead.Create(ctx, member("ann", "ann@example.com"), client.DryRunAll) }).
			Should(beDeniedBy("team-a-leads", "manage the identities whose name begins with team-a-"))
	})

	It("lets a lead make, hand over, change and end the identities of the team", func() {
		ann := member("team-a-ann", "ann@example.com")
		Expect(lead.Create(ctx, ann)).To(Succeed())
		cleanUp(ann)
		eventuallyReady(ann.Name)
		Expect(lead.Get(ctx, client.ObjectKey{Namespace: "client-identities", Name: "team-a-ann-kubeconfig"}, &corev1.Secret{})).To(Succeed())
		Expect(patch(lead, ann.Name, roleIn("team-a", "view"))).To(Succeed())
		Expect(patch(lead, ann.Name, withdraw)).To(Succeed())
		Expect(lead.Delete(ctx, ann)).To(Succeed())
	})

	It("lets a lead invite for the identities of the team, and for no other", func() {
		bob := member("team-a-bob", "bob@example.com", func(identity *v1alpha1.ClientIdentity) { identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder })
		Expect(lead.Create(ctx, bob)).To(Succeed())
		cleanUp(bob)
		other := newIdentity("other-holder", func(identity *v1alpha1.ClientIdentity) { identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder })
		Expect(admin.Create(ctx, other)).To(Succeed())
		cleanUp(other)
		invite := func(name string) error {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "client-identities", Name: "clientidentity-" + name + "-enrolment"}}
			if err := admin.Get(ctx, client.ObjectKeyFromObject(account), &corev1.ServiceAccount{}); err != nil {
				return err
			}
			return lead.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{})
		}
		Eventually(func() error { return invite(bob.Name) }).Should(Succeed())
		Eventually(func() error { return invite(other.Name) }).Should(WithTransform(apierrors.IsForbidden, BeTrue()))
	})

	DescribeTable("refuses everything else",
		func(identity *v1alpha1.ClientIdentity, missingRule string) {
			Expect(lead.Create(ctx, identity)).To(beRefused(missingRule))
		},
		Entry("another user", member("team-a-eve", "eve@example.com"), `resourceNames: ["eve@example.com"]`),
		Entry("another group", member("team-a-bob", "bob@example.com", inGroups("team-a", "admins")), `resourceNames: ["admins"]`),
		Entry("the group of the leads", member("team-a-bob", "bob@example.com", inGroups("team-a-leads")), `resourceNames: ["team-a-leads"]`),
		Entry("another role", member("team-a-bob", "bob@example.com", roleIn("team-a", "admin")), `resourceNames: ["admin"]`),
		Entry("another namespace", member("team-a-bob", "bob@example.com", roleIn("dev", "view")), "of a Role in namespace dev"),
		Entry("a cluster-wide binding", member("team-a-bob", "bob@example.com", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "b", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}}
		}), "resources: [clusterrolebindings], verbs: [create]"),
		Entry("another place for the Secret", member("team-a-bob", "bob@example.com", moveSecret), "resources: [secrets], verbs: [create]"),
	)

	It("keeps the leads off the identities of others, even to end them", func() {
		other := root()
		denied := beDeniedBy("team-a-leads", "manage the identities whose name begins with team-a-")
		Expect(patch(lead, other.Name, withdraw)).To(denied)
		Expect(lead.Delete(ctx, other)).To(denied)
		Expect(lead.Get(ctx, client.ObjectKey{Namespace: "client-identities", Name: other.Name + "-kubeconfig"}, &corev1.Secret{})).
			To(WithTransform(apierrors.IsForbidden, BeTrue()))
	})
})

var _ = Describe("The sample policies", Ordered, Serial, func() {
	var old *v1alpha1.ClientIdentity
	BeforeAll(func() {
		// Older than the rules, and against all of them.
		old = newIdentity("old-contractor", inGroups("contractors"), roleIn("dev", "edit"))
		old.Spec.Username = "Old Contractor"
		Expect(admin.Create(ctx, old)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, old)).To(Succeed()) })
		Expect(operator.Apply(ctx, cp, "config/samples/policies")).To(Succeed())
		DeferCleanup(func() {
			Expect(operator.Delete(ctx, cp, "config/samples/policies")).To(Succeed())
			Eventually(func() error { return admin.Create(ctx, old.DeepCopy(), client.DryRunAll) }).
				ShouldNot(MatchError(ContainSubstring("ValidatingAdmissionPolicy")))
		})
	})

	person := func(changes ...change) *v1alpha1.ClientIdentity {
		return newIdentity("person", append([]change{func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.BindTo = v1alpha1.BindToCredential
		}}, changes...)...)
	}
	ttl := func(d time.Duration) change {
		return func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration = d }
	}

	DescribeTable("refuse what is against a rule, and allow what is not",
		func(against *v1alpha1.ClientIdentity, policy, message string, fix change) {
			Eventually(func() error { return admin.Create(ctx, against.DeepCopy(), client.DryRunAll) }).Should(beDeniedBy(policy, message))
			fix(against)
			Expect(admin.Create(ctx, against, client.DryRunAll)).To(Succeed())
		},
		Entry("naming", person(func(i *v1alpha1.ClientIdentity) { i.Spec.Username = "jane" }),
			"client-identities-naming", "spec.username jane is neither an address of example.com nor a robot",
			func(i *v1alpha1.ClientIdentity) { i.Spec.Username = "jane@example.com" }),
		Entry("naming of a robot", person(func(i *v1alpha1.ClientIdentity) { i.Spec.Username = "ci:" }),
			"client-identities-naming", "spec.username ci: is neither",
			func(i *v1alpha1.ClientIdentity) { i.Spec.Username, i.Spec.BindTo = "ci:deployer", "" }),
		Entry("the lifetime of contractors", person(inGroups("contractors")),
			"client-identities-max-ttl", "is at most 720h", ttl(720*time.Hour)),
		Entry("the lifetime of who is on call", person(inGroups("oncall"), ttl(13*time.Hour)),
			"client-identities-max-ttl", "is at most 12h", ttl(12*time.Hour)),
		Entry("the roles of contractors", person(inGroups("contractors"), ttl(time.Hour), roleIn("dev", "edit")),
			"client-identities-contractors-view", "is bound to the ClusterRole view only",
			func(i *v1alpha1.ClientIdentity) { i.Spec.RoleBindings[0].RoleRef.Name = "view" }),
		Entry("the cluster-wide roles of contractors", person(inGroups("contractors"), ttl(time.Hour), func(i *v1alpha1.ClientIdentity) {
			i.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "b", RoleRef: v1alpha1.ClusterRoleRef{Name: "edit"}}}
		}), "client-identities-contractors-view", "is bound to the ClusterRole view only",
			func(i *v1alpha1.ClientIdentity) { i.Spec.ClusterRoleBindings[0].RoleRef.Name = "view" }),
		Entry("the credentials of people", person(func(i *v1alpha1.ClientIdentity) { i.Spec.BindTo = v1alpha1.BindToUsername }),
			"client-identities-people-credential", "has spec.bindTo Credential",
			func(i *v1alpha1.ClientIdentity) { i.Spec.BindTo = v1alpha1.BindToCredential }),
	)

	It("let an identity end that breaks a rule made later, and nothing else", func() {
		Expect(patch(admin, old.Name, func(i *v1alpha1.ClientIdentity) { i.Labels = map[string]string{"a": "b"} })).To(Succeed())
		Expect(patch(admin, old.Name, ttl(10000*time.Hour))).To(MatchError(ContainSubstring("ValidatingAdmissionPolicy")))
		Expect(patch(admin, old.Name, revoke)).To(Succeed())
		Expect(patch(admin, old.Name, withdraw)).To(Succeed())
		Expect(patch(admin, old.Name, func(i *v1alpha1.ClientIdentity) { i.Spec.State = v1alpha1.StateActive })).
			To(MatchError(ContainSubstring("ValidatingAdmissionPolicy")))
	})
})

var _ = Describe("The shipped policy", func() {
	It("refuses to delete an identity and leave what it grants, and lets it be deleted otherwise", func() {
		identity := root()
		denied := beDeniedBy("client-identity-operator-no-orphans", "its role bindings and its Secret would stay for ever")
		Expect(admin.Delete(ctx, identity, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(denied)
		Expect(patch(admin, identity.Name, func(i *v1alpha1.ClientIdentity) { i.Finalizers = []string{"orphan"} })).To(denied)
		Expect(admin.Delete(ctx, identity, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
	})
})

var _ = Describe("The shipped manifests", func() {
	It("are valid: the NetworkPolicy", func() {
		Expect(operator.Apply(ctx, cp, "config/network-policy")).To(Succeed())
	})

	It("leave the serving certificate to cert-manager where that is asked for", func() {
		const empty = "kind: Secret\nmetadata:\n"
		byOperator, err := operator.Render(ctx, cp, "config/default")
		Expect(err).NotTo(HaveOccurred())
		Expect(byOperator).To(ContainSubstring(empty))
		byCertManager, err := operator.Render(ctx, cp, "config/overlays/cert-manager")
		Expect(err).NotTo(HaveOccurred())
		Expect(byCertManager).NotTo(ContainSubstring(empty))
		Expect(byCertManager).To(And(
			ContainSubstring("- --webhook-cert-rotation=false\n"),
			ContainSubstring("cert-manager.io/inject-ca-from: client-identity-system/client-identity-operator-webhook\n"),
			ContainSubstring("kind: Certificate\n"),
		))
	})

	It("fill the webhook's Secret once, and leave it alone when they are applied again", func() {
		secret := &corev1.Secret{}
		key := client.ObjectKey{Namespace: operator.Namespace, Name: "client-identity-operator-webhook"}
		Expect(admin.Get(ctx, key, secret)).To(Succeed())
		Expect(secret.Data).To(And(HaveKey("tls.crt"), HaveKey("tls.key"), HaveKey("ca.crt")))
		Expect(operator.Install(ctx, cp)).To(Succeed())
		again := &corev1.Secret{}
		Expect(admin.Get(ctx, key, again)).To(Succeed())
		Expect(again.Data).To(Equal(secret.Data))
	})
})
