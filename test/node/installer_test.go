// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/helm"
	"github.com/clientidentity/operator/test/operator"
)

// release is what users name it.
const release = "client-identity-operator"

// installer is a way to install the operator, and to remove it, as the documentation has it.
type installer struct {
	name            string
	install, remove func()
}

var installers = []installer{
	{
		name:    "kubectl apply -k config/default",
		install: func() { kubectl("apply", "-k", "config/default") },
		remove: func() {
			kubectl("delete", "-k", "config/default", "--ignore-not-found", "--selector=app.kubernetes.io/component notin (crd,credentials)")
		},
	},
	{
		name:    "kubectl apply -f dist/install.yaml",
		install: func() { kubectl("apply", "-f", os.Getenv(installerEnv)) },
		remove: func() {
			kubectl("delete", "-f", os.Getenv(installerEnv), "--ignore-not-found", "--selector=app.kubernetes.io/component notin (crd,credentials)")
		},
	},
	{
		name: "helm install",
		install: func() {
			runHelm("install", release, helm.Chart, "--namespace", operator.Namespace, "--create-namespace")
		},
		remove: func() { runHelm("uninstall", release, "--namespace", operator.Namespace) },
	},
}

func runHelm(args ...string) {
	GinkgoHelper()
	cli := helm.CLI{Kubeconfig: node.Kubeconfig(), Home: node.Dir()}
	out, err := cli.Run(ctx, args...)
	Expect(err).NotTo(HaveOccurred(), out)
}

// removed expects that nothing of the operator is left but what its documentation says.
func removed() {
	GinkgoHelper()
	Eventually(func() []corev1.Pod {
		list := &corev1.PodList{}
		Expect(admin.List(ctx, list, client.InNamespace(operator.Namespace))).To(Succeed())
		return list.Items
	}).Should(BeEmpty())
}

// wipe removes everything, so that the next installation is the first one. Identities go without the operator.
func wipe() {
	GinkgoHelper()
	kubectl("delete", "deployment", "--namespace", operator.Namespace, deploymentName, "--ignore-not-found")
	kubectl("delete", "pods", "--namespace", operator.Namespace, "--all", "--grace-period=1", "--wait=false")
	kubectl("delete", "validatingwebhookconfiguration", deploymentName, "--ignore-not-found")
	removed()
	if err := admin.List(ctx, &v1alpha1.ClientIdentityList{}); !meta.IsNoMatchError(err) {
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.DeleteAllOf(ctx, &v1alpha1.ClientIdentity{})).To(Succeed())
	}
	kubectl("delete", "-k", "config/samples", "--ignore-not-found")
	for _, kept := range []string{"crd/clientidentities.clientidentity.dev", "namespace/" + operator.SecretNamespace} {
		kubectl("annotate", kept, "clientidentity.dev/allow-deletion=true")
	}
	kubectl("delete", "-k", "config/default", "--ignore-not-found", "--timeout=4m")
	for _, name := range []string{operator.Namespace, operator.SecretNamespace} {
		err := admin.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "namespace %s: %v", name, err)
	}
}
