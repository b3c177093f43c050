// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/faults"
)

// interfere lets the webhook decide about operations on the bindings of an identity, in one namespace where it is given, and
// waits until it is asked. What is returned ends it.
func interfere(name, namespace string, rule faults.Rule, operations ...admissionregistrationv1.OperationType) func() {
	GinkgoHelper()
	configuration, err := admission.Install(ctx, admin, uniqueName("fault"), faults.Scope{
		Resources: []string{"rolebindings", "clusterrolebindings"}, Operations: operations, Namespace: namespace,
		Labels: map[string]string{v1alpha1.IdentityLabel: name},
	})
	Expect(err).NotTo(HaveOccurred())
	end := func() { GinkgoHelper(); remove(configuration) }
	DeferCleanup(end)
	binding := bindingIn(name, namespace)
	Eventually(func() int64 { _ = touch(binding); return admission.Asked() }).ShouldNot(BeZero(), "the API server does not ask the webhook")
	admission.Answer(rule)
	return end
}

// touch tries to change a binding, and changes nothing.
func touch(binding *rbacv1.RoleBinding) error {
	return admin.Patch(ctx, binding, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"touched":"yes"}}}`)), client.DryRunAll)
}

// freeze makes a policy call every change of a role binding in a namespace invalid.
func freeze(namespace string) {
	GinkgoHelper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: uniqueName("frozen")},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{onUpdate},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"rolebindings"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "nothing changes here"}},
		},
	}
	create(policy, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			MatchResources: &admissionregistrationv1.MatchResources{
				NamespaceSelector: metav1.SetAsLabelSelector(map[string]string{corev1.LabelMetadataName: namespace}),
			},
		},
	})
}

// meddle says that somebody else manages whatever has labels.
func meddle(request *admissionv1.AdmissionRequest) faults.Answer {
	if request.Operation == admissionv1.Delete {
		return faults.Answer{}
	}
	return faults.Answer{Patch: anotherManager}
}
