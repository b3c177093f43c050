// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/pem"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// webhookTimeout is how many seconds the API server waits for the webhook.
const webhookTimeout = 30

// Scope is what the API server asks the webhook about.
type Scope struct {
	// Resources are plural names, of any API group.
	Resources []string
	// Operations are those that are asked about; none means writes of every kind.
	Operations []admissionregistrationv1.OperationType
	// Namespace is the only one that is asked about, where it is set. Objects without a namespace are, in any case.
	Namespace string
	// Labels are those that an object must have.
	Labels map[string]string
	// Mutating lets the webhook patch the objects.
	Mutating bool
}

// Install makes the API server ask the webhook, and refuse what it gets no answer about. It takes a moment until
// the API server does: see Asked. The object that is returned is deleted to end it.
func (a *Admission) Install(ctx context.Context, admin client.Client, name string, scope Scope) (client.Object, error) {
	rule := admissionregistrationv1.RuleWithOperations{
		Operations: scope.Operations,
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: scope.Resources},
	}
	if len(rule.Operations) == 0 {
		rule.Operations = []admissionregistrationv1.OperationType{
			admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete,
		}
	}
	var namespaces, objects *metav1.LabelSelector
	if scope.Namespace != "" {
		namespaces = metav1.SetAsLabelSelector(map[string]string{corev1.LabelMetadataName: scope.Namespace})
	}
	if len(scope.Labels) > 0 {
		objects = metav1.SetAsLabelSelector(scope.Labels)
	}
	var configuration client.Object = &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: name + ".faults.test", ClientConfig: a.client(), Rules: []admissionregistrationv1.RuleWithOperations{rule},
			FailurePolicy: ptr.To(admissionregistrationv1.Fail), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds: ptr.To[int32](webhookTimeout), AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: namespaces, ObjectSelector: objects,
		}},
	}
	if scope.Mutating {
		configuration = &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Webhooks: []admissionregistrationv1.MutatingWebhook{{
				Name: name + ".faults.test", ClientConfig: a.client(), Rules: []admissionregistrationv1.RuleWithOperations{rule},
				FailurePolicy: ptr.To(admissionregistrationv1.Fail), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
				TimeoutSeconds: ptr.To[int32](webhookTimeout), AdmissionReviewVersions: []string{"v1"},
				NamespaceSelector: namespaces, ObjectSelector: objects,
			}},
		}
	}
	return configuration, admin.Create(ctx, configuration)
}

// client is how the API server reaches the webhook.
func (a *Admission) client() admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{
		URL:      ptr.To(a.server.URL),
		CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw}),
	}
}
