// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"maps"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/test/leak"
	"github.com/clientidentity/operator/test/operator"
)

// bound gives an identity two role bindings: one in a namespace, and one where a selector finds them, which selects the namespace of Secrets, too.
func bound(namespace string) func(*v1alpha1.ClientIdentity) {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.Groups = []string{"developers"}
		identity.Spec.BindTo = v1alpha1.BindToCredential
		identity.Spec.RoleBindings = []v1alpha1.RoleBinding{
			{Name: "named", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}},
			{
				Name: "selected", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "edit"},
				NamespaceSelector: &v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceSelectorRequirement{{
					Key: "kubernetes.io/metadata.name", Operator: "In", Values: []v1alpha1.LabelValue{v1alpha1.LabelValue(namespace), operator.SecretNamespace},
				}}},
			},
		}
	}
}

// readClientCAs lets a person read the CAs that the API server checks client certificates against.
func readClientCAs(p *person) {
	GinkgoHelper()
	create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: p.name, Namespace: metav1.NamespaceSystem},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "extension-apiserver-authentication-reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: p.name}},
	})
	Eventually(p.allowed).WithArguments("get", "", "configmaps", metav1.NamespaceSystem, "extension-apiserver-authentication").Should(BeTrue())
}

var _ = Describe("verify", func() {
	It("finds nothing where all is well, and whatever is broken", func() {
		namespace := uniqueName("verified")
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		other := newIdentity("other")
		identity := newIdentity("verified", bound(namespace))
		person := newPerson("verifier").may(identity, "verify")

		By("a person who may not read the client CAs")
		seen := person.run("verify", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stdout+seen.stderr)
		Expect(seen.stdout).To(MatchRegexp(`(?m)^SKIP +chain +missing permission of user %s: get configmaps`, person.name))
		Expect(seen.stdout).NotTo(ContainSubstring("FAIL"))

		By("one who may")
		readClientCAs(person)
		seen = person.run("verify", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stdout+seen.stderr)
		for _, check := range []string{
			"status", "secret", "content", "certificate", "validity", "subject", "key", "revocation", "chain", "kubeconfig", "authentication",
			"kubeconfig's server", "binding named", "binding selected",
		} {
			Expect(seen.stdout).To(MatchRegexp(`(?m)^OK +%s  `, check))
		}
		Expect(strings.Count(seen.stdout, "\n")).To(Equal(14), seen.stdout)

		stopOperator() // or it would put right what is broken
		secret, foreign := secretOf(identity), secretOf(other)
		var keys leak.Marks
		Expect(keys.AddKey(identity.Name, secret.Data["tls.key"])).To(Succeed())
		Expect(keys.AddKey(other.Name, foreign.Data["tls.key"])).To(Succeed())
		for _, broken := range []struct {
			check, message string
			change         func(map[string][]byte)
		}{
			{"key", "tls.key is not the key of the certificate", func(data map[string][]byte) { data["tls.key"] = foreign.Data["tls.key"] }},
			{"key", "tls.key is no private key", func(data map[string][]byte) { data["tls.key"] = []byte("x") }},
			{"certificate", "the Secret has .*, and the status tells of", func(data map[string][]byte) {
				data["tls.crt"], data["tls.key"] = foreign.Data["tls.crt"], foreign.Data["tls.key"]
			}},
			{"subject", `it is for user "other`, func(data map[string][]byte) { data["tls.crt"] = foreign.Data["tls.crt"] }},
			{"authentication", `https://\S+ takes its holder for user "other`, func(data map[string][]byte) {
				data["tls.crt"], data["tls.key"] = foreign.Data["tls.crt"], foreign.Data["tls.key"]
			}},
			{"kubeconfig", "it has another certificate or key", func(data map[string][]byte) { data["kubeconfig"] = foreign.Data["kubeconfig"] }},
			{"kubeconfig", "kubeconfig: it cannot be decoded", func(data map[string][]byte) { data["kubeconfig"] = []byte("{") }},
			{"kubeconfig's server", `\S+, as seen from this machine: .*connection refused`, func(data map[string][]byte) {
				data["kubeconfig"] = []byte(strings.ReplaceAll(string(data["kubeconfig"]), cp.Config().Host, "https://127.0.0.1:1"))
			}},
			{"kubeconfig's server", `\S+, as seen from this machine: .*certificate`, func(data map[string][]byte) {
				p, cert, key, err := kubeconfig.Read(data["kubeconfig"])
				Expect(err == nil).To(BeTrue(), "it is a published one")
				p.CertificateAuthorityData = authorizer.CA.CertPEM()
				data["kubeconfig"], err = kubeconfig.Render(p, cert, key)
				Expect(err == nil).To(BeTrue(), "it can be rendered")
			}},
			{"content", "the Secret lacks ca.crt", func(data map[string][]byte) { delete(data, "ca.crt") }},
		} {
			By("a Secret in which " + broken.check + " fails")
			changed := secret.DeepCopy()
			broken.change(changed.Data)
			replace(changed)
			seen := person.run("verify", identity.Name)
			Expect(seen.code).To(Equal(1))
			Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +%s  +%s`, broken.check, broken.message))
			Expect(seen.stderr).To(MatchRegexp(`^error: \d+ of \d+ checks of ClientIdentity "%s" failed\n$`, identity.Name))
			Expect(keys.In([]byte(seen.stdout+seen.stderr))).To(BeEmpty(), "a private key was printed")
		}
		replace(secret)

		By("no Secret at all")
		Expect(admin.Delete(ctx, secretOf(identity))).To(Succeed())
		Expect(person.run("verify", identity.Name).stdout).To(MatchRegexp(`(?m)^FAIL +secret +there is no Secret`))
	})

	It("finds what is wrong with role bindings", func() {
		namespace := uniqueName("bound")
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		identity := newIdentity("bound", bound(namespace))
		person := newPerson("verifier").may(identity, "verify")
		stopOperator()
		bindings := &rbacv1.RoleBindingList{}
		Expect(admin.List(ctx, bindings, client.InNamespace(namespace))).To(Succeed())
		Expect(bindings.Items).To(HaveLen(2))
		for i := range bindings.Items {
			b := &bindings.Items[i]
			b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "mallory"})
			Expect(admin.Update(ctx, b)).To(Succeed())
		}
		planted := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "planted", Namespace: namespace, Labels: dependent.Labels(identity)},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}, Subjects: bindings.Items[0].Subjects,
		}
		create(planted)
		seen := person.run("verify", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +binding named +.* names other subjects \(Group clientidentity.dev:.*, User mallory\)`))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +binding selected +.* names other subjects`))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +other binding +RoleBinding "%s/planted" has the identity's label and is not owned by it`, namespace))

		for i := range bindings.Items {
			Expect(admin.Delete(ctx, &bindings.Items[i])).To(Succeed())
		}
		seen = person.run("verify", identity.Name)
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +binding named +.* is missing`))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +binding selected +.* is missing`))
	})

	It("says which permission a check lacks", func() {
		identity := newIdentity("unreadable")
		person := newPerson("reader")
		person.grant("", rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clientidentities"}, ResourceNames: []string{identity.Name}, Verbs: []string{"get"},
		})
		seen := person.run("verify", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +secret +missing permission of user %s: get secrets "%s-kubeconfig" in namespace "client-identities"$`, person.name, identity.Name))

		By("doing what it says, until nothing is missing")
		for range 5 {
			obey(seen.stdout)
			before := seen.stdout
			Eventually(func() string {
				seen = person.run("verify", identity.Name)
				return seen.stdout
			}).ShouldNot(Equal(before))
			if seen.code == 0 {
				return
			}
		}
		Fail("after five times it is still not enough:\n" + seen.stdout)
	})

	It("finds what keeps holders from enrolling, and a key where none may be", func() {
		identity := newIdentity("held", held)
		person := newPerson("verifier").may(identity, "verify")
		seen := person.run("verify", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stdout)
		for _, check := range []string{"content", "no key", "kubeconfig", "what devices ask for", "invitations", "enrolment rights", "devices"} {
			Expect(seen.stdout).To(MatchRegexp(`(?m)^OK +%s  `, check))
		}

		stopOperator()
		changed := secretOf(identity)
		changed.Data["tls.key"] = []byte("a key")
		changed.Data["request.json"] = []byte(strings.ReplaceAll(string(changed.Data["request.json"]), identity.Spec.Username, "mallory"))
		replace(changed)
		ref := identity.Status.EnrolmentRef
		Expect(admin.Delete(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}})).To(Succeed())
		bindings := &rbacv1.ClusterRoleBindingList{}
		Expect(admin.List(ctx, bindings, client.MatchingLabels(dependent.Labels(identity)))).To(Succeed())
		for i := range bindings.Items {
			Expect(admin.Delete(ctx, &bindings.Items[i])).To(Succeed())
		}
		seen = person.run("verify", identity.Name)
		Expect(seen.code).To(Equal(1))
		for check, message := range map[string]string{
			"no key": "the Secret has tls.key", "what devices ask for": "request.json is not what the spec says", "invitations": "there is no ServiceAccount",
			"enrolment rights": "bindings are missing: invitations cannot make requests; the holder cannot make requests",
		} {
			Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +%s  +%s`, check, message))
		}
	})

	It("checks what this machine has, and knows what a revoked one has lost", func() {
		identity := newIdentity("device", held)
		machine := enrolled(identity, "laptop")
		Eventually(func() string { return deviceOf(identity, "laptop").Fingerprint }).ShouldNot(BeEmpty())
		person := newPerson("verifier").may(identity, "verify").may(identity, "status")
		person.home = machine.home
		seen := person.run("verify", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stdout)
		Expect(seen.stdout).To(MatchRegexp(`(?m)^OK +device laptop +revision 1 ends `))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^OK +this machine +it is device laptop, and has its newest certificate, revision 1$`))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^OK +this machine +\S+ takes its holder for user "%s" with the groups of the spec$`, identity.Spec.Username))
		Expect(person.run("status", identity.Name).stdout).To(MatchRegexp(`(?m)^  laptop +1 +in \S+ +in \S+ +Active +%s$`, deviceOf(identity, "laptop").Fingerprint))

		newest := deviceOf(identity, "laptop").Fingerprint
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: newest, Reason: "stolen"}}
		})
		Eventually(func() v1alpha1.DeviceState { return deviceOf(identity, "laptop").State }).Should(Equal(v1alpha1.DeviceRevoked))
		seen = person.run("verify", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +this machine +it stands in spec.revokedCertificates$`))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^FAIL +this machine +\S+ denies requests with the certificate: .*stolen`))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^OK +device laptop +it is revoked, as asked for`))
	})

	It("expects nothing of a withdrawn identity", func() {
		identity := newIdentity("withdrawn")
		person := newPerson("verifier").may(identity, "verify")
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn })
		eventually(identity.Name, v1alpha1.ConditionWithdrawn, metav1.ConditionTrue)
		seen := person.run("verify", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stdout)
		Expect(seen.stdout).To(MatchRegexp(`(?m)^OK +secret +it is gone$`))
	})
})

// secretOf returns the published Secret of an identity.
func secretOf(identity *v1alpha1.ClientIdentity) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	ref := identity.Status.SecretRef
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)).To(Succeed())
	return secret
}

// replace sets the content of a Secret.
func replace(wanted *corev1.Secret) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(wanted), secret)).To(Succeed())
	secret.Data = maps.Clone(wanted.Data)
	Expect(admin.Update(ctx, secret)).To(Succeed())
}
