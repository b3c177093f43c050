// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/helm"
	"github.com/clientidentity/operator/test/operator"
)

const (
	// release is what users name it; nothing depends on it.
	release = "client-identity-operator"
	crdName = "clientidentities.clientidentity.dev"
)

// run runs Helm on the release. There are no nodes: nothing becomes available, so nothing is waited for.
func run(command string, args ...string) string {
	GinkgoHelper()
	out, err := cli.Run(ctx, append([]string{command, release, "--namespace", operator.Namespace, "--wait=hookOnly"}, args...)...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// expectRefused runs helm install, and expects a message.
func expectRefused(message, name, namespace string, args ...string) {
	GinkgoHelper()
	_, err := cli.Run(ctx, append([]string{"install", name, helm.Chart, "--namespace", namespace, "--create-namespace", "--wait=hookOnly"}, args...)...)
	Expect(err).To(MatchError(ContainSubstring(message)))
}

// publish runs the operator, with the flags of the installed Deployment, until it has published a credential for an identity.
func publish(name string) {
	GinkgoHelper()
	deployment := &appsv1.Deployment{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "client-identity-operator"}, deployment)).To(Succeed())
	connection, err := operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	running, err := operator.Start(ctx, connection, func(started *manager.Options) {
		*started = options(deployment.Spec.Template.Spec.Containers[0].Args)
		started.MetricsBindAddress, started.HealthProbeBindAddress, started.LeaderElect = "0", "0", false
	})
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(running.Stop()).To(Succeed()) }()
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	identity.Spec.Username = name + "@example.com"
	Expect(admin.Create(ctx, identity)).To(Succeed())
	Eventually(func() bool {
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(identity), identity)).To(Succeed())
		return meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady)
	}).Should(BeTrue())
}

// credential returns the Secret of an identity.
func credential(name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}, secret)).To(Succeed())
	return secret
}

// crd returns the CRD.
func crd() *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	found := &apiextensionsv1.CustomResourceDefinition{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: crdName}, found)).To(Succeed())
	return found
}

// nextVersion returns a copy of the chart with a higher version, and a CRD with another short name.
func nextVersion() string {
	GinkgoHelper()
	folder := filepath.Join(GinkgoT().TempDir(), "next")
	Expect(os.CopyFS(folder, os.DirFS(chartFolder()))).To(Succeed())
	replace(filepath.Join(folder, "Chart.yaml"), "\nversion: ", "\nversion: 9")
	replace(filepath.Join(folder, "files", "crd", "bases", "clientidentity.dev_clientidentities.yaml"), "\n    - cid\n", "\n    - cid\n    - nextcid\n")
	return folder
}

func replace(file, from, to string) {
	GinkgoHelper()
	content, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	Expect(string(content)).To(ContainSubstring(from), file)
	Expect(os.WriteFile(file, []byte(strings.Replace(string(content), from, to, 1)), 0o600)).To(Succeed())
}

// buildInstaller makes what users apply, and returns the file.
func buildInstaller(image string) string {
	GinkgoHelper()
	file := filepath.Join(GinkgoT().TempDir(), "install.yaml")
	build := exec.Command("make", "--no-print-directory", "build-installer", "INSTALLER="+file, "IMG="+image, "KUBECTL="+cp.Kubectl())
	build.Dir = root()
	output, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	return file
}

// expectUninstalled checks that of the objects only those are there that are to stay.
func expectUninstalled(installed objects, stays func(*unstructured.Unstructured) bool) {
	GinkgoHelper()
	for key, object := range installed {
		stayed := stays(object)
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		if stayed {
			Expect(err).NotTo(HaveOccurred(), key)
			Expect(object.GetDeletionTimestamp()).To(BeNil(), key)
		} else {
			Expect(apierrors.IsNotFound(err) || object.GetDeletionTimestamp() != nil).To(BeTrue(), key)
		}
	}
}

// kubectl runs kubectl as an administrator.
func kubectl(args ...string) {
	GinkgoHelper()
	output, err := exec.Command(cp.Kubectl(), append([]string{"--kubeconfig", cp.Kubeconfig()}, args...)...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
}

var _ = Describe("On a real API server", Ordered, func() {
	It("the chart is installed, and says what to do next and what to mind", func() {
		Expect(cp.PublishClusterInfo(ctx)).To(Succeed())
		notes := run("install", helm.Chart, "--create-namespace", "--set", "webhook.enabled=false")
		Expect(notes).To(And(
			ContainSubstring("kubectl rollout status deployment/client-identity-operator --namespace client-identity-system"),
			ContainSubstring("Kubeconfigs point at "+cp.URL()+", which the ConfigMap kube-public/cluster-info says."),
			ContainSubstring("WARNING: the admission webhook is off."),
			ContainSubstring("kubectl label namespace client-identity-system pod-security.kubernetes.io/enforce=restricted"),
		))
		publish("jane")
	})

	It("each variant of the values makes objects without a field that the API server does not know", func() {
		for _, name := range []string{"credentials", "team-a", "team-b"} {
			Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		}
		accepted := map[string]bool{}
		for _, v := range variants() {
			for key, object := range charted("--values", v.file) {
				content, err := object.MarshalJSON()
				Expect(err).NotTo(HaveOccurred())
				// These have CRDs of their own, which are not here.
				if group := object.GroupVersionKind().Group; group == "monitoring.coreos.com" || group == "cert-manager.io" || accepted[string(content)] {
					continue
				}
				Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.DryRunAll, client.ForceOwnership,
					client.FieldOwner("test"))).To(Succeed(), "%s: %s", v.name, key)
				accepted[string(content)] = true
			}
		}
		Expect(accepted).NotTo(BeEmpty())
	})

	It("a second one is refused, in another namespace or by another name", func() {
		refused := `this cluster has a Client Identity Operator already, in namespace "client-identity-system" (release "client-identity-operator")`
		expectRefused(refused, release, "elsewhere")
		expectRefused(refused, "another", operator.Namespace)
	})

	It("an upgrade brings its CRD, and leaves alone what the operator has written", func() {
		before := credential("jane")
		run("upgrade", nextVersion(), "--set", "webhook.enabled=true")
		Expect(crd().Spec.Names.ShortNames).To(ContainElement("nextcid"))

		webhooks := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "client-identity-operator"}, webhooks)).To(Succeed())
		webhooks.Webhooks[0].ClientConfig.CABundle = cp.ServerCA()
		Expect(admin.Update(ctx, webhooks)).To(Succeed())
		certificate := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "client-identity-operator-webhook"}, certificate)).To(Succeed())
		certificate.Data = map[string][]byte{"ca.crt": cp.ServerCA()}
		Expect(admin.Update(ctx, certificate)).To(Succeed())

		run("upgrade", helm.Chart, "--set", "replicas=3")
		Expect(crd().Spec.Names.ShortNames).NotTo(ContainElement("nextcid"))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(webhooks), webhooks)).To(Succeed())
		Expect(webhooks.Webhooks[0].ClientConfig.CABundle).To(Equal(cp.ServerCA()))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(certificate), certificate)).To(Succeed())
		Expect(certificate.Data).To(HaveKeyWithValue("ca.crt", cp.ServerCA()))
		Expect(credential("jane").ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("an uninstall takes the operator, and no credential", func() {
		installed := charted()
		before := credential("jane")
		run("uninstall")
		expectUninstalled(installed, func(object *unstructured.Unstructured) bool { return object.GetAnnotations()[keepKey] == "keep" })
		Expect(credential("jane").Data).To(Equal(before.Data))
		jane := &v1alpha1.ClientIdentity{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "jane"}, jane)).To(Succeed())

		By("letting nobody create an identity meanwhile, which a later installation would serve")
		mallory := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "mallory"}, Spec: v1alpha1.ClientIdentitySpec{Username: "mallory"}}
		Expect(admin.Create(ctx, mallory)).To(MatchError(ContainSubstring("failed calling webhook")))
		widened := jane.DeepCopy()
		widened.Spec.Groups = append(widened.Spec.Groups, "administrators")
		Expect(admin.Patch(ctx, widened, client.MergeFrom(jane))).To(MatchError(ContainSubstring("failed calling webhook")))
		Expect(admin.Patch(ctx, jane, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`)))).To(Succeed())
	})

	It("it is installed again over what stayed, and by another name where that is wanted", func() {
		before := credential("jane")
		expectRefused("cannot be imported into the current release", "another", operator.Namespace)
		packages := GinkgoT().TempDir()
		_, err := cli.Run(ctx, "package", helm.Chart, "--destination", packages)
		Expect(err).NotTo(HaveOccurred())
		packed, err := filepath.Glob(filepath.Join(packages, "client-identity-operator-*.tgz"))
		Expect(err).NotTo(HaveOccurred())
		Expect(packed).To(HaveLen(1))
		run("install", packed[0])
		run("uninstall")
		_, err = cli.Run(ctx, "install", "another", helm.Chart, "--namespace", operator.Namespace, "--wait=hookOnly", "--take-ownership")
		Expect(err).NotTo(HaveOccurred())
		_, err = cli.Run(ctx, "uninstall", "another", "--namespace", operator.Namespace, "--wait=hookOnly")
		Expect(err).NotTo(HaveOccurred())
		Expect(credential("jane").ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("kubectl applies the installer, and the chart takes it over", func() {
		before := credential("jane")
		image := "registry.example.com/client-identity-operator:v9.9.9"
		installer := buildInstaller(image)
		content, err := os.ReadFile(installer)
		Expect(err).NotTo(HaveOccurred())
		want := kustomized("config/default")
		container(want)["image"] = image
		expectSame(want, parse(string(content)), "dist/install.yaml")

		kubectl("apply", "--validate=strict", "-f", installer)
		expectRefused("cannot be imported into the current release", release, operator.Namespace)
		expectRefused(`this cluster has a Client Identity Operator already, in namespace "client-identity-system": `, release, "elsewhere")
		run("install", helm.Chart, "--take-ownership", "--force-conflicts")
		deployment := &appsv1.Deployment{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "client-identity-operator"}, deployment)).To(Succeed())
		Expect(deployment.Spec.Template.Spec.Containers[0].Image).NotTo(Equal(image))
		Expect(credential("jane").ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("kubectl takes the chart over again, and Helm forgets it", func() {
		before := credential("jane")
		installer := buildInstaller("registry.example.com/client-identity-operator:v9.9.9")
		kubectl("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", installer)
		kubectl("delete", "secret", "--namespace", operator.Namespace, "--selector", "owner=helm,name="+release)
		releases, err := cli.Run(ctx, "list", "--all-namespaces", "--short")
		Expect(err).NotTo(HaveOccurred())
		Expect(releases).To(BeEmpty())

		By("removing what the installer brought, but for CRD and credentials")
		kubectl("delete", "-f", installer, "--selector", "app.kubernetes.io/component notin (crd,credentials)")
		expectUninstalled(kustomized("config/default"), func(object *unstructured.Unstructured) bool {
			component := object.GetLabels()["app.kubernetes.io/component"]
			return component == "crd" || component == "credentials"
		})
		Expect(credential("jane").ResourceVersion).To(Equal(before.ResourceVersion))
		run("install", helm.Chart, "--create-namespace", "--take-ownership", "--force-conflicts")
	})

	It("an uninstall takes everything along where that is asked for", func() {
		run("upgrade", helm.Chart, "--set", "crds.keep=false,secretNamespaces.keep=false")
		run("uninstall")
		Eventually(func() bool {
			return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Name: crdName}, &apiextensionsv1.CustomResourceDefinition{})) &&
				apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Name: operator.SecretNamespace}, &corev1.Namespace{}))
		}).Should(BeTrue())
	})
})
