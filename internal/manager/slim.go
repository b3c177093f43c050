// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// Whoever may create role bindings in one namespace can give them our labels, and up to a megabyte and a half of anything
// else. So the cache keeps of each object no more than the operator looks at, and thousands of planted ones do
// not exhaust its memory. What it changes, it patches: what was dropped here stays in the cluster.
const (
	// keptText bounds, in bytes, a name or a message that is kept. None of ours is nearly as long, so that a cut one
	// equals none of them.
	keptText = 1024
	// keptSubjects is one more than a binding of ours has, twice over.
	keptSubjects = 4
	// keptConditions are more than a CertificateSigningRequest has.
	keptConditions = 8
	// keptData bounds, in bytes, a request and a chain; longer ones are refused by those who read them.
	keptData = 64<<10 + 1
)

// slimMetadata drops what the operator does not look at.
func slimMetadata(object metav1.Object) {
	object.SetManagedFields(nil)
	object.SetAnnotations(nil)
	labels := map[string]string{}
	for _, name := range []string{v1alpha1.ManagedByLabel, v1alpha1.IdentityLabel} {
		if value, ok := object.GetLabels()[name]; ok {
			labels[name] = value
		}
	}
	object.SetLabels(labels)
	if finalizers := object.GetFinalizers(); len(finalizers) > 0 {
		// That there is one is all that matters.
		object.SetFinalizers([]string{cut(finalizers[0])})
	}
	var owners []metav1.OwnerReference
	if owner := metav1.GetControllerOf(object); owner != nil {
		owner.APIVersion, owner.Kind = cut(owner.APIVersion), cut(owner.Kind)
		owner.Name, owner.UID = cut(owner.Name), cut(owner.UID)
		owners = append(owners, *owner)
	}
	object.SetOwnerReferences(owners)
}

// slimNamespace keeps the labels, which selectors look at.
func slimNamespace(in any) (any, error) {
	if namespace, ok := in.(metav1.Object); ok {
		namespace.SetManagedFields(nil)
		namespace.SetAnnotations(nil)
	}
	return in, nil
}

// slimDependent drops what the operator does not look at of role bindings and CertificateSigningRequests.
func slimDependent(in any) (any, error) {
	switch object := in.(type) {
	case *rbacv1.RoleBinding:
		slimMetadata(object)
		object.RoleRef.Name, object.Subjects = cut(object.RoleRef.Name), slimSubjects(object.Subjects)
	case *rbacv1.ClusterRoleBinding:
		slimMetadata(object)
		object.RoleRef.Name, object.Subjects = cut(object.RoleRef.Name), slimSubjects(object.Subjects)
	case *certificatesv1.CertificateSigningRequest:
		slimMetadata(object)
		slimRequest(object)
	}
	return in, nil
}

func slimSubjects(subjects []rbacv1.Subject) []rbacv1.Subject {
	var kept []rbacv1.Subject
	for _, s := range subjects[:min(len(subjects), keptSubjects)] {
		kept = append(kept, rbacv1.Subject{Kind: cut(s.Kind), APIGroup: cut(s.APIGroup), Name: cut(s.Name), Namespace: cut(s.Namespace)})
	}
	return kept
}

func slimRequest(csr *certificatesv1.CertificateSigningRequest) {
	csr.Spec.Extra, csr.Spec.Groups = nil, nil
	csr.Spec.SignerName, csr.Spec.Username = cut(csr.Spec.SignerName), cut(csr.Spec.Username)
	csr.Spec.Usages = csr.Spec.Usages[:min(len(csr.Spec.Usages), keptConditions)]
	csr.Spec.Request = append([]byte(nil), csr.Spec.Request[:min(len(csr.Spec.Request), keptData)]...)
	csr.Status.Certificate = append([]byte(nil), csr.Status.Certificate[:min(len(csr.Status.Certificate), keptData)]...)
	var kept []certificatesv1.CertificateSigningRequestCondition
	for _, c := range csr.Status.Conditions[:min(len(csr.Status.Conditions), keptConditions)] {
		c.Type, c.Reason, c.Message = cut(c.Type), cut(c.Reason), cut(c.Message)
		kept = append(kept, c)
	}
	csr.Status.Conditions = kept
}

// cut returns a copy of at most keptText bytes, so that the long original can be freed.
func cut[T ~string](text T) T {
	if len(text) <= keptText {
		return text
	}
	return T(append([]byte(nil), text[:keptText]...))
}
