// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

func identityName(i int) string { return fmt.Sprintf("soak-%03d", i) }

// createIdentities creates identities whose certificates are renewed after two minutes or so, each with a binding.
func (s *soak) createIdentities(ctx context.Context) error {
	for i := range s.identities {
		identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: identityName(i)}}
		identity.Spec.Username = identity.Name
		identity.Spec.TTL = metav1.Duration{Duration: 10 * time.Minute}
		identity.Spec.RenewBeforePercentage = ptr.To[int32](75)
		identity.Spec.RoleBindings = []v1alpha1.RoleBinding{{
			Name: "view", Namespace: "default", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"},
		}}
		if err := s.admin.Create(ctx, identity); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until every identity is ready again, and checks each one.
func (s *soak) settle(ctx context.Context) error {
	deadline := time.Now().Add(3 * time.Minute)
	for {
		err := s.sample(ctx, true)
		if err == nil {
			s.checked["settled samples"]++
			return nil
		}
		var broken *violation
		if errors.As(err, &broken) || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// violation is something that must never be seen, not even for a moment.
type violation struct{ error }

// sample checks what must hold at any time: each credential that is published works, and no identity has two open
// requests. With all, every identity must be ready, too.
func (s *soak) sample(ctx context.Context, all bool) error {
	open, err := s.openRequests(ctx)
	if err != nil {
		return err
	}
	for name, requests := range open {
		if len(requests) > 1 {
			return &violation{fmt.Errorf("%s has %d open requests", name, len(requests))}
		}
	}
	for i := range s.identities {
		name := identityName(i)
		if err := s.sampleOne(ctx, name, all); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	s.checked["samples"]++
	return nil
}

func (s *soak) sampleOne(ctx context.Context, name string, all bool) error {
	if all {
		identity := &v1alpha1.ClientIdentity{}
		if err := s.admin.Get(ctx, client.ObjectKey{Name: name}, identity); err != nil {
			return err
		}
		c := meta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Status != metav1.ConditionTrue {
			return fmt.Errorf("is not ready: %+v", c)
		}
	}
	secret := &corev1.Secret{}
	err := s.admin.Get(ctx, client.ObjectKey{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}, secret)
	if apierrors.IsNotFound(err) && !all {
		return nil // deleted a moment ago
	}
	if err != nil {
		return err
	}
	who, err := operator.HolderOf(ctx, secret.Data["kubeconfig"])
	if err != nil || who != name {
		return &violation{fmt.Errorf("the published credential authenticates as %q: %w", who, err)}
	}
	s.checked["credentials"]++
	return nil
}

// cleanUp deletes all identities and checks that nothing of theirs is left.
func (s *soak) cleanUp(ctx context.Context) error {
	if err := s.admin.DeleteAllOf(ctx, &v1alpha1.ClientIdentity{}); err != nil {
		return err
	}
	var left string
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		var secrets corev1.SecretList
		var bindings rbacv1.RoleBindingList
		if err := errors.Join(s.admin.List(ctx, &secrets, client.InNamespace(operator.SecretNamespace), client.HasLabels{v1alpha1.IdentityLabel}),
			s.admin.List(ctx, &bindings, client.HasLabels{v1alpha1.IdentityLabel})); err != nil {
			return err
		}
		open, err := s.openRequests(ctx)
		if err != nil {
			return err
		}
		if len(secrets.Items)+len(bindings.Items)+len(open) == 0 {
			s.checked["clean-ups"]++
			return nil
		}
		left = fmt.Sprintf("%d Secrets, %d bindings, %d identities' open requests", len(secrets.Items), len(bindings.Items), len(open))
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("left over after all identities were deleted: %s", left)
}
