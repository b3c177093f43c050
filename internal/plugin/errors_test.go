// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// forbidden returns an error as the API server makes it.
func forbidden(resource schema.GroupResource, name, message string) error {
	return fmt.Errorf("read something: %w", apierrors.NewForbidden(resource, name, errors.New(message)))
}

func TestARefusalNamesThePermissionAndHowToGrantIt(t *testing.T) {
	identities := schema.GroupResource{Group: "clientidentity.dev", Resource: "clientidentities"}
	secrets := schema.GroupResource{Resource: "secrets"}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"get one object of the cluster": {
			forbidden(identities, "alice", `User "bob" cannot get resource "clientidentities" in API group "clientidentity.dev" at the cluster scope`),
			`Missing permission of user "bob": get clientidentities.clientidentity.dev "alice". An administrator grants it with:
  kubectl create clusterrole get-clientidentities-alice --verb=get --resource=clientidentities.clientidentity.dev --resource-name=alice
  kubectl create clusterrolebinding get-clientidentities-alice-bob --clusterrole=get-clientidentities-alice --user=bob`,
		},
		"list": {
			forbidden(identities, "", `User "bob" cannot list resource "clientidentities" in API group "clientidentity.dev" at the cluster scope`),
			`Missing permission of user "bob": list clientidentities.clientidentity.dev. An administrator grants it with:
  kubectl create clusterrole list-clientidentities --verb=list --resource=clientidentities.clientidentity.dev
  kubectl create clusterrolebinding list-clientidentities-bob --clusterrole=list-clientidentities --user=bob`,
		},
		"in a namespace, by a service account": {
			forbidden(secrets, "alice-kubeconfig", `User "system:serviceaccount:ci:robot" cannot get resource "secrets" in API group "" in the namespace "client-identities"`),
			`Missing permission of user "system:serviceaccount:ci:robot": get secrets "alice-kubeconfig" in namespace "client-identities". An administrator grants it with:
  kubectl create role get-secrets-alice-kubeconfig --namespace=client-identities --verb=get --resource=secrets --resource-name=alice-kubeconfig
  kubectl create rolebinding get-secrets-alice-kubeconfig-system-serviceaccount-ci-robot --namespace=client-identities --role=get-secrets-alice-kubeconfig --serviceaccount=ci:robot`,
		},
		"create a subresource of one object": {
			forbidden(schema.GroupResource{Resource: "serviceaccounts/token"}, "clientidentity-alice-enrolment",
				`User "bob" cannot create resource "serviceaccounts/token" in API group "" in the namespace "client-identities"`),
			`  kubectl create role create-serviceaccounts-token-clientidentity-alice-enrolment --namespace=client-identities --verb=create --resource=serviceaccounts/token --resource-name=clientidentity-alice-enrolment`,
		},
		"a subresource in a group": {
			forbidden(identities, "alice", `User "bob" cannot update resource "clientidentities/status" in API group "clientidentity.dev" at the cluster scope`),
			`--resource=clientidentities.clientidentity.dev/status --resource-name=alice`,
		},
		"create, whose name counts for nothing": {
			forbidden(identities, "alice", `User "bob" cannot create resource "clientidentities" in API group "clientidentity.dev" at the cluster scope`),
			"--verb=create --resource=clientidentities.clientidentity.dev\n",
		},
		"impersonate a user with a hostile name": {
			forbidden(schema.GroupResource{Resource: "users"}, "a'; rm -rf ~ #", `User "it's \"me\"" cannot impersonate resource "users" in API group "" at the cluster scope`),
			`--verb=impersonate --resource=users --resource-name='a'\''; rm -rf ~ #'
  kubectl create clusterrolebinding impersonate-users-a-rm-rf-it-s-me --clusterrole=impersonate-users-a-rm-rf --user='it'\''s "me"'`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Explain(test.err)
			if !strings.Contains(got.Error(), test.want) {
				t.Errorf("got:\n%v\nwant:\n%s", got, test.want)
			}
			if !apierrors.IsForbidden(got) || !strings.HasPrefix(got.Error(), test.err.Error()) {
				t.Errorf("what the API server said is lost: %v", got)
			}
			if twice := Explain(fmt.Errorf("again: %w", got)); strings.Count(twice.Error(), "kubectl create") != strings.Count(got.Error(), "kubectl create") {
				t.Errorf("explained twice: %v", twice)
			}
		})
	}
}

func TestOtherErrorsAreExplainedWhereSomethingIsKnown(t *testing.T) {
	resource := schema.GroupResource{Resource: "secrets"}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"nothing":                        {nil, ""},
		"a credential that ended":        {apierrors.NewUnauthorized("Unauthorized"), "kubectl auth whoami"},
		"impersonation":                  {forbidden(resource, "a", `User "bob" cannot impersonate-on:user-info:get resource "secrets" in API group "" in the namespace "x"`), `User "bob" may not impersonate whom --as and --as-group name`},
		"no operator":                    {fmt.Errorf("list: %w", apierrors.NewGenericServerResponse(404, "list", schema.GroupResource{Resource: "clientidentities"}, "", "404 page not found", 0, true)), "not installed"},
		"no such kind":                   {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "clientidentity.dev", Kind: "ClientIdentity"}}, "not installed"},
		"admission, which no role mends": {forbidden(resource, "a", `admission webhook "x" denied the request: no`), ""},
		"not found":                      {apierrors.NewNotFound(resource, "a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := Explain(test.err)
			if test.want == "" {
				if !errors.Is(got, test.err) || (got != nil && got.Error() != test.err.Error()) {
					t.Errorf("was changed to %v", got)
				}
			} else if got == nil || !strings.Contains(got.Error(), test.want) {
				t.Errorf("got %v, want %q", got, test.want)
			}
		})
	}
}

func TestWhatServersSayIsTextToATerminal(t *testing.T) {
	said := Told(fmt.Errorf("denied: %w", errors.New("\x1b]0;title\x07 and\r\x1b[2K more\n\tkubectl get pods")))
	if said != "denied: \uFFFD]0;title\uFFFD and\uFFFD\uFFFD[2K more\n  kubectl get pods" {
		t.Errorf("told %q", said)
	}
	if word := quote("a\x1b[2Kb"); word != "'a\uFFFD[2Kb'" {
		t.Errorf("quoted %q", word)
	}
}
