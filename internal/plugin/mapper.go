// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// mapper returns where the objects are that commands read and write. To ask the API server would take a request or two before each command,
// and whoever may not even do that, such as with --as, would be told nothing but "unknown".
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for _, part := range []struct {
		version schema.GroupVersion
		scope   meta.RESTScope
		kinds   []string
	}{
		{v1alpha1.GroupVersion, meta.RESTScopeRoot, []string{"ClientIdentity"}},
		{corev1.SchemeGroupVersion, meta.RESTScopeRoot, []string{"Namespace"}},
		{corev1.SchemeGroupVersion, meta.RESTScopeNamespace, []string{"ConfigMap", "Event", "Secret", "ServiceAccount"}},
		{rbacv1.SchemeGroupVersion, meta.RESTScopeRoot, []string{"ClusterRole", "ClusterRoleBinding"}},
		{rbacv1.SchemeGroupVersion, meta.RESTScopeNamespace, []string{"Role", "RoleBinding"}},
		{certificatesv1.SchemeGroupVersion, meta.RESTScopeRoot, []string{"CertificateSigningRequest"}},
		{authenticationv1.SchemeGroupVersion, meta.RESTScopeRoot, []string{"SelfSubjectReview", "TokenReview"}},
		{authorizationv1.SchemeGroupVersion, meta.RESTScopeRoot, []string{"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"}},
	} {
		for _, kind := range part.kinds {
			m.Add(part.version.WithKind(kind), part.scope)
		}
	}
	return m
}
