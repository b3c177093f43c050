// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/enrolment"
	"github.com/clientidentity/operator/internal/secret"
	"github.com/clientidentity/operator/internal/text"
)

// Whoever may create role bindings, Roles or Secrets in one namespace can give them our labels, and up to a megabyte and a half of anything
// else. So the cache keeps of each object no more than the operator looks at, and thousands of planted ones do
// not exhaust its memory. What it changes, it patches: what was dropped here stays in the cluster.
const (
	// keptSubjects is one more than a binding of ours has, twice over.
	keptSubjects = 4
	// keptRules is one more than the Role that lets a holder read its Secret has rules, and each of its lists texts.
	keptRules = 2
	// keptConditions are more than a CertificateSigningRequest has.
	keptConditions = 8
	// keptData bounds, in bytes, a request and a chain; longer ones are refused by those who read them.
	keptData = 64<<10 + 1
)

// slim does to an object that was written what the caches do to one that is watched.
func slim(object client.Object) {
	_, _ = slimIdentity(object)
	_, _ = slimDependent(object)
}

// slimNamespace keeps the labels, which selectors look at.
func slimNamespace(in any) (any, error) {
	if namespace, ok := in.(metav1.Object); ok {
		namespace.SetManagedFields(nil)
		namespace.SetAnnotations(nil)
	}
	return in, nil
}

// slimDependent drops what the operator does not look at of role bindings, Roles, the metadata of Secrets, and
// CertificateSigningRequests.
func slimDependent(in any) (any, error) {
	switch object := in.(type) {
	case *rbacv1.RoleBinding:
		dependent.Slim(object)
		object.RoleRef, object.Subjects = slimRoleRef(object.RoleRef), slimSubjects(object.Subjects)
	case *rbacv1.ClusterRoleBinding:
		dependent.Slim(object)
		object.RoleRef, object.Subjects = slimRoleRef(object.RoleRef), slimSubjects(object.Subjects)
	case *rbacv1.Role:
		dependent.Slim(object)
		object.Rules = slimRules(object.Rules)
	case *metav1.PartialObjectMetadata:
		if object.Kind == enrolment.Kind {
			dependent.Slim(object)
		} else {
			secret.Slim(object)
		}
	case *certificatesv1.CertificateSigningRequest:
		dependent.Slim(object)
		slimRequest(object)
	}
	return in, nil
}

func slimRoleRef(ref rbacv1.RoleRef) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: text.Shared(ref.APIGroup), Kind: text.Shared(ref.Kind), Name: text.Shared(dependent.Cut(ref.Name))}
}

func slimSubjects(subjects []rbacv1.Subject) []rbacv1.Subject {
	var kept []rbacv1.Subject
	for _, s := range subjects[:min(len(subjects), keptSubjects)] {
		kept = append(kept, rbacv1.Subject{Kind: text.Shared(dependent.Cut(s.Kind)), APIGroup: text.Shared(dependent.Cut(s.APIGroup)), Name: dependent.Cut(s.Name), Namespace: dependent.Cut(s.Namespace)})
	}
	return kept
}

// slimRules keeps enough of the rules of a Role to tell whether they are the one that the operator makes.
func slimRules(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var kept []rbacv1.PolicyRule
	for _, r := range rules[:min(len(rules), keptRules)] {
		kept = append(kept, rbacv1.PolicyRule{
			Verbs: slimTexts(r.Verbs), APIGroups: slimTexts(r.APIGroups), Resources: slimTexts(r.Resources),
			ResourceNames: slimTexts(r.ResourceNames), NonResourceURLs: slimTexts(r.NonResourceURLs),
		})
	}
	return kept
}

func slimTexts(texts []string) []string {
	var kept []string
	for _, long := range texts[:min(len(texts), keptRules)] {
		kept = append(kept, dependent.Cut(long))
	}
	return kept
}

func slimRequest(csr *certificatesv1.CertificateSigningRequest) {
	csr.Status.Certificate = append([]byte(nil), csr.Status.Certificate[:min(len(csr.Status.Certificate), keptData)]...)
	csr.Status.Conditions = slimConditions(csr.Status.Conditions)
	owner := metav1.GetControllerOf(csr)
	ours, signed := owner != nil && dependent.IsIdentity(owner), len(csr.Status.Certificate) > 0
	if ours && signed {
		// Kubernetes keeps it for an hour, in which thousands may come together. What was asked for, whoever asked knows, and whose it is
		// says the owner.
		csr.Labels = nil
		csr.Spec = certificatesv1.CertificateSigningRequestSpec{SignerName: csr.Spec.SignerName}
		csr.Status.Conditions = slices.DeleteFunc(csr.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
			return c.Type == certificatesv1.CertificateApproved
		})
		fit(&csr.Status.Conditions)
	}
	csr.Spec.Extra, csr.Spec.Groups = nil, nil
	csr.Spec.SignerName, csr.Spec.Username = text.Shared(dependent.Cut(csr.Spec.SignerName)), dependent.Cut(csr.Spec.Username)
	csr.Spec.Usages = csr.Spec.Usages[:min(len(csr.Spec.Usages), keptConditions)]
	if ours {
		csr.Spec.Request = append([]byte(nil), csr.Spec.Request[:min(len(csr.Spec.Request), keptData)]...)
	} else {
		csr.Spec.Request = nil // a holder's: that is read live before anything is decided
	}
}

func slimConditions(conditions []certificatesv1.CertificateSigningRequestCondition) []certificatesv1.CertificateSigningRequestCondition {
	var kept []certificatesv1.CertificateSigningRequestCondition
	for _, c := range conditions[:min(len(conditions), keptConditions)] {
		c.Type, c.Reason, c.Message = dependent.Cut(c.Type), dependent.Cut(c.Reason), dependent.Cut(c.Message)
		kept = append(kept, c)
	}
	return kept
}
