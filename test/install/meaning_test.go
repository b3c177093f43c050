// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/clientidentity/operator/test/helm"
)

// as returns an object as its type.
func as[T any](found objects, key string) *T {
	GinkgoHelper()
	Expect(found).To(HaveKey(key))
	typed := new(T)
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(found[key].Object, typed)).To(Succeed())
	return typed
}

// running returns the operator's container.
func running(found objects) corev1.Container {
	GinkgoHelper()
	typed := corev1.Container{}
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(container(found), &typed)).To(Succeed())
	return typed
}

// What config has, too, is compared with config. This is about the rest.
var _ = Describe("A value of the chart means", func() {
	It("that the operator is told the memory limit of the pod, where there is one, and somebody's own for Go beside it", func() {
		told := corev1.EnvVar{Name: "MEMORY_LIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}}
		Expect(running(charted("--set", "resources.limits.memory=1Gi")).Env).To(ConsistOf(told))
		Expect(running(charted("--set", "resources.limits=null")).Env).To(BeEmpty())
		own := corev1.EnvVar{Name: "GOMEMLIMIT", Value: "100MiB"}
		Expect(running(charted("--set", "extraEnv[0].name=GOMEMLIMIT,extraEnv[0].value=100MiB")).Env).To(ConsistOf(told, own))
	})

	It("one image, by tag and digest", func() {
		digest := "sha256:" + strings.Repeat("0", 64)
		found := charted("--set", "image.repository=registry.example.com/operator,image.tag=v9.9.9,image.digest="+digest)
		Expect(running(found).Image).To(Equal("registry.example.com/operator:v9.9.9@" + digest))
	})

	It("the right to approve for the signers that may be asked, and no other", func() {
		found := charted("--set", "allowedSigners={example.com/clients}")
		role := as[rbacv1.ClusterRole](found, "rbac.authorization.k8s.io/v1, Kind=ClusterRole /client-identity-operator-manager")
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, "signers") {
				Expect(rule.ResourceNames).To(ConsistOf("example.com/clients"))
			}
		}
		Expect(options(running(found).Args).AllowedSigners).To(ConsistOf("example.com/clients"))
	})

	It("the right to bind the named roles and that of holders, and no other", func() {
		holders := rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"client-identity-operator-holder"}, Verbs: []string{"bind"},
		}
		found := charted("--set", "bind.anyRole=false,bind.roles={deployer}")
		role := as[rbacv1.ClusterRole](found, "rbac.authorization.k8s.io/v1, Kind=ClusterRole /client-identity-operator-bind")
		Expect(role.Rules).To(ConsistOf(holders, rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, ResourceNames: []string{"deployer"}, Verbs: []string{"bind"},
		}))
		none := charted("--set", "bind.anyRole=false")
		Expect(as[rbacv1.ClusterRole](none, "rbac.authorization.k8s.io/v1, Kind=ClusterRole /client-identity-operator-bind").Rules).To(ConsistOf(holders))
	})

	It("the same rights in each namespace of Secrets, and a flag that names them", func() {
		const role, binding = "rbac.authorization.k8s.io/v1, Kind=Role ", "rbac.authorization.k8s.io/v1, Kind=RoleBinding "
		name := "/client-identity-operator-manager"
		found := charted("--set", "secretNamespaces.default=credentials,secretNamespaces.additional={team-a,team-b}")
		Expect(found).NotTo(HaveKey(role + "client-identities" + name))
		for _, namespace := range []string{"credentials", "team-a", "team-b"} {
			Expect(as[rbacv1.Role](found, role+namespace+name).Rules).To(Equal(as[rbacv1.Role](charted(), role+"client-identities"+name).Rules))
			Expect(as[rbacv1.RoleBinding](found, binding+namespace+name).RoleRef.Name).To(Equal("client-identity-operator-manager"))
		}
		Expect(found).To(HaveKey("/v1, Kind=Namespace /credentials"))
		started := options(running(found).Args)
		Expect(started.SecretNamespaces).To(ConsistOf("credentials", "team-a", "team-b"))
		Expect(started.DefaultSecretNamespace).To(Equal("credentials"))
	})

	It("nothing in the namespaces of config, where both are others", func() {
		for _, v := range variants() {
			// Each name contains the one that config has for the other.
			manifests, err := cli.Run(ctx, "template", "cio", helm.Chart, "--namespace", "x-client-identities", "--values", v.file,
				"--set", "secretNamespaces.default=y-client-identity-system")
			Expect(err).NotTo(HaveOccurred())
			for key, object := range parse(manifests) {
				content, err := object.MarshalJSON()
				Expect(err).NotTo(HaveOccurred())
				rest := strings.NewReplacer("x-client-identities", "", "y-client-identity-system", "").Replace(string(content))
				if object.GetKind() == "CustomResourceDefinition" || object.GetName() == "client-identity-operator-dashboard" {
					continue // whose descriptions name the defaults
				}
				Expect(rest).NotTo(Or(ContainSubstring("client-identity-system"), ContainSubstring("client-identities")), "%s: %s", v.name, key)
			}
		}
	})
})
