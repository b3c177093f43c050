// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package property

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

// grace is how long what the status says may be ahead of what the API server's authorizer knows, which follows the
// bindings by a watch. What is used of it is counted.
const grace = 5 * time.Second

// violation is something that must never be seen.
type violation struct{ error }

// claims reports whether the status says, of the current spec, that the revocation is complete.
func claims(identity *v1alpha1.ClientIdentity) bool {
	c := meta.FindStatusCondition(identity.Status.Conditions, RevocationComplete)
	return c != nil && identity.Status.ObservedGeneration == identity.Generation && c.Status == "True" && c.Reason == Revoked
}

// withdrawn reports whether the status says, of the current spec, that there is no access.
func withdrawn(identity *v1alpha1.ClientIdentity) bool {
	return identity.Status.ObservedGeneration == identity.Generation && meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionWithdrawn)
}

// conditions are what the status says, for an error.
func conditions(identity *v1alpha1.ClientIdentity) string {
	texts := []string{fmt.Sprintf("generation %d, observed %d", identity.Generation, identity.Status.ObservedGeneration)}
	for _, c := range identity.Status.Conditions {
		texts = append(texts, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(texts, "; ")
}

func (s *slot) secretKey() client.ObjectKey {
	return client.ObjectKey{Namespace: operator.SecretNamespace, Name: s.name + "-kubeconfig"}
}

// observe reads the identity, keeps what is published, and holds the status to what it says.
func (s *slot) observe(ctx context.Context) (*v1alpha1.ClientIdentity, error) {
	identity := &v1alpha1.ClientIdentity{}
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name}, identity); err != nil {
		return nil, err
	}
	if err := s.keep(ctx); err != nil {
		return nil, err
	}
	switch {
	case withdrawn(identity):
		s.count("withdrawals checked")
		return identity, s.expectDeadSoon(ctx, "the status says that access is withdrawn", s.copies)
	case claims(identity):
		s.count("claims checked")
		return identity, s.expectDeadSoon(ctx, "the status says that the revocation is complete", s.revoked(identity))
	}
	return identity, nil
}

// keep keeps a copy of what is published.
func (s *slot) keep(ctx context.Context) error {
	secret := &corev1.Secret{}
	if err := s.admin.Get(ctx, s.secretKey(), secret); err != nil {
		return client.IgnoreNotFound(err)
	}
	c, err := holder.Of(secret)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(s.copies, func(k *kept) bool { return k.Fingerprint == c.Fingerprint }) {
		s.copies = append(s.copies, &kept{Copy: c})
		s.count("kubeconfigs")
	}
	return nil
}

// revoked returns the copies that the revocation of a spec reaches.
func (s *slot) revoked(identity *v1alpha1.ClientIdentity) []*kept {
	var revoked []*kept
	for _, c := range s.copies {
		older := identity.Spec.BindTo == v1alpha1.BindToCredential && s.epoch > 0 && c.Epoch < s.epoch
		if c.revoked || older {
			revoked = append(revoked, c)
		}
	}
	return revoked
}

// expectDeadSoon returns a violation where a copy has a right for longer than the API server needs to learn that it has not.
func (s *slot) expectDeadSoon(ctx context.Context, claim string, copies []*kept) error {
	began := time.Now()
	for {
		err := s.expectDead(ctx, copies)
		if err == nil {
			return nil
		}
		if taken, readErr := s.tookBack(ctx); readErr != nil || taken {
			// A write of an operator that was killed came late, and the next one says so.
			s.count("claims taken back")
			return readErr
		}
		if time.Since(began) > grace {
			return &violation{fmt.Errorf("%s, and %w\n  %s", claim, err, s.describe(ctx, copies))}
		}
		s.count("looks at rights that lasted")
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// tookBack reports whether the status says no more that access has ended.
func (s *slot) tookBack(ctx context.Context) (bool, error) {
	identity := &v1alpha1.ClientIdentity{}
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name}, identity); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return identity.DeletionTimestamp == nil && !claims(identity) && !withdrawn(identity), nil
}

// expectDead checks that copies have no right that was ever granted, cannot read the Secret, and are named by no binding.
func (s *slot) expectDead(ctx context.Context, copies []*kept) error {
	all := slices.Collect(maps.Keys(s.granted))
	groups := map[string]bool{}
	for _, c := range copies {
		has, err := c.Has(ctx, all...)
		if err != nil {
			return err
		}
		if len(has) > 0 {
			return fmt.Errorf("%s may %v", c, has)
		}
		if _, err := c.ReadSecret(ctx, s.secretKey()); !apierrors.IsForbidden(err) {
			return fmt.Errorf("%s is not kept from reading the Secret (%w)", c, err)
		}
		for _, group := range c.Groups {
			groups[group] = true
		}
	}
	return s.eachBinding(ctx, func(binding client.Object, subjects []rbacv1.Subject) error {
		for _, subject := range subjects {
			if groups[subject.Name] {
				return fmt.Errorf("binding %s names %q, as a copy does", client.ObjectKeyFromObject(binding), subject.Name)
			}
		}
		return nil
	})
}

// expectAlive checks that the newest kubeconfig does what the spec grants.
func (s *slot) expectAlive(ctx context.Context, identity *v1alpha1.ClientIdentity) error {
	if identity.Spec.State == v1alpha1.StateWithdrawn {
		return nil
	}
	secret := &corev1.Secret{}
	if err := s.admin.Get(ctx, s.secretKey(), secret); err != nil {
		return err
	}
	current, err := holder.Of(secret)
	if err != nil {
		return err
	}
	want := rights(&identity.Spec)
	has, err := current.Has(ctx, want...)
	if err != nil {
		return err
	}
	if len(has) != len(want) {
		return fmt.Errorf("the newest %s may %v, and not all of %v", current, has, want)
	}
	if identity.Spec.Secret.HolderCanRead {
		if _, err := current.ReadSecret(ctx, s.secretKey()); err != nil {
			return fmt.Errorf("the newest %s: %w", current, err)
		}
	}
	return nil
}

// spy reads the Secret with the revoked copies again and again. What is returned ends that, and tells what was read that
// is newer than the revocation.
func (s *slot) spy(ctx context.Context) (caught func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var revoked []*kept
	for _, c := range s.copies {
		if c.revoked {
			revoked = append(revoked, c)
		}
	}
	key, result := s.secretKey(), make(chan error, 1)
	go func() {
		for ctx.Err() == nil && len(revoked) > 0 {
			for _, c := range revoked {
				found, err := c.ReadSecret(ctx, key)
				s.count("readings tried with a revoked copy")
				if err == nil && found.Epoch > c.Epoch {
					result <- &violation{fmt.Errorf("the revoked %s read %s", c, found)}
					return
				}
			}
		}
		result <- nil
	}()
	return func() error { cancel(); return <-result }
}

// eventually tries until there is no error, a violation, or no time left.
func (s *slot) eventually(ctx context.Context, check func(context.Context) error) error {
	deadline := time.Now().Add(settleTime)
	for {
		err := check(ctx)
		var broken *violation
		if err == nil || errors.As(err, &broken) || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
