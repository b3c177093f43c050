// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
)

// restartOperator runs the operator with other options until the end of the spec.
func restartOperator(configure ...func(*manager.Options)) {
	GinkgoHelper()
	Expect(running.Stop()).To(Succeed())
	startOperator(configure...)
	DeferCleanup(func() {
		Expect(running.Stop()).To(Succeed())
		startOperator()
	})
}

// stopOperator stops the operator until the spec starts it, or ends.
func stopOperator() {
	GinkgoHelper()
	stopped := running
	Expect(stopped.Stop()).To(Succeed())
	DeferCleanup(func() {
		if running == stopped {
			startOperator()
		}
	})
}

// state returns a condition as one line, such as "False/SecretConflict: why": "" where there is none, and while it
// speaks of an older spec.
func state(name, conditionType string) func() string {
	return func() string {
		identity := get(name)
		c := meta.FindStatusCondition(identity.Status.Conditions, conditionType)
		if c == nil || c.ObservedGeneration != identity.Generation {
			return ""
		}
		return fmt.Sprintf("%s/%s: %s", c.Status, c.Reason, c.Message)
	}
}

// begin matches what state returns, by status, reason and the first words of the message.
func begin(status metav1.ConditionStatus, reason, message string) OmegaMatcher {
	return HavePrefix("%s/%s: %s", status, reason, message)
}

// revision returns how many certificates were published.
func revision(name string) func() int64 {
	return func() int64 {
		if c := get(name).Status.Certificate; c != nil {
			return c.Revision
		}
		return 0
	}
}

// reissue changes the spec so that another certificate is needed, and returns the identity once it is published:
// other than a renewal on request, that is not held back by the one before.
func reissue(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	before := get(name)
	update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration -= time.Hour })
	return eventuallyRenewed(before)
}

// annotate sets an annotation of an identity to the time. Other than an update it leaves the spec as it was written,
// and the generation with it: encoding 2160h again makes 2160h0m0s of it.
func annotate(name, annotation string) {
	GinkgoHelper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, annotation, time.Now().Format(time.RFC3339Nano))
	Expect(admin.Patch(ctx, newIdentity(name), client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}

// nudge makes the operator look at an identity, without asking it for anything: by a label, since of annotations it only sees its own.
func nudge(name string) {
	GinkgoHelper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{"example.com/nudge":"%d"}}}`, time.Now().UnixNano())
	Expect(admin.Patch(ctx, newIdentity(name), client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}

// boundIn asks for a RoleBinding named dev to a ClusterRole in a namespace.
func boundIn(namespace, clusterRole string) func(*v1alpha1.ClientIdentity) {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RoleBindings = append(identity.Spec.RoleBindings, v1alpha1.RoleBinding{
			Name: "dev", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: clusterRole},
		})
	}
}

// boundClusterWide asks for a ClusterRoleBinding named all.
func boundClusterWide(clusterRole string) func(*v1alpha1.ClientIdentity) {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.ClusterRoleBindings = append(identity.Spec.ClusterRoleBindings, v1alpha1.ClusterRoleBinding{
			Name: "all", RoleRef: v1alpha1.ClusterRoleRef{Name: clusterRole},
		})
	}
}

// boundToCredential makes the bindings name the credential instead of the user.
func boundToCredential(identity *v1alpha1.ClientIdentity) {
	identity.Spec.BindTo = v1alpha1.BindToCredential
}

// clusterRole refers to a ClusterRole, as bindings do.
func clusterRole(name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
}

// user is the subject of a binding that names a user.
func user(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// devBinding returns the RoleBinding that boundIn asks for, as an administrator would write it: without our marks.
func devBinding(identity, namespace, role string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: access.BindingName(identity, "dev", clusterRole(role))},
		RoleRef:    clusterRole(role),
		Subjects:   subjects,
	}
}

// allBinding returns the ClusterRoleBinding that boundClusterWide asks for, without our marks.
func allBinding(identity, role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: access.BindingName(identity, "all", clusterRole(role))},
		RoleRef:    clusterRole(role),
		Subjects:   subjects,
	}
}

// plantedSecret returns a Secret of the name that the operator would use, without our marks.
func plantedSecret(identity string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operator.SecretNamespace, Name: identity + "-kubeconfig"},
		StringData: map[string]string{"planted": "yes"},
	}
}

// ourLabels are the labels of everything that the operator makes for an identity.
func ourLabels(identity string) map[string]string {
	return map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: identity}
}

// forgedOwner is the owner reference that proves ownership, which whoever can read the UID can write.
func forgedOwner(identity *v1alpha1.ClientIdentity) []metav1.OwnerReference {
	return []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: identity.Name, UID: identity.UID, Controller: ptr.To(true),
	}}
}

// uidOf returns the UID of an object as it is now, or "" where there is none.
func uidOf(object client.Object) func() types.UID {
	return func() types.UID {
		GinkgoHelper()
		now := object.DeepCopyObject().(client.Object)
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), now)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		if err != nil {
			return ""
		}
		return now.GetUID()
	}
}

// change edits an object as it is now, trying again where somebody else changed it meanwhile.
func change[T client.Object](object T, edit func(T)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		edit(object)
		g.Expect(admin.Update(ctx, object)).To(Succeed())
	}).Should(Succeed())
}

// bindingsOf returns the kind, namespace and role of everything that has the identity's label: "RoleBinding dev/view".
func bindingsOf(name string) func() []string {
	return func() []string {
		GinkgoHelper()
		found := []string{}
		for _, binding := range roleBindingsOf(name) {
			found = append(found, fmt.Sprintf("RoleBinding %s/%s", binding.Namespace, binding.RoleRef.Name))
		}
		var clusterWide rbacv1.ClusterRoleBindingList
		Expect(admin.List(ctx, &clusterWide, client.MatchingLabels(ourLabels(name)))).To(Succeed())
		for i := range clusterWide.Items {
			found = append(found, "ClusterRoleBinding "+clusterWide.Items[i].RoleRef.Name)
		}
		return found
	}
}

// roleBindingsOf returns the RoleBindings with the identity's label.
func roleBindingsOf(name string) []rbacv1.RoleBinding {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(admin.List(ctx, &list, client.MatchingLabels(ourLabels(name)))).To(Succeed())
	return list.Items
}

// secretsOf returns the names of the Secrets with the identity's label.
func secretsOf(name string) func() []string {
	return func() []string {
		GinkgoHelper()
		var list corev1.SecretList
		Expect(admin.List(ctx, &list, client.MatchingLabels(ourLabels(name)))).To(Succeed())
		names := []string{}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names
	}
}

// leafOf returns the first certificate of a bundle.
func leafOf(bundle []byte) *x509.Certificate {
	GinkgoHelper()
	block, _ := pem.Decode(bundle)
	Expect(block).NotTo(BeNil(), "a PEM block")
	certificate, err := x509.ParseCertificate(block.Bytes)
	Expect(err).NotTo(HaveOccurred())
	return certificate
}

// fileOf returns a connection with a client certificate as a kubeconfig.
func fileOf(config *rest.Config) []byte {
	GinkgoHelper()
	file := clientcmdapi.NewConfig()
	file.Clusters["c"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	file.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	file.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	file.CurrentContext = "x"
	data, err := clientcmd.Write(*file)
	Expect(err).NotTo(HaveOccurred())
	return data
}

// compact returns the UID of an identity as its credential group has it.
func compact(identity *v1alpha1.ClientIdentity) string {
	return strings.ReplaceAll(string(identity.UID), "-", "")
}

// wipeStatus loses the status of an identity, as backup tools do.
func wipeStatus(name string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		identity := get(name)
		identity.Status = v1alpha1.ClientIdentityStatus{}
		g.Expect(admin.Status().Update(ctx, identity)).To(Succeed())
	}).Should(Succeed())
}

// inName selects the one object of that name.
func inName(name string) client.ListOption {
	return client.MatchingFields{"metadata.name": name}
}

// fingerprint returns the fingerprint of a certificate as the status has it.
func fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}
