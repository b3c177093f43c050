// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// Right is one that a role binding grants: to list something in a namespace, or everywhere.
type Right struct {
	Resource, Namespace string
}

// List returns the right to list what is in the core API group; without a namespace, everywhere.
func List(resource, namespace string) Right { return Right{resource, namespace} }

// String is how a person says it.
func (r Right) String() string {
	if r.Namespace == "" {
		return "list " + r.Resource + " everywhere"
	}
	return "list " + r.Resource + " in " + r.Namespace
}

// May asks the API server whether the copy has a right.
func (c *Copy) May(ctx context.Context, right Right) (bool, error) {
	review, err := c.clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "list", Resource: right.Resource, Namespace: right.Namespace,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("%s asks whether it may %s: %w", c, right, err)
	}
	return review.Status.Allowed, nil
}

// Does uses a right, and says whether the API server let it.
func (c *Copy) Does(ctx context.Context, right Right) (bool, error) {
	err := c.clients.CoreV1().RESTClient().Get().NamespaceIfScoped(right.Namespace, right.Namespace != "").
		Resource(right.Resource).VersionedParams(&metav1.ListOptions{Limit: 1}, clientgoscheme.ParameterCodec).
		Do(ctx).Error()
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsForbidden(err):
		return false, nil
	}
	return false, fmt.Errorf("%s tries to %s: %w", c, right, err)
}

// Has returns those rights that the copy has, by the API server's words or deeds.
func (c *Copy) Has(ctx context.Context, rights ...Right) ([]Right, error) {
	var has []Right
	for _, right := range rights {
		may, err := c.May(ctx, right)
		if err != nil {
			return nil, err
		}
		if !may {
			if may, err = c.Does(ctx, right); err != nil {
				return nil, err
			}
		}
		if may {
			has = append(has, right)
		}
	}
	return has, nil
}
