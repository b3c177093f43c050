// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

// request begins what a picture has about CertificateSigningRequests.
const request = "CertificateSigningRequest /"

// picture is all that matters about credentials, by what it is about. Keys and kubeconfigs are in it as digests.
type picture map[string]string

// differences returns what is not as it was before, each with what it was and what it is.
func (p picture) differences(before picture) []string {
	keys := maps.Clone(before)
	maps.Copy(keys, p)
	var different []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if p[key] != before[key] {
			different = append(different, fmt.Sprintf("%s:\n  was %s\n  is  %s", key, before[key], p[key]))
		}
	}
	return different
}

// take takes the picture.
func (w *world) take() picture {
	GinkgoHelper()
	p := picture{}
	w.takeObjects(p)
	identities := &v1alpha1.ClientIdentityList{}
	Expect(w.admin.List(w, identities)).To(Succeed())
	for _, identity := range identities.Items {
		p["spec of "+identity.Name] = string(identity.UID) + " " + text(identity.Spec)
		p["status of "+identity.Name] = text(identity.Status)
		p["version of "+identity.Name] = identity.ResourceVersion
		if identity.Status.SecretRef != nil {
			p["holder of "+identity.Name] = w.holderOf(w.kubeconfigOf(&identity))
		}
	}
	for i, kept := range w.release.Copies {
		p[fmt.Sprintf("holder of copy %d, of %s", i, kept.Identity)] = w.holderOf(kept.Kubeconfig)
	}
	return p
}

// takeObjects notes what the operator has made.
func (w *world) takeObjects(p picture) {
	GinkgoHelper()
	ours := client.HasLabels{v1alpha1.IdentityLabel}
	for kind, list := range map[string]client.ObjectList{
		"RoleBinding":               &rbacv1.RoleBindingList{},
		"ClusterRoleBinding":        &rbacv1.ClusterRoleBindingList{},
		"Role":                      &rbacv1.RoleList{},
		"CertificateSigningRequest": &certificatesv1.CertificateSigningRequestList{},
		"Secret":                    &corev1.SecretList{},
	} {
		Expect(w.admin.List(w, list, ours)).To(Succeed())
		for _, object := range objectsOf(list) {
			content := ""
			if secret, is := object.(*corev1.Secret); is {
				content = digest(text(secret.Data))
			}
			// Of an object without a namespace, this is /name.
			p[kind+" "+client.ObjectKeyFromObject(object).String()] = fmt.Sprintf("uid %s, version %s %s", object.GetUID(), object.GetResourceVersion(), content)
		}
	}
}

// left returns what there is that the operator has made.
func (w *world) left() []string {
	GinkgoHelper()
	p := picture{}
	w.takeObjects(p)
	return slices.Sorted(maps.Keys(p))
}

// objectsOf returns what is in a list.
func objectsOf(list client.ObjectList) []client.Object {
	GinkgoHelper()
	var objects []client.Object
	switch list := list.(type) {
	case *rbacv1.RoleBindingList:
		objects = pointers[client.Object](list.Items)
	case *rbacv1.ClusterRoleBindingList:
		objects = pointers[client.Object](list.Items)
	case *rbacv1.RoleList:
		objects = pointers[client.Object](list.Items)
	case *certificatesv1.CertificateSigningRequestList:
		objects = pointers[client.Object](list.Items)
	case *corev1.SecretList:
		objects = pointers[client.Object](list.Items)
	default:
		Fail(fmt.Sprintf("no list of ours: %T", list))
	}
	return objects
}

// kubeconfigOf returns the published kubeconfig.
func (w *world) kubeconfigOf(identity *v1alpha1.ClientIdentity) []byte {
	GinkgoHelper()
	secret, ref := &corev1.Secret{}, identity.Status.SecretRef
	Expect(w.admin.Get(w, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)).To(Succeed())
	return secret.Data[identity.Spec.Secret.KubeconfigKey]
}

// holderOf says who the holder of a kubeconfig is, and what he may do in each namespace, in the API server's words.
func (w *world) holderOf(kubeconfig []byte) string {
	GinkgoHelper()
	connection, err := fixture.ConnectionOf(kubeconfig, w.holders)
	Expect(err).NotTo(HaveOccurred())
	user, err := operator.WhoAmI(w, connection)
	if err != nil {
		return "refused: " + err.Error()
	}
	slices.Sort(user.Groups)
	clients, err := kubernetes.NewForConfig(connection)
	Expect(err).NotTo(HaveOccurred())
	says := fmt.Sprintf("%s %v", user.Username, user.Groups)
	for _, namespace := range []string{"development", "staging", "production", "team-a", operator.SecretNamespace, metav1.NamespaceDefault} {
		review, err := clients.AuthorizationV1().SelfSubjectRulesReviews().Create(w, &authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		var rules []string
		for _, rule := range review.Status.ResourceRules {
			rules = append(rules, text(rule))
		}
		slices.Sort(rules)
		says += fmt.Sprintf("\n    %s: %d rules, %s", namespace, len(rules), digest(text(rules)))
	}
	return says
}

func text(value any) string {
	GinkgoHelper()
	encoded, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return string(encoded)
}

func digest(content string) string { return fmt.Sprintf("%.6x", sha256.Sum256([]byte(content))) }

// pointers returns pointers to the items, as another type.
func pointers[To, Item any](items []Item) []To {
	result := make([]To, 0, len(items))
	for i := range items {
		result = append(result, any(&items[i]).(To))
	}
	return result
}
