// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// observe finds out what the identity needs to know of the cluster. A problem that it returns is in the way
// of everything: nothing is made, and of what exists only that is taken away which is not asked for any more.
func (p *pass) observe(ctx context.Context) error {
	p.requestHash = certificate.RequestHashOf(&p.identity.Spec, p.identity.UID)
	p.status.GroupList = groupList(p.identity.Spec.Groups)
	return p.usernameFree(ctx)
}

// usernameFree returns a problem where an older identity has the same username: withdrawing one of them
// would not end what the other grants. Two that are bound to their credentials do not touch each other.
func (p *pass) usernameFree(ctx context.Context) error {
	var same v1alpha1.ClientIdentityList
	if err := p.List(ctx, &same, client.MatchingFields{indexUsername: p.identity.Spec.Username}, client.DisableReadYourWritesConsistency); err != nil {
		return fmt.Errorf("look for other identities with this username: %w", err)
	}
	for i := range same.Items {
		other := &same.Items[i]
		if other.UID == p.identity.UID || !older(other, p.identity) {
			continue
		}
		if other.Spec.BindTo == v1alpha1.BindToCredential && p.identity.Spec.BindTo == v1alpha1.BindToCredential {
			continue
		}
		return waitingProblem(v1alpha1.ReasonUsernameInUse, 0,
			"ClientIdentity %q, which is older, has the username %q: delete one of them, or set bindTo: Credential on both",
			other.Name, p.identity.Spec.Username)
	}
	return nil
}

// older says whether a was created before b; of two created in the same second, the one whose name sorts first.
func older(a, b *v1alpha1.ClientIdentity) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// kubeconfigParameters returns what the kubeconfig says of the cluster, or a problem that says what to set.
func (p *pass) kubeconfigParameters(ctx context.Context) (kubeconfig.Parameters, error) {
	spec := &p.identity.Spec.Kubeconfig
	endpoint, err := p.Cluster.Endpoint(ctx)
	if errors.Is(err, cluster.ErrClusterInfo) {
		return kubeconfig.Parameters{}, stalledProblem(v1alpha1.ReasonServerUnknown, "%s", shorten(err.Error()))
	}
	if err != nil {
		return kubeconfig.Parameters{}, fmt.Errorf("find out the API server's address: %w", err)
	}
	if endpoint.Server == "" && spec.Server == "" {
		return kubeconfig.Parameters{}, stalledProblem(v1alpha1.ReasonServerUnknown, "%s", cluster.ErrServerUnknown)
	}
	parameters := kubeconfig.ParametersFor(p.identity, kubeconfig.Cluster{
		Server:                   endpoint.Server,
		CertificateAuthorityData: endpoint.CA,
		Name:                     p.Options.ClusterName,
	})
	if len(parameters.CertificateAuthorityData) > 0 {
		if err := kubeconfig.ValidateCA(parameters.CertificateAuthorityData); err != nil {
			return kubeconfig.Parameters{}, stalledProblem(v1alpha1.ReasonInvalidSpec, "spec.kubeconfig.certificateAuthorityData: %v", err)
		}
	}
	p.status.Server = &v1alpha1.ServerStatus{URL: parameters.Server, Source: endpoint.Source}
	if spec.Server != "" {
		p.status.Server.Source = v1alpha1.ServerFromSpec
	}
	return parameters, nil
}

// secretLocation returns where the Secret belongs, or a problem where the operator may not write there.
func (p *pass) secretLocation() (client.ObjectKey, error) {
	location := client.ObjectKey{Namespace: p.identity.Spec.Secret.Namespace, Name: p.identity.Spec.Secret.Name}
	if location.Namespace == "" {
		location.Namespace = p.Options.DefaultSecretNamespace
	}
	if location.Name == "" {
		location.Name = p.identity.Name + "-kubeconfig"
	}
	if !p.Options.mayPublishIn(location.Namespace) {
		return location, stalledProblem(v1alpha1.ReasonSecretNamespaceNotAllowed,
			"the operator may not publish Secrets in namespace %q, only in %s: set spec.secret.namespace to one of them, or add it to --secret-namespaces",
			location.Namespace, strings.Join(p.Options.SecretNamespaces, ", "))
	}
	return location, nil
}

// secretNamespace returns a problem where the namespace of the Secret does not exist or is going.
func (p *pass) secretNamespace(ctx context.Context, name string) error {
	namespace, err := p.namespace(ctx, name)
	if err != nil {
		return err
	}
	if namespace == nil {
		return waitingProblem(v1alpha1.ReasonSecretNamespaceMissing, 0,
			"namespace %q for the Secret does not exist: create it, or set spec.secret.namespace", name)
	}
	if namespace.DeletionTimestamp != nil {
		return waitingProblem(v1alpha1.ReasonSecretNamespaceMissing, 0,
			"namespace %q for the Secret is being deleted: wait until it is created again, or set spec.secret.namespace", name)
	}
	return nil
}

// namespace returns the metadata of a namespace from the cache, or nil where there is none.
func (p *pass) namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := p.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read namespace %q: %w", name, err)
	}
	return namespace, nil
}

// groupList returns groups in one line: kubectl prints only the first element of a list.
func groupList(groups []string) string {
	return strings.Join(slices.Sorted(slices.Values(groups)), ",")
}
