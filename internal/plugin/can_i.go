// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrNo is the answer no, which was printed already: it makes the exit code 1.
var ErrNo = errors.New("no")

// canI asks whether the holder of an identity may do something.
type canI struct {
	env           *Env
	list          bool
	allNamespaces bool
	subresource   string
	device        string
}

func newCanICommand(env *Env) *cobra.Command {
	c := &canI{env: env}
	cmd := &cobra.Command{
		Use:   "can-i NAME (VERB RESOURCE | VERB RESOURCE/NAME | VERB URL | --list)",
		Short: "Say whether the holder of an identity may do something",
		Long: `Say whether the holder of an identity may do something, as the API server sees its certificate: with the user, the groups that are in it,
among them the credential group that role bindings name with bindTo: Credential, and its fingerprint, which the API server may deny.
"kubectl auth can-i --as" knows neither that group nor the fingerprint.

It prints yes or no, with the reason on stderr, and the exit code is 0 or 1. The namespace is that of -n or of the context. Where nothing is
issued it tells of the certificate that would be.

--list prints everything that RBAC lets the holder do in a namespace. For that the API server has to take you for the holder: it takes the permission
to impersonate the user (impersonate users), and each of its groups (impersonate groups), the credential group among them.`,
		Example: Example(
			"# May the holder of alice delete pods in the namespace of the context?",
			"kubectl clientidentity can-i alice delete pods",
			"",
			"# One deployment, and its scale",
			"kubectl clientidentity can-i alice update deployments.apps/web --subresource scale -n shop",
			"",
			"# Everything, in all namespaces",
			"kubectl clientidentity can-i alice '*' '*' --all-namespaces",
			"",
			"# All that RBAC lets her do in a namespace",
			"kubectl clientidentity can-i alice --list -n shop"),
		Args:              c.args,
		ValidArgsFunction: env.CompleteIdentity,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	cmd.Flags().BoolVar(&c.list, "list", false, "Print all that RBAC lets the holder do in the namespace.")
	cmd.Flags().BoolVarP(&c.allNamespaces, "all-namespaces", "A", false, "Ask about all namespaces at once.")
	cmd.Flags().StringVar(&c.subresource, "subresource", "", "Subresource, such as log or scale.")
	cmd.Flags().StringVar(&c.device, "device", "", "The device whose certificate is meant, with privateKey.source: Holder: the one with the newest certificate by default.")
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get]
  resourceNames: [NAME]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]   # without --list
  verbs: [create]
`})
}

func (c *canI) args(_ *cobra.Command, args []string) error {
	switch {
	case c.list && len(args) != 1:
		return errors.New("--list takes the name of an identity, and nothing else")
	case c.list && (c.allNamespaces || c.subresource != ""):
		return errors.New("--list is about one namespace, and takes neither --all-namespaces nor --subresource")
	case !c.list && len(args) != 3:
		return errors.New("the name of an identity, a verb and a resource are needed, as in: kubectl clientidentity can-i alice get pods")
	}
	return nil
}

func (c *canI) run(ctx context.Context, args []string) error {
	api, err := c.env.Client()
	if err != nil {
		return err
	}
	id, err := Identity(ctx, api, args[0])
	if err != nil {
		return err
	}
	seen, err := seenAs(id, c.device, c.env.Clock.Now())
	if err != nil {
		return err
	}
	if seen.note != "" {
		fmt.Fprintln(c.env.ErrOut, clean(seen.note))
	}
	namespace, _, err := c.env.Flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return fmt.Errorf("find the namespace: %w", err)
	}
	if c.list {
		return c.printRules(ctx, seen, namespace)
	}
	return c.ask(ctx, api, seen, namespace, args[1], args[2])
}

// ask asks the API server, and prints its answer.
func (c *canI) ask(ctx context.Context, api client.Client, seen sight, namespace, verb, what string) error {
	review := &authorizationv1.SubjectAccessReview{Spec: seen.review()}
	if strings.HasPrefix(what, "/") {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: verb, Path: what}
	} else {
		attributes, err := c.attributes(namespace, verb, what)
		if err != nil {
			return err
		}
		review.Spec.ResourceAttributes = attributes
	}
	if err := api.Create(ctx, review); err != nil {
		return fmt.Errorf("ask whether %s may: %w", seen.user, err)
	}
	status := &review.Status
	if reason := strings.TrimSpace(status.Reason + " " + status.EvaluationError); reason != "" {
		fmt.Fprintln(c.env.ErrOut, clean(reason))
	}
	if !status.Allowed {
		fmt.Fprintln(c.env.Out, "no")
		return ErrNo
	}
	fmt.Fprintln(c.env.Out, "yes")
	return nil
}

// attributes returns what is asked for. A resource that this cluster does not have is asked for all the same, as kubectl does: a role may name it.
func (c *canI) attributes(namespace, verb, what string) (*authorizationv1.ResourceAttributes, error) {
	mapper, err := c.env.Flags.ToRESTMapper()
	if err != nil {
		return nil, fmt.Errorf("find out which resources there are: %w", err)
	}
	resource, name, _ := strings.Cut(what, "/")
	a := &authorizationv1.ResourceAttributes{Verb: verb, Name: name, Subresource: c.subresource, Namespace: namespace}
	if c.allNamespaces {
		a.Namespace = ""
	}
	found, ok := resolve(mapper, resource)
	a.Group, a.Version, a.Resource = found.Group, found.Version, found.Resource
	switch {
	case !ok && resource != "*":
		fmt.Fprintf(c.env.ErrOut, "Warning: this cluster has no resource %q\n", clean(resource))
	case ok && clusterWide(mapper, found):
		a.Namespace = ""
	}
	return a, nil
}

// resolve finds a resource by any of its names: deployments, deployment, deploy, deployments.apps, deployments.v1.apps. ok is false where there
// is none of that name.
func resolve(mapper meta.RESTMapper, name string) (found schema.GroupVersionResource, ok bool) {
	name = strings.ToLower(name)
	full, parsed := schema.ParseResourceArg(name)
	if full != nil {
		if found, err := mapper.ResourceFor(*full); err == nil {
			return found, true
		}
	}
	if found, err := mapper.ResourceFor(parsed.WithVersion("")); err == nil {
		return found, true
	}
	return parsed.WithVersion(""), false
}

// clusterWide says whether objects of a resource are in no namespace.
func clusterWide(mapper meta.RESTMapper, resource schema.GroupVersionResource) bool {
	kind, err := mapper.KindFor(resource)
	if err != nil {
		return false
	}
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	return err == nil && mapping.Scope.Name() == meta.RESTScopeNameRoot
}

// printRules prints what RBAC lets the holder do in a namespace, as the API server tells the holder.
func (c *canI) printRules(ctx context.Context, seen sight, namespace string) error {
	connection, err := c.env.Connection()
	if err != nil {
		return err
	}
	connection.Impersonate = rest.ImpersonationConfig{UserName: seen.user, Groups: seen.granting}
	api, err := client.New(connection, client.Options{Scheme: scheme(), Mapper: mapper()})
	if err != nil {
		return fmt.Errorf("connect as %s: %w", seen.user, err)
	}
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	if err := api.Create(ctx, review); err != nil {
		return seen.impersonation(fmt.Errorf("ask as %s what it may do: %w", seen.user, err))
	}
	if review.Status.Incomplete {
		fmt.Fprintln(c.env.ErrOut, "Warning: the list may be incomplete: "+clean(review.Status.EvaluationError))
	}
	c.env.Printer().Table([]string{"RESOURCES", "NON-RESOURCE URLS", "RESOURCE NAMES", "VERBS"}, ruleRows(&review.Status))
	return nil
}
