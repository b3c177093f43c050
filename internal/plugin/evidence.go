// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/machine"
	"github.com/clientidentity/operator/internal/proof"
)

// defaultNamespace is where Secrets are published unless an identity or the operator's flags say otherwise.
const defaultNamespace = "client-identities"

// clientCAs is where the API server publishes the CAs that it checks client certificates against: a list that only grows.
var clientCAs = client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: "extension-apiserver-authentication"}

const clientCAKey = "client-ca-file"

// found is something that was read, or why it was not.
type found[T any] struct {
	value T
	err   error
}

func find[T any](value T, err error) found[T] { return found[T]{value, err} }

// grant is a role binding that exists.
type grant struct {
	key         access.Key
	object      metav1.ObjectMeta
	roleRef     rbacv1.RoleRef
	subjects    []rbacv1.Subject
	terminating bool
}

// evidence is all that a verification looks at. It is read once, and judged without any more.
type evidence struct {
	identity   *v1alpha1.ClientIdentity
	now        time.Time
	secret     found[*corev1.Secret]
	clientCAs  found[string]
	namespaces found[[]access.Namespace]
	bindings   found[[]grant]
	account    found[*corev1.ServiceAccount]
	// user is whom the API server takes the holder of the published credential for; published is the same by the published kubeconfig.
	user, published found[authenticationv1.UserInfo]
	address         string
	machine         found[*onMachine]
}

// gather reads what a verification looks at. What cannot be read is judged, too.
func (e *Env) gather(ctx context.Context, c client.Client, identity *v1alpha1.ClientIdentity) (*evidence, error) {
	connection, err := e.Connection()
	if err != nil {
		return nil, err
	}
	v := &evidence{identity: identity, now: e.Clock.Now(), address: connection.Host}
	place := placeOf(identity)
	secret := &corev1.Secret{}
	v.secret = find(secret, c.Get(ctx, place, secret))
	cas := &corev1.ConfigMap{}
	err = c.Get(ctx, clientCAs, cas)
	v.clientCAs = find(cas.Data[clientCAKey], err)
	v.namespaces = namespacesFor(ctx, c, identity)
	v.bindings = bindingsOf(ctx, c, identity)
	v.machine = readMachine(ctx, machine.NewStore(machine.Home(os.Getenv), machine.OSFiles{}), identity, connection)
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		v.account = accountOf(ctx, c, identity)
		return v, nil
	}
	cert, key := secret.Data[v1alpha1.CertificateKey], secret.Data[v1alpha1.PrivateKeyKey]
	if len(cert) == 0 || len(key) == 0 {
		return v, nil
	}
	v.user = find(proof.New(connection).WhoAmI(ctx, cert, key))
	p, cert, key, err := kubeconfig.Read(secret.Data[identity.Spec.Secret.KubeconfigKey])
	if err == nil {
		v.published = find(proof.New(connectionOf(p)).WhoAmI(ctx, cert, key))
	}
	return v, nil
}

// placeOf returns where the Secret of an identity is, or where it is to be.
func placeOf(identity *v1alpha1.ClientIdentity) client.ObjectKey {
	if ref := identity.Status.SecretRef; ref != nil {
		return client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}
	}
	spec := &identity.Spec.Secret
	return client.ObjectKey{Namespace: cmp.Or(spec.Namespace, defaultNamespace), Name: cmp.Or(spec.Name, identity.Name+"-kubeconfig")}
}

// connectionOf returns how a kubeconfig reaches the API server.
func connectionOf(p kubeconfig.Parameters) *rest.Config {
	config := &rest.Config{Host: p.Server, TLSClientConfig: rest.TLSClientConfig{CAData: p.CertificateAuthorityData, ServerName: p.TLSServerName}}
	if proxy, err := url.Parse(p.ProxyURL); err == nil && p.ProxyURL != "" {
		config.Proxy = http.ProxyURL(proxy)
	}
	return config
}

// namespacesFor lists the namespaces, where a role binding selects them. The others are taken to exist: a missing binding tells enough.
func namespacesFor(ctx context.Context, c client.Client, identity *v1alpha1.ClientIdentity) found[[]access.Namespace] {
	var namespaces []access.Namespace
	selects := false
	for i := range identity.Spec.RoleBindings {
		b := &identity.Spec.RoleBindings[i]
		selects = selects || b.Namespace == ""
		namespaces = append(namespaces, access.Namespace{Name: b.Namespace})
	}
	if !selects {
		return find(namespaces, nil)
	}
	list := &corev1.NamespaceList{}
	if err := c.List(ctx, list); err != nil {
		return find(namespaces, fmt.Errorf("list namespaces: %w", err))
	}
	namespaces = nil
	for i := range list.Items {
		ns := &list.Items[i]
		namespaces = append(namespaces, access.Namespace{Name: ns.Name, Labels: ns.Labels, Terminating: !ns.DeletionTimestamp.IsZero()})
	}
	return find(namespaces, nil)
}

// bindingsOf lists the role bindings that carry an identity's label.
func bindingsOf(ctx context.Context, c client.Client, identity *v1alpha1.ClientIdentity) found[[]grant] {
	var all []grant
	ours := client.MatchingLabels(dependent.Labels(identity))
	roles, clusterRoles := &rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleBindingList{}
	if err := c.List(ctx, roles, ours); err != nil {
		return find(all, fmt.Errorf("list RoleBindings: %w", err))
	}
	if err := c.List(ctx, clusterRoles, ours); err != nil {
		return find(all, fmt.Errorf("list ClusterRoleBindings: %w", err))
	}
	for i := range roles.Items {
		b := &roles.Items[i]
		all = append(all, grant{access.Key{Namespace: b.Namespace, Name: b.Name}, b.ObjectMeta, b.RoleRef, b.Subjects, !b.DeletionTimestamp.IsZero()})
	}
	for i := range clusterRoles.Items {
		b := &clusterRoles.Items[i]
		all = append(all, grant{access.Key{Name: b.Name}, b.ObjectMeta, b.RoleRef, b.Subjects, !b.DeletionTimestamp.IsZero()})
	}
	return find(all, nil)
}

// accountOf reads the ServiceAccount whose tokens are invitations.
func accountOf(ctx context.Context, c client.Client, identity *v1alpha1.ClientIdentity) found[*corev1.ServiceAccount] {
	ref := identity.Status.EnrolmentRef
	if ref == nil {
		return found[*corev1.ServiceAccount]{}
	}
	account := &corev1.ServiceAccount{}
	return find(account, c.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, account))
}
