// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"slices"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/apis/apiserver"
	authorizationcel "k8s.io/apiserver/pkg/authorization/cel"
)

func TestTheAPIServerTakesTheConfiguration(t *testing.T) {
	config := loaded(t)
	var order []string
	for _, authorizer := range config.Authorizers {
		order = append(order, string(authorizer.Type)+" "+authorizer.Name)
	}
	if want := []string{"Webhook client-identity-operator", "Node node", "RBAC rbac"}; !slices.Equal(order, want) {
		t.Errorf("authorizers %v, want %v", order, want)
	}
	webhook := config.Authorizers[0].Webhook
	if webhook.CacheAuthorizedRequests || webhook.CacheUnauthorizedRequests {
		t.Error("an answer is cached: a revocation would wait for it")
	}
	if webhook.Timeout.Duration != time.Second || webhook.FailurePolicy != apiserver.FailurePolicyNoOpinion ||
		webhook.SubjectAccessReviewVersion != "v1" || webhook.MatchConditionSubjectAccessReviewVersion != "v1" {
		t.Errorf("unexpected webhook: %+v", webhook)
	}
}

func TestOnlyWhatCanBeAnIdentityIsAskedAbout(t *testing.T) {
	certificate := map[string]authorizationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"X509SHA256=00"}}
	for name, test := range map[string]struct {
		spec authorizationv1.SubjectAccessReviewSpec
		want bool
	}{
		"an identity": {authorizationv1.SubjectAccessReviewSpec{
			User: "alice", Groups: []string{"developers", "clientidentity.dev:1:2", "system:authenticated"}, Extra: certificate}, true},
		"an identity with more extra": {authorizationv1.SubjectAccessReviewSpec{User: "alice", Extra: map[string]authorizationv1.ExtraValue{
			"authentication.kubernetes.io/credential-id": {"X509SHA256=00"}, "example.com/other": {"a"}}}, true},
		"a user whose name only begins as that of a component": {authorizationv1.SubjectAccessReviewSpec{
			User: "system:kube-scheduler-debug", Groups: []string{"system:nodes-readers"}, Extra: certificate}, true},
		"without groups":    {authorizationv1.SubjectAccessReviewSpec{User: "alice", Extra: certificate}, true},
		"without a name":    {authorizationv1.SubjectAccessReviewSpec{Extra: certificate}, true},
		"nothing":           {authorizationv1.SubjectAccessReviewSpec{}, false},
		"without extra":     {authorizationv1.SubjectAccessReviewSpec{User: "alice", Groups: []string{"developers"}}, false},
		"other extra":       {authorizationv1.SubjectAccessReviewSpec{User: "alice", Extra: map[string]authorizationv1.ExtraValue{"a": {"X509SHA256=00"}}}, false},
		"no credential ids": {authorizationv1.SubjectAccessReviewSpec{User: "alice", Extra: map[string]authorizationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {}}}, false},
		"a token": {authorizationv1.SubjectAccessReviewSpec{User: "alice", Extra: map[string]authorizationv1.ExtraValue{
			"authentication.kubernetes.io/credential-id": {"JTI=00"}}}, false},
		"a ServiceAccount": {authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:a:b", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:a"}, Extra: certificate}, false},
		"an administrator":            {authorizationv1.SubjectAccessReviewSpec{User: "root", Groups: []string{"system:masters"}, Extra: certificate}, false},
		"an administrator of kubeadm": {authorizationv1.SubjectAccessReviewSpec{User: "kubernetes-admin", Groups: []string{"kubeadm:cluster-admins"}, Extra: certificate}, false},
		"a kubelet":                   {authorizationv1.SubjectAccessReviewSpec{User: "system:node:a", Groups: []string{"system:nodes"}, Extra: certificate}, false},
		"the scheduler":               {authorizationv1.SubjectAccessReviewSpec{User: "system:kube-scheduler", Extra: certificate}, false},
		"the controller manager":      {authorizationv1.SubjectAccessReviewSpec{User: "system:kube-controller-manager", Extra: certificate}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, spec := range map[string]authorizationv1.SubjectAccessReviewSpec{"resource": resource(test.spec), "path": nonResource(test.spec)} {
				matches, err := matcher(t).Eval(t.Context(), &authorizationv1.SubjectAccessReview{Spec: spec})
				if err != nil || matches != test.want {
					t.Errorf("%s: asked about: %t, want %t (%v)", kind, matches, test.want, err)
				}
			}
		})
	}
}

func resource(spec authorizationv1.SubjectAccessReviewSpec) authorizationv1.SubjectAccessReviewSpec {
	spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods"}
	return spec
}

func nonResource(spec authorizationv1.SubjectAccessReviewSpec) authorizationv1.SubjectAccessReviewSpec {
	spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/healthz"}
	return spec
}

// matcher compiles the conditions as an API server does.
func matcher(t *testing.T) *authorizationcel.CELMatcher {
	t.Helper()
	compiler := authorizationcel.NewDefaultCompiler()
	compiled := &authorizationcel.CELMatcher{Metrics: authorizationcel.NoopMatcherMetrics{}}
	for _, condition := range loaded(t).Authorizers[0].Webhook.MatchConditions {
		result, err := compiler.CompileCELExpression(&authorizationcel.SubjectAccessReviewMatchCondition{Expression: condition.Expression})
		if err != nil {
			t.Fatal(err)
		}
		compiled.CompilationResults = append(compiled.CompilationResults, result)
	}
	return compiled
}
