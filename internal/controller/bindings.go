// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
)

// bind makes the role bindings exactly those that the spec asks for now. What stands in the way of one of
// them does not hold up the others.
func (p *pass) bind(ctx context.Context) error {
	namespaces, err := p.bindingNamespaces(ctx)
	if err != nil {
		return err
	}
	identity := p.bindingIdentity()
	group := certificate.CredentialGroup(string(p.identity.UID), timeOf(p.identity.Spec.RevokeIssuedBefore))
	desired := access.Desired(identity, namespaces, p.Options.protectedNamespaces(), group, p.now)
	p.wakeAt(desired.Next)
	p.outOfTime = desired.OutOfTime
	role, binding, readerErr := p.reader(ctx, group)
	if readerErr == nil {
		readerErr = p.applyReader(ctx, role)
	}
	if binding != nil && readerErr == nil {
		desired.Bindings = append(desired.Bindings, *binding)
	}
	observed, err := p.observeBindings(ctx, desired.Bindings)
	if err != nil {
		return err
	}
	w := bindingWriter{pass: p, observed: observed, plan: access.Diff(desired.Bindings, observed.all())}
	if p.narrowing {
		w.plan = w.plan.Narrowing()
	}
	w.apply(ctx)
	p.status.BoundBindings = int32(w.plan.Bound)
	return cmp.Or(w.problem(desired.Missing), readerErr)
}

// takeAway makes the bindings those that the spec asks for as far as that takes access away: a revocation, the end of
// a binding and its removal from the spec wait for nobody, whatever is in the way of everything else. It returns
// what that is, or what keeps access from being taken away.
func (p *pass) takeAway(ctx context.Context, inTheWay error) error {
	p.narrowing = true
	current, err := p.readPublished(ctx)
	if err != nil {
		return err
	}
	p.published = current.usable()
	if err := p.bind(ctx); err != nil && asProblem(err) == nil {
		return err
	}
	return inTheWay
}

// bindingIdentity returns the identity whose bindings are wanted. Where it has just been switched to
// bindTo: Credential, the bindings keep naming the user until the published certificate carries the
// credential's group, so that its holder is not interrupted; a revocation does interrupt.
func (p *pass) bindingIdentity() *v1alpha1.ClientIdentity {
	if p.identity.Spec.BindTo != v1alpha1.BindToCredential || p.status.Certificate == nil || len(p.status.Certificates) == 0 || p.revoked() {
		return p.identity
	}
	// The group without its revocation time tells whether the certificate is bound to its credential at all.
	prefix := strings.TrimSuffix(certificate.CredentialGroup(string(p.identity.UID), nil), "0")
	if slices.ContainsFunc(p.status.Certificates[0].Groups, func(g string) bool { return strings.HasPrefix(g, prefix) }) {
		return p.identity
	}
	byName := p.identity.DeepCopy()
	byName.Spec.BindTo = v1alpha1.BindToUsername
	return byName
}

// bindingNamespaces returns the namespaces that the bindings may be about: the named ones, or all of them
// where a selector is used.
func (p *pass) bindingNamespaces(ctx context.Context) ([]access.Namespace, error) {
	named := sets.New[string]()
	for i := range p.identity.Spec.RoleBindings {
		b := &p.identity.Spec.RoleBindings[i]
		if b.NamespaceSelector != nil {
			return p.allNamespaces(ctx)
		}
		named.Insert(b.Namespace)
	}
	var namespaces []access.Namespace
	for name := range named {
		namespace, err := p.namespace(ctx, name)
		if err != nil {
			return nil, err
		}
		if namespace != nil {
			namespaces = append(namespaces, asNamespace(namespace))
		}
	}
	return namespaces, nil
}

func (p *pass) allNamespaces(ctx context.Context) ([]access.Namespace, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := p.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	namespaces := make([]access.Namespace, 0, len(list.Items))
	for i := range list.Items {
		namespaces = append(namespaces, asNamespace(&list.Items[i]))
	}
	return namespaces, nil
}

func asNamespace(namespace *metav1.PartialObjectMetadata) access.Namespace {
	return access.Namespace{Name: namespace.Name, Labels: namespace.Labels, Terminating: namespace.DeletionTimestamp != nil}
}

// observedBindings are the binding objects that exist, each as the access package and as the API sees it.
type observedBindings map[access.Key]observedBinding

type observedBinding struct {
	access.Observed
	object client.Object
	// unlabelled is set where the cache does not hold it.
	unlabelled bool
}

func (o observedBindings) all() []access.Observed {
	result := make([]access.Observed, 0, len(o))
	for _, binding := range o {
		result = append(result, binding.Observed)
	}
	return result
}

// observeBindings returns what exists, from the cache: the wanted names, and all that is owned by this
// identity or was restored from a backup of it.
func (p *pass) observeBindings(ctx context.Context, desired []access.Binding) (observedBindings, error) {
	keys := sets.New[access.Key]()
	for i := range desired {
		keys.Insert(desired[i].Key())
	}
	for _, index := range []string{string(p.identity.UID), orphanOf(p.identity.Name)} {
		var roleBindings rbacv1.RoleBindingList
		if err := p.List(ctx, &roleBindings, client.MatchingFields{indexOwner: index}, client.DisableReadYourWritesConsistency); err != nil {
			return nil, fmt.Errorf("list RoleBindings: %w", err)
		}
		for i := range roleBindings.Items {
			keys.Insert(access.Key{Namespace: roleBindings.Items[i].Namespace, Name: roleBindings.Items[i].Name})
		}
		var clusterRoleBindings rbacv1.ClusterRoleBindingList
		if err := p.List(ctx, &clusterRoleBindings, client.MatchingFields{indexOwner: index}, client.DisableReadYourWritesConsistency); err != nil {
			return nil, fmt.Errorf("list ClusterRoleBindings: %w", err)
		}
		for i := range clusterRoleBindings.Items {
			keys.Insert(access.Key{Name: clusterRoleBindings.Items[i].Name})
		}
	}
	observed := observedBindings{}
	for key := range keys {
		// Each is read again, since these reads wait for our own writes. The lists do not: they would wait
		// for the writes of all identities.
		object := newBinding(key)
		if err := p.Get(ctx, client.ObjectKeyFromObject(object), object); err == nil {
			observed[key] = p.asObserved(object)
		} else if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
	}
	return observed, nil
}

func (p *pass) asObserved(object client.Object) observedBinding {
	o := access.Observed{
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
		Owned:  metav1.IsControlledBy(object, p.identity),
		Orphan: p.orphaned(object),
		MetadataDrift: object.GetLabels()[v1alpha1.ManagedByLabel] != v1alpha1.ManagedByValue ||
			object.GetLabels()[v1alpha1.IdentityLabel] != p.identity.Name,
		Deleting:   object.GetDeletionTimestamp() != nil,
		Finalizers: len(object.GetFinalizers()) > 0,
	}
	switch binding := object.(type) {
	case *rbacv1.RoleBinding:
		o.RoleRef, o.Subjects = binding.RoleRef, binding.Subjects
	case *rbacv1.ClusterRoleBinding:
		o.RoleRef, o.Subjects = binding.RoleRef, binding.Subjects
	}
	return observedBinding{Observed: o, object: object}
}

// newBinding returns an empty object of the kind that the key is of.
func newBinding(key access.Key) client.Object {
	meta := metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	if key.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: meta}
	}
	return &rbacv1.RoleBinding{ObjectMeta: meta}
}
