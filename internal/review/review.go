// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package review asks the API server who may do what: of whoever writes an identity, and of whoever asks for one of its certificates.
package review

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/timing"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

const (
	// PerRequest is how many permissions of one request are asked for at a time.
	PerRequest = 16
	// AtOnce is how many are asked for at a time in all.
	AtOnce = 64
	// maxShared bounds how many answers a reviewer remembers that shares them.
	maxShared = 1024
)

// Permission is something that a user must be allowed to do.
type Permission struct {
	Verb, APIGroup, Resource string
	// Namespace is where; empty means in the whole cluster.
	Namespace string
	// Name is the one object that it is about; empty means any.
	Name string
}

// Compare orders permissions.
func (p Permission) Compare(other Permission) int {
	return cmp.Or(
		cmp.Compare(p.Namespace, other.Namespace),
		cmp.Compare(p.APIGroup, other.APIGroup),
		cmp.Compare(p.Resource, other.Resource),
		cmp.Compare(p.Verb, other.Verb),
		cmp.Compare(p.Name, other.Name),
	)
}

// Impersonation returns what it takes to act as the user of a spec: that is the same power as a certificate of it.
func Impersonation(spec *v1alpha1.ClientIdentitySpec) []Permission {
	permissions := []Permission{{Verb: "impersonate", Resource: "users", Name: spec.Username}}
	for _, group := range spec.Groups {
		permissions = append(permissions, Permission{Verb: "impersonate", Resource: "groups", Name: group})
	}
	return permissions
}

// Acting returns what it takes to act as the holder of a certificate of an identity. Where bindings name the credential group, user and
// groups alone are granted nothing by them.
func Acting(identity *v1alpha1.ClientIdentity) []Permission {
	permissions := Impersonation(&identity.Spec)
	if identity.Spec.BindTo == v1alpha1.BindToCredential {
		group := certificate.CredentialGroup(string(identity.UID), timing.Of(identity.Spec.RevokeIssuedBefore))
		permissions = append(permissions, Permission{Verb: "impersonate", Resource: "groups", Name: group})
	}
	return permissions
}

// Reviewer asks the API server who may do what.
type Reviewer struct {
	client client.Client
	slots  chan struct{}
	// shared are permissions that somebody had a moment ago, and age is how long that is; nil where each is asked for.
	shared *cache.LRUExpireCache
	age    time.Duration
}

// NewReviewer returns a reviewer that asks through a client without a cache.
func NewReviewer(c client.Client) *Reviewer {
	return &Reviewer{client: c, slots: make(chan struct{}, AtOnce)}
}

// Sharing returns a reviewer that asks only once for what the same user was allowed in the last moment, of so long an age. Who creates
// thousands of identities is asked for the same permissions thousands of times. What was not allowed is asked for again. The
// API server itself decides by role bindings as its watches have them, and so is a moment behind with what somebody has lost.
func (r *Reviewer) Sharing(age time.Duration) *Reviewer {
	return &Reviewer{client: r.client, slots: r.slots, shared: cache.NewLRUExpireCache(maxShared), age: age}
}

// Missing returns which of the permissions the user does not have, in the same order. It fails where even one answer
// is missing.
func (r *Reviewer) Missing(ctx context.Context, user authenticationv1.UserInfo, permissions []Permission) ([]Permission, error) {
	allowed := make([]bool, len(permissions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(PerRequest)
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

func (r *Reviewer) allowed(ctx context.Context, user authenticationv1.UserInfo, p Permission) (bool, error) {
	if r.shared == nil {
		return r.ask(ctx, user, p)
	}
	question, err := hash(user, p)
	if err != nil {
		return false, err
	}
	if _, known := r.shared.Get(question); known {
		return true, nil
	}
	allowed, err := r.ask(ctx, user, p)
	if allowed && err == nil {
		r.shared.Add(question, nil, r.age)
	}
	return allowed, err
}

// hash identifies a question, in the same memory for each: users have groups and extras of any length.
func hash(user authenticationv1.UserInfo, p Permission) ([sha256.Size]byte, error) {
	question, err := json.Marshal(struct {
		User       authenticationv1.UserInfo
		Permission Permission
	}{user, p})
	return sha256.Sum256(question), err
}

func (r *Reviewer) ask(ctx context.Context, user authenticationv1.UserInfo, p Permission) (bool, error) {
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
