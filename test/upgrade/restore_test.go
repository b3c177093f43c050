// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

// backedUp are what a backup of the fixture has, in the order in which Velero restores it: what it lists first, then by the alphabet.
// Custom resources come after Secrets, and before role bindings.
var backedUp = []string{
	"/registry/namespaces/development", "/registry/namespaces/production", "/registry/namespaces/staging", "/registry/namespaces/team-a",
	"/registry/secrets/client-identities/", "/registry/secrets/team-a/",
	"/registry/clientidentity.dev/clientidentities/",
	"/registry/clusterrolebindings/clientidentity:", "/registry/clusterroles/fixture-",
	"/registry/rolebindings/client-identities/clientidentity:", "/registry/rolebindings/development/", "/registry/rolebindings/production/",
	"/registry/rolebindings/staging/", "/registry/rolebindings/team-a/clientidentity:",
	"/registry/roles/client-identities/clientidentity:", "/registry/roles/team-a/deployer",
}

// backup returns the objects of a backup of the fixture.
func backup(release *fixture.Fixture) []*unstructured.Unstructured {
	GinkgoHelper()
	var objects []*unstructured.Unstructured
	for _, prefix := range backedUp {
		found := len(objects)
		for _, entry := range release.Entries {
			if strings.HasPrefix(string(entry.Key), prefix) {
				objects = append(objects, decode(entry.Value))
			}
		}
		Expect(len(objects)).To(BeNumerically(">", found), prefix)
	}
	return objects
}

// decode reads what etcd held: JSON of custom resources, and the binary form of Kubernetes' own.
func decode(stored []byte) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	if bytes.HasPrefix(stored, []byte("{")) {
		Expect(json.Unmarshal(stored, &object.Object)).To(Succeed())
		return object
	}
	typed, kind, err := clientgoscheme.Codecs.UniversalDeserializer().Decode(stored, nil, nil)
	Expect(err).NotTo(HaveOccurred())
	object.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	Expect(err).NotTo(HaveOccurred())
	object.SetGroupVersionKind(*kind)
	return object
}

// sanitize does to an object what Velero does to it before it creates it.
func sanitize(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "ownerReferences"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(object.Object, "status")
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, map[string]string{"velero.io/backup-name": "daily", "velero.io/restore-name": "daily-1"})
	object.SetLabels(labels)
	return object
}

// restore creates the objects, and returns the UIDs of those that were the operator's. With everything, they keep their owners, and
// identities their status.
func (w *world) restore(objects []*unstructured.Unstructured, everything bool) []types.UID {
	GinkgoHelper()
	var uids []types.UID
	for _, original := range objects {
		object := sanitize(original)
		if everything {
			object.SetOwnerReferences(original.GetOwnerReferences())
		}
		err := w.admin.Create(w, object)
		if apierrors.IsAlreadyExists(err) {
			continue // Velero leaves it as it is
		}
		Expect(err).NotTo(HaveOccurred(), original.GetKind()+" "+original.GetName())
		if everything && original.GetKind() == "ClientIdentity" {
			patch, err := json.Marshal(map[string]any{"status": original.Object["status"]})
			Expect(err).NotTo(HaveOccurred())
			Expect(w.admin.Status().Patch(w, object, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
		}
		if original.GetLabels()[v1alpha1.IdentityLabel] != "" {
			uids = append(uids, object.GetUID())
		}
	}
	return uids
}

// dependents returns the names of what has the operator's labels and outlives a request, and expects each to belong to an identity that exists.
func (w *world) dependents(g Gomega, gone []types.UID) []string {
	GinkgoHelper()
	identities := &v1alpha1.ClientIdentityList{}
	g.Expect(w.admin.List(w, identities)).To(Succeed())
	owners := map[types.UID]bool{}
	for _, identity := range identities.Items {
		owners[identity.UID] = true
	}
	var names []string
	for _, list := range []client.ObjectList{&rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleBindingList{}, &rbacv1.RoleList{}, &corev1.SecretList{}} {
		g.Expect(w.admin.List(w, list, client.HasLabels{v1alpha1.IdentityLabel})).To(Succeed())
		for _, object := range objectsOf(list) {
			names = append(names, client.ObjectKeyFromObject(object).String())
			owner := metav1.GetControllerOf(object)
			g.Expect(owner).NotTo(BeNil(), object.GetName())
			g.Expect(owners).To(HaveKey(owner.UID), object.GetName())
			g.Expect(gone).NotTo(ContainElement(object.GetUID()), "restored, and still there: "+object.GetName())
			g.Expect(object.GetLabels()).NotTo(HaveKey("velero.io/restore-name"), object.GetName())
		}
	}
	slices.Sort(names)
	return names
}

// keysOf returns digests of the private keys in Secrets.
func keysOf(objects []*unstructured.Unstructured) []string {
	GinkgoHelper()
	var keys []string
	for _, object := range objects {
		if object.GetKind() == "Secret" {
			secret := &corev1.Secret{}
			Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, secret)).To(Succeed())
			if key := secret.Data[v1alpha1.PrivateKeyKey]; len(key) > 0 {
				keys = append(keys, digest(string(key)))
			}
		}
	}
	return keys
}

var _ = Describe("A backup that is restored into an empty cluster", Ordered, func() {
	var (
		w       *world
		objects []*unstructured.Unstructured
		names   []string // of what was the operator's
		running *operator.Running
	)

	run := func() {
		GinkgoHelper()
		connection, err := operator.Connection(w, w.cp)
		Expect(err).NotTo(HaveOccurred())
		running, err = operator.Start(w, connection, func(options *manager.Options) {
			options.SecretNamespaces = []string{operator.SecretNamespace, "team-a"}
			options.KubeconfigServer = fixture.Server
			options.SlowLook = time.Second
		})
		Expect(err).NotTo(HaveOccurred())
	}

	// expectOrder waits until each identity is in its state, and expects that nothing of the backup is in use, a copy of a kubeconfig
	// included.
	expectOrder := func(restored []types.UID, copied OmegaMatcher) {
		GinkgoHelper()
		identities := &v1alpha1.ClientIdentityList{}
		Eventually(func(g Gomega) {
			g.Expect(w.admin.List(w, identities)).To(Succeed())
			for _, identity := range identities.Items {
				want, is := states[identity.Name]
				if !is {
					want = "Ready"
				}
				g.Expect(string(identity.Status.State)+" "+identity.Status.StateReason).To(HavePrefix(want), identity.Name)
				g.Expect(identity.Status.ObservedGeneration).To(Equal(identity.Generation), identity.Name)
			}
		}).Should(Succeed())
		Eventually(func(g Gomega) { g.Expect(w.dependents(g, restored)).To(Equal(names)) }).Should(Succeed())
		old := keysOf(objects)
		for _, identity := range identities.Items {
			if identity.Status.SecretRef == nil {
				continue
			}
			Expect(w.holderOf(w.kubeconfigOf(&identity))).To(HavePrefix(identity.Spec.Username + " ["))
			secret := &corev1.Secret{}
			Expect(w.admin.Get(w, client.ObjectKey{Namespace: identity.Status.SecretRef.Namespace, Name: identity.Status.SecretRef.Name}, secret)).To(Succeed())
			Expect(old).NotTo(ContainElement(digest(string(secret.Data[v1alpha1.PrivateKeyKey]))), "the key of %s is that of the backup", identity.Name)
		}
		By("looking at a kubeconfig of before")
		for _, object := range objects {
			if object.GetKind() == "Secret" && object.GetName() == "bob-kubeconfig" {
				secret := &corev1.Secret{}
				Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, secret)).To(Succeed())
				Expect(w.holderOf(secret.Data["kubeconfig"])).To(copied)
			}
		}
		Expect(w.holderOf(w.kubeconfigOf(w.get("bob")))).To(ContainSubstring("development: 29 rules"))
	}

	BeforeAll(func() {
		w = begin(func(options *controlplane.Options) { options.State.Fill = nil })
		objects = backup(w.release)
		for _, object := range objects {
			if object.GetLabels()[v1alpha1.IdentityLabel] != "" {
				names = append(names, client.ObjectKeyFromObject(object).String())
			}
		}
		slices.Sort(names)
		Expect(operator.Install(w, w.cp)).To(Succeed())
	})

	It("ends ready with the same CAs, where the operator comes last", func() {
		restored := w.restore(objects, false)
		Expect(w.kubectl("apply", "-f", "config/overlays/secret-namespace/secrets.yaml")).To(Succeed())
		run()
		// No binding names a group with the UID of before.
		expectOrder(restored, And(HavePrefix("bob@example.com ["), ContainSubstring("development: 2 rules")))
	})

	It("ends ready with another client CA, where the operator runs, owners are kept, and statuses are restored", func() {
		DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
		Expect(w.admin.DeleteAllOf(w, &v1alpha1.ClientIdentity{})).To(Succeed())
		Eventually(w.left).Should(BeEmpty())
		another, err := controlplane.NewCA("another-client-ca", fixture.Lifetime)
		Expect(err).NotTo(HaveOccurred())
		Expect(w.cp.TrustClientCAs(w, another)).To(Succeed())
		Expect(w.cp.UseSigningCA(w, another)).To(Succeed())
		expectOrder(w.restore(objects, true), HavePrefix("refused: "))
	})
})
