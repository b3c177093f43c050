// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/utils/ptr"
)

const (
	// Authorizer is the operator's name in the metrics of the API server.
	Authorizer = "client-identity-operator"
	// timeout is how long the API server waits for the operator, which answers in well under a millisecond.
	timeout = time.Second
	// reviewVersion is that of the SubjectAccessReviews.
	reviewVersion = "v1"
)

// matchConditions say what the operator is asked about: certificates that may be an identity's. What they leave out no identity
// can be (its schema reserves these names and groups), and the cluster needs it to get back on its feet. None of them can fail.
var matchConditions = []string{
	`has(request.extra) && 'authentication.kubernetes.io/credential-id' in request.extra && ` +
		`request.extra['authentication.kubernetes.io/credential-id'].exists(id, id.startsWith('X509SHA256='))`,
	`!has(request.groups) || !request.groups.exists(group, group in ` +
		`['system:masters', 'kubeadm:cluster-admins', 'system:nodes', 'system:serviceaccounts'])`,
	`!has(request.user) || !(request.user.startsWith('system:node:') || request.user.startsWith('system:serviceaccount:') || request.user in ` +
		`['system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy'])`,
}

// authorizers asks the operator first, since whoever allows a request ends the search, and then decides as without it.
func authorizers(kubeconfigPath, failurePolicy string) []apiserverv1.AuthorizerConfiguration {
	webhook := &apiserverv1.WebhookConfiguration{
		// A denial counts from the next request on, and so does its end.
		CacheAuthorizedRequests:                  ptr.To(false),
		CacheUnauthorizedRequests:                ptr.To(false),
		Timeout:                                  metav1.Duration{Duration: timeout},
		SubjectAccessReviewVersion:               reviewVersion,
		MatchConditionSubjectAccessReviewVersion: reviewVersion,
		FailurePolicy:                            failurePolicy,
		ConnectionInfo: apiserverv1.WebhookConnectionInfo{
			Type:           apiserverv1.AuthorizationWebhookConnectionInfoTypeKubeConfigFile,
			KubeConfigFile: ptr.To(kubeconfigPath),
		},
	}
	for _, expression := range matchConditions {
		webhook.MatchConditions = append(webhook.MatchConditions, apiserverv1.WebhookMatchCondition{Expression: expression})
	}
	return []apiserverv1.AuthorizerConfiguration{
		{Type: string(apiserverv1.TypeWebhook), Name: Authorizer, Webhook: webhook},
		{Type: "Node", Name: "node"},
		{Type: "RBAC", Name: "rbac"},
	}
}

// configuration is what --authorization-config takes.
func configuration(kubeconfigPath, failurePolicy string) *apiserverv1.AuthorizationConfiguration {
	return &apiserverv1.AuthorizationConfiguration{
		TypeMeta:    metav1.TypeMeta{APIVersion: apiserverv1.SchemeGroupVersion.String(), Kind: "AuthorizationConfiguration"},
		Authorizers: authorizers(kubeconfigPath, failurePolicy),
	}
}
