// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
)

// sample returns the only object of a kind in a file of config/samples/gitops.
func sample(file, kind string) *unstructured.Unstructured {
	GinkgoHelper()
	for _, object := range objectsIn(readFile("config/samples/gitops/" + file)) {
		if object.GetKind() == kind {
			return object
		}
	}
	Fail("there is no " + kind + " in " + file)
	return nil
}

// accountOf returns the user that a tool writes identities as, by the samples.
func accountOf(tool string) string {
	GinkgoHelper()
	if tool == "flux" {
		kustomization := sample("flux/kustomization_team-a-identities.yaml", "Kustomization")
		name, _, err := unstructured.NestedString(kustomization.Object, "spec", "serviceAccountName")
		Expect(err).NotTo(HaveOccurred())
		return "system:serviceaccount:" + kustomization.GetNamespace() + ":" + name
	}
	project, application := sample("argocd/appproject.yaml", "AppProject"), sample("argocd/application.yaml", "Application")
	destination, _, err := unstructured.NestedStringMap(application.Object, "spec", "destination")
	Expect(err).NotTo(HaveOccurred())
	accounts, _, err := unstructured.NestedSlice(project.Object, "spec", "destinationServiceAccounts")
	Expect(err).NotTo(HaveOccurred())
	Expect(accounts).To(HaveLen(1))
	account := accounts[0].(map[string]any)
	Expect(account["server"]).To(Equal(destination["server"]))
	Expect(account["namespace"]).To(Equal(destination["namespace"]))
	// Without a namespace it is one of the application's destination.
	return "system:serviceaccount:" + destination["namespace"] + ":" + account["defaultServiceAccount"].(string)
}

// tools are the accounts that Argo CD and Flux run as.
var tools = map[string]string{
	"argocd": "system:serviceaccount:argocd:argocd-application-controller",
	"flux":   "system:serviceaccount:flux-system:kustomize-controller",
}

// as returns a client of a tool that impersonates a user, as both tools do: by the name alone. Without a user it is the tool's own.
func as(tool, user string) client.Client {
	GinkgoHelper()
	config, err := cp.ConfigFor(tools[tool])
	Expect(err).NotTo(HaveOccurred())
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	c, err := client.New(config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

var _ = Describe("The samples for GitOps", Ordered, Serial, func() {
	BeforeAll(func() {
		Expect(operator.Apply(ctx, cp, "config/samples/gitops")).To(Succeed())
		DeferCleanup(func() { Expect(operator.Delete(ctx, cp, "config/samples/gitops")).To(Succeed()) })
		// The rights are known, and the policy is in force.
		account := as("argocd", accountOf("argocd"))
		Eventually(func() error { return account.Create(ctx, member("team-a-ann"), client.DryRunAll) }).Should(Succeed())
		Eventually(func() error { return account.Create(ctx, member("ann"), client.DryRunAll) }).Should(beRefused("begins with team-a-"))
	})

	for tool := range tools {
		It("let "+tool+" apply, change and remove the identities of the team, as the account of the team", func() {
			account := as(tool, accountOf(tool))
			for _, object := range objectsIn(render("config/samples/gitops/identities")) {
				apply := func() {
					desired := client.ApplyConfigurationFromUnstructured(object.DeepCopy())
					Expect(account.Apply(ctx, desired, client.FieldOwner(tool))).To(Succeed())
				}
				apply()
				inState(object.GetName(), v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
				Expect(unstructured.SetNestedField(object.Object, "Withdrawn", "spec", "state")).To(Succeed())
				apply()
				inState(object.GetName(), v1alpha1.ObservedWithdrawn, v1alpha1.ReasonWithdrawnByState)
				Expect(act(account, object.GetName(), "activate")).To(Succeed())
				inState(object.GetName(), v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
				Expect(account.Delete(ctx, object)).To(Succeed())
				Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(object), &v1alpha1.ClientIdentity{}) }).
					Should(WithTransform(apierrors.IsNotFound, BeTrue()))
			}
		})

		It("give "+tool+" itself no right to write identities", func() {
			Expect(as(tool, "").Create(ctx, member("team-a-ann"), client.DryRunAll)).To(MatchError(ContainSubstring("cannot create resource")))
			Expect(as(tool, "ann@example.com").Create(ctx, member("team-a-ann"), client.DryRunAll)).To(WithTransform(apierrors.IsForbidden, BeTrue()))
		})
	}

	DescribeTable("refuse what is beyond the team, whichever tool applies it",
		func(beyond change, message string) {
			for tool := range tools {
				identity := member("team-a-ann")
				beyond(identity)
				Expect(as(tool, accountOf(tool)).Create(ctx, identity)).To(beRefused(message))
			}
		},
		Entry("another user", func(i *v1alpha1.ClientIdentity) { i.Spec.Username = "eve@example.com" },
			`ClientIdentity "team-a-ann" gives more than user "system:serviceaccount:team-a:identities" holds`),
		Entry("another user, with the rule that is missing", func(i *v1alpha1.ClientIdentity) { i.Spec.Username = "eve@example.com" },
			`{apiGroups: [""], resources: [users], verbs: [impersonate], resourceNames: ["eve@example.com"]}`),
		Entry("another group", func(i *v1alpha1.ClientIdentity) { i.Spec.Groups = []string{"team-b"} }, `resourceNames: ["team-b"]`),
		Entry("another role", func(i *v1alpha1.ClientIdentity) { i.Spec.RoleBindings[0].RoleRef.Name = "admin" }, `resourceNames: ["admin"]`),
		Entry("another namespace", func(i *v1alpha1.ClientIdentity) { i.Spec.RoleBindings[0].Namespace = "work" }, "of a Role in namespace work"),
		Entry("a cluster for Argo CD", func(i *v1alpha1.ClientIdentity) { i.Spec.Secret.Format = v1alpha1.FormatArgoCDCluster }, "resources: [secrets], verbs: [create]"),
		Entry("a name of others", func(i *v1alpha1.ClientIdentity) { i.Name = "ann" }, "begins with team-a-"),
	)

	It("keep the account off the identities of others, even to end them", func() {
		create("other")
		account := as("flux", accountOf("flux"))
		Expect(account.Delete(ctx, get("other"))).To(beRefused("begins with team-a-"))
		Expect(act(account, "other", "withdraw")).To(beRefused("begins with team-a-"))
	})
})

// member returns an identity that the account of team-a may make.
func member(name string) *v1alpha1.ClientIdentity {
	return newIdentity(name, func(i *v1alpha1.ClientIdentity) {
		i.Spec.Username, i.Spec.Groups, i.Spec.RoleBindings[0].Namespace = "ann@example.com", []string{"team-a"}, "team-a"
	})
}

// beRefused matches an answer of admission that contains a text.
func beRefused(text string) gomegatypes.GomegaMatcher {
	return And(WithTransform(apierrors.IsForbidden, BeTrue()), MatchError(ContainSubstring("denied")), MatchError(ContainSubstring(text)))
}
