// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// attempt is somebody who asks for an identity with all the rights that it takes but one.
type attempt struct {
	ask   func(identity *v1alpha1.ClientIdentity)
	holds []right
	// lacks is what is missing, with the rules that the refusal shows.
	lacks []right
	rules []string
}

var _ = Describe("Asking for an identity", func() {
	// Every attempt is about the namespace dev, and about the identity and the user of one name.
	const dev = "dev"
	var name string
	BeforeEach(func() { name = uniqueName("asked") })

	role := func(kind, role string, changes ...func(*v1alpha1.RoleBinding)) func(*v1alpha1.ClientIdentity) {
		return func(identity *v1alpha1.ClientIdentity) {
			b := v1alpha1.RoleBinding{Name: "b", Namespace: dev, RoleRef: v1alpha1.RoleRef{Kind: kind, Name: role}}
			for _, change := range changes {
				change(&b)
			}
			identity.Spec.RoleBindings = append(identity.Spec.RoleBindings, b)
		}
	}
	secret := func(change func(*v1alpha1.SecretTemplate)) func(*v1alpha1.ClientIdentity) {
		return func(identity *v1alpha1.ClientIdentity) { change(&identity.Spec.Secret) }
	}
	group := func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"team-a", "admins"} }

	DescribeTable("is refused without one of the rights, which the message shows, and allowed with it",
		func(prepare func() attempt) {
			user, author := newAuthor()
			a := prepare()
			grant(user, a.holds...)
			ask := func() error {
				identity := newIdentity(name, a.ask)
				err := author.Create(ctx, identity)
				if err == nil {
					cleanUp(identity)
				}
				return err
			}
			refusal := `ClientIdentity "` + name + `" gives more than user "` + user + `" holds`
			// What was just granted takes a moment to be known: then nothing else is missing.
			Eventually(func() []string { return missing(ask()) }).Should(Equal(a.rules))
			Expect(ask()).To(beRefused(append(a.rules, refusal)...))
			grant(user, a.lacks...)
			Eventually(ask).Should(Succeed())
		},
		Entry("to impersonate the user", func() attempt {
			return attempt{
				ask:   func(*v1alpha1.ClientIdentity) {},
				lacks: []right{may("impersonate", "users", name+"@example.com")},
				rules: []string{`{apiGroups: [""], resources: [users], verbs: [impersonate], resourceNames: ["` + name + `@example.com"]}`},
			}
		}),
		Entry("to impersonate one of the groups", func() attempt {
			return attempt{
				ask:   group,
				holds: []right{may("impersonate", "users"), may("impersonate", "groups", "team-a")},
				lacks: []right{may("impersonate", "groups", "admins")},
				rules: []string{`{apiGroups: [""], resources: [groups], verbs: [impersonate], resourceNames: ["admins"]}`},
			}
		}),
		Entry("to bind the ClusterRole in the namespace", func() attempt {
			return attempt{
				ask:   role("ClusterRole", "admin"),
				holds: []right{may("impersonate", "users"), may("create", "rolebindings").in(dev), may("bind", "clusterroles", "view")},
				lacks: []right{may("bind", "clusterroles", "admin").in(dev)},
				rules: []string{`{apiGroups: ["rbac.authorization.k8s.io"], resources: [clusterroles], verbs: [bind], resourceNames: ["admin"]}`},
			}
		}),
		Entry("to bind the Role in the namespace", func() attempt {
			return attempt{
				ask:   role("Role", "deployer"),
				holds: []right{may("impersonate", "users"), may("create", "rolebindings").in(dev), may("bind", "roles").in("default"), may("bind", "clusterroles")},
				lacks: []right{may("bind", "roles", "deployer").in(dev)},
				rules: []string{`{apiGroups: ["rbac.authorization.k8s.io"], resources: [roles], verbs: [bind], resourceNames: ["deployer"]}`},
			}
		}),
		Entry("to make bindings in that namespace, however much they may bind", func() attempt {
			return attempt{
				ask:   role("ClusterRole", "view"),
				holds: []right{may("impersonate", "users"), may("bind", "clusterroles"), may("create", "rolebindings").in("default")},
				lacks: []right{may("create", "rolebindings").in(dev)},
				rules: []string{`{apiGroups: ["rbac.authorization.k8s.io"], resources: [rolebindings], verbs: [create]}`},
			}
		}),
		Entry("to bind everywhere, with a selector", func() attempt {
			return attempt{
				ask: role("ClusterRole", "view", func(b *v1alpha1.RoleBinding) {
					b.Namespace = ""
					b.NamespaceSelector = &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"kubernetes.io/metadata.name": dev}}
				}),
				holds: []right{may("impersonate", "users"), may("bind", "clusterroles").in(dev), may("create", "rolebindings").in(dev)},
				lacks: []right{may("bind", "clusterroles", "view"), may("create", "rolebindings")},
				rules: []string{
					`{apiGroups: ["rbac.authorization.k8s.io"], resources: [clusterroles], verbs: [bind], resourceNames: ["view"]}`,
					`{apiGroups: ["rbac.authorization.k8s.io"], resources: [rolebindings], verbs: [create]}`,
				},
			}
		}),
		Entry("to bind cluster-wide", func() attempt {
			return attempt{
				ask: func(identity *v1alpha1.ClientIdentity) {
					identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "b", RoleRef: v1alpha1.ClusterRoleRef{Name: "cluster-admin"}}}
				},
				holds: []right{may("impersonate", "users"), may("bind", "clusterroles").in(dev), may("create", "rolebindings")},
				lacks: []right{may("bind", "clusterroles", "cluster-admin"), may("create", "clusterrolebindings")},
				rules: []string{
					`{apiGroups: ["rbac.authorization.k8s.io"], resources: [clusterrolebindings], verbs: [create]}`,
					`{apiGroups: ["rbac.authorization.k8s.io"], resources: [clusterroles], verbs: [bind], resourceNames: ["cluster-admin"]}`,
				},
			}
		}),
		Entry("to write Secrets elsewhere", func() attempt {
			return attempt{
				ask:   secret(func(s *v1alpha1.SecretTemplate) { s.Namespace = dev }),
				holds: []right{may("impersonate", "users")},
				lacks: []right{may("create", "secrets").in(dev), may("update", "secrets", name+"-kubeconfig").in(dev)},
				rules: []string{
					`{apiGroups: [""], resources: [secrets], verbs: [create]}`,
					`{apiGroups: [""], resources: [secrets], verbs: [update], resourceNames: ["` + name + `-kubeconfig"]}`,
				},
			}
		}),
		Entry("to create Secrets, where the right is limited to a name, which cannot be", func() attempt {
			return attempt{
				ask: secret(func(s *v1alpha1.SecretTemplate) { s.Namespace = dev }),
				holds: []right{may("impersonate", "users"), may("create", "secrets", name+"-kubeconfig").in(dev),
					may("update", "secrets", name+"-kubeconfig").in(dev)},
				lacks: []right{may("create", "secrets").in(dev)},
				rules: []string{`{apiGroups: [""], resources: [secrets], verbs: [create]}`},
			}
		}),
		Entry("to overwrite the Secret of another identity", func() attempt {
			return attempt{
				ask:   secret(func(s *v1alpha1.SecretTemplate) { s.Name = "jane-kubeconfig" }),
				holds: []right{may("impersonate", "users"), may("create", "secrets").in("client-identities"), may("update", "secrets").in(dev)},
				lacks: []right{may("update", "secrets", "jane-kubeconfig").in("client-identities")},
				rules: []string{`{apiGroups: [""], resources: [secrets], verbs: [update], resourceNames: ["jane-kubeconfig"]}`},
			}
		}),
		Entry("to label a Secret, which may tell other tools to trust it", func() attempt {
			return attempt{
				ask: secret(func(s *v1alpha1.SecretTemplate) {
					s.Labels = map[string]v1alpha1.LabelValue{"argocd.argoproj.io/secret-type": "cluster"}
				}),
				holds: []right{may("impersonate", "users"), may("create", "secrets").in("client-identities")},
				lacks: []right{may("update", "secrets", name+"-kubeconfig").in("client-identities")},
				rules: []string{`{apiGroups: [""], resources: [secrets], verbs: [update], resourceNames: ["` + name + `-kubeconfig"]}`},
			}
		}),
		Entry("to make a Secret a cluster that Argo CD deploys to", func() attempt {
			return attempt{
				ask:   secret(func(s *v1alpha1.SecretTemplate) { s.Format = v1alpha1.FormatArgoCDCluster }),
				holds: []right{may("impersonate", "users"), may("create", "secrets").in("client-identities")},
				lacks: []right{may("update", "secrets", name+"-kubeconfig").in("client-identities")},
				rules: []string{`{apiGroups: [""], resources: [secrets], verbs: [update], resourceNames: ["` + name + `-kubeconfig"]}`},
			}
		}),
		Entry("to annotate a Secret, which may tell other tools to copy it", func() attempt {
			return attempt{
				ask: secret(func(s *v1alpha1.SecretTemplate) {
					s.Annotations = map[string]v1alpha1.AnnotationValue{"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"}
				}),
				holds: []right{may("impersonate", "users"), may("update", "secrets").in("client-identities")},
				lacks: []right{may("create", "secrets").in("client-identities")},
				rules: []string{`{apiGroups: [""], resources: [secrets], verbs: [create]}`},
			}
		}),
	)

	It("names everything that is missing at once", func() {
		_, author := newAuthor()
		err := author.Create(ctx, newIdentity(name, group, role("ClusterRole", "admin"), secret(func(s *v1alpha1.SecretTemplate) { s.Namespace = dev })))
		Expect(missing(err)).To(HaveLen(6))
	})

	It("is no way to a subject that Kubernetes reserves, not even for an administrator", func() {
		for user, groups := range map[string][]string{
			"jane@example.com":                {"system:masters"},
			"system:kube-controller-manager":  nil,
			"system:serviceaccount:default:x": nil,
			"system:node:one":                 {"system:nodes"},
		} {
			identity := newIdentity(name)
			identity.Spec.Username, identity.Spec.Groups = user, groups
			err := admin.Create(ctx, identity)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("reserved")))
		}
	})

	It("warns of what is allowed and unwise", func() {
		warnings := &recordedWarnings{}
		identity := newIdentity(name, secret(func(s *v1alpha1.SecretTemplate) { s.Namespace = "default" }))
		identity.Spec.TTL.Duration = 9000 * 3600 * 1e9
		identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "all", RoleRef: v1alpha1.ClusterRoleRef{Name: "cluster-admin"}}}
		Expect(clientWithWarnings(warnings).Create(ctx, identity, client.DryRunAll)).To(Succeed())
		Expect(warnings.texts()).To(ConsistOf(ContainSubstring("spec.ttl is over 90 days"),
			ContainSubstring("every right in the cluster"), ContainSubstring("many can read Secrets")))
	})
})

// missing returns the rules that a refusal shows.
func missing(err error) []string {
	if err == nil {
		return []string{"nothing: it is allowed"}
	}
	var rules []string
	for line := range strings.Lines(err.Error()) {
		if rule, ok := strings.CutPrefix(line, "- "); ok {
			rules = append(rules, strings.TrimSpace(rule))
		}
	}
	return rules
}
