// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

const (
	// reviewsPerRequest is how many permissions of one request are asked for at a time.
	reviewsPerRequest = 16
	// reviewsAtOnce is how many are asked for at a time in all.
	reviewsAtOnce = 64
)

// reviewer asks the API server who may do what.
type reviewer struct {
	client client.Client
	slots  chan struct{}
}

func newReviewer(c client.Client) *reviewer {
	return &reviewer{client: c, slots: make(chan struct{}, reviewsAtOnce)}
}

// missing returns which of the permissions the user does not have, in the same order. It fails where even one answer
// is missing.
func (r *reviewer) missing(ctx context.Context, user authenticationv1.UserInfo, permissions []Permission) ([]Permission, error) {
	allowed := make([]bool, len(permissions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reviewsPerRequest)
	for i, permission := range permissions {
		group.Go(func() error {
			var err error
			allowed[i], err = r.allowed(ctx, user, permission)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []Permission
	for i, permission := range permissions {
		if !allowed[i] {
			missing = append(missing, permission)
		}
	}
	return missing, nil
}

func (r *reviewer) allowed(ctx context.Context, user authenticationv1.UserInfo, p Permission) (bool, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, Groups: user.Groups, UID: user.UID, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.Verb, Group: p.APIGroup, Version: "*", Resource: p.Resource, Namespace: p.Namespace, Name: p.Name,
		},
	}}
	if err := r.client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask whether %q may %s %s: %w", user.Username, p.Verb, p.Resource, err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}
