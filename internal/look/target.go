// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package look

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/secret"
	"github.com/clientidentity/operator/internal/text"
)

// Target is where and how a credential is to be published.
type Target struct {
	Place client.ObjectKey
	// NotAllowed says that the operator may not publish there, or is nil.
	NotAllowed *problem.Problem
	Parameters kubeconfig.Parameters
	// Server is what the kubeconfig points at.
	Server *v1alpha1.ServerStatus
	// unknown says what to set before anything can be published, or is nil.
	unknown *problem.Problem
	// Notice is a problem that says that something is not known any more, and what goes on being used; or nil.
	Notice error
	// Err is an error that nothing more is known of.
	Err error
}

// InTheWay returns what keeps a credential from being published, or nil.
func (t *Target) InTheWay() *problem.Problem {
	if t.NotAllowed != nil {
		return t.NotAllowed
	}
	return t.unknown
}

// targetOf finds out where and how a credential is to be published.
func (o *Observer) targetOf(
	ctx context.Context, identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, published secret.Published,
) Target {
	t := Target{}
	t.Place, t.NotAllowed = o.Secrets.Places.Of(identity)
	spec := &identity.Spec.Kubeconfig
	endpoint, err := o.Cluster.Endpoint(ctx)
	switch {
	case errors.Is(err, cluster.ErrClusterInfo):
		t.unknown = problem.NewStalled(v1alpha1.ReasonServerUnknown, "%s", text.Shorten(err.Error(), problem.MaxMessage))
	case err != nil:
		t.Err = fmt.Errorf("find out the API server's address: %w", err)
		return t
	case endpoint.Server == "" && spec.Server == "":
		t.unknown = problem.NewStalled(v1alpha1.ReasonServerUnknown, "%s", cluster.ErrServerUnknown)
	}
	if t.unknown != nil {
		known, err := o.lastKnown(ctx, status, published)
		if err != nil || known == nil {
			t.Err = err
			return t
		}
		endpoint = *known
		t.Notice = problem.NewWaiting(v1alpha1.ReasonServerUnknown, 0, "kubeconfigs keep the server %s, which nothing tells any more: %s",
			endpoint.Server, t.unknown.Message)
		t.unknown = nil
	}
	t.Parameters = kubeconfig.ParametersFor(identity, kubeconfig.Cluster{
		Server: endpoint.Server, CertificateAuthorityData: endpoint.CA, Name: o.ClusterName,
	})
	if len(t.Parameters.CertificateAuthorityData) > 0 {
		if err := kubeconfig.ValidateCA(t.Parameters.CertificateAuthorityData); err != nil {
			t.unknown = problem.NewStalled(v1alpha1.ReasonInvalidSpec, "spec.kubeconfig.certificateAuthorityData: %v", err)
			return t
		}
	}
	t.Server = &v1alpha1.ServerStatus{URL: t.Parameters.Server, Source: endpoint.Source}
	if spec.Server != "" {
		t.Server.Source = v1alpha1.ServerFromSpec
	}
	return t
}

// lastKnown returns the API server that the published kubeconfig points at, or nil where none is published, or it is one that
// only the spec named.
func (o *Observer) lastKnown(
	ctx context.Context, status *v1alpha1.ClientIdentityStatus, published secret.Published,
) (*cluster.Endpoint, error) {
	if status.Server == nil || status.Server.Source == v1alpha1.ServerFromSpec || !published.Usable() {
		return nil, nil
	}
	live, err := o.Secrets.Confirm(ctx, status, published)
	if err != nil || !live.Usable() {
		return nil, err
	}
	return &cluster.Endpoint{Server: status.Server.URL, Source: status.Server.Source, CA: live.CertificateAuthority()}, nil
}
