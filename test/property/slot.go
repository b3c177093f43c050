// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package property

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
)

// mostCertificates is how many certificates an identity gets before another one takes its place: the operator lets no
// identity have more than ten in five minutes.
const mostCertificates = 6

// kept is a kubeconfig that was published once.
type kept struct {
	*holder.Copy
	// revoked says that it was known when something was revoked that reaches it.
	revoked bool
}

// slot is one identity at a time, and all that was ever published for it.
type slot struct {
	*run
	number  int
	random  *rand.Rand
	serial  int
	name    string
	copies  []*kept
	granted map[holder.Right]bool
	// epoch is the last revocation, in seconds; 0 before the first one.
	epoch int64
	// changes counts what may have asked for a certificate.
	changes int
}

// begin makes sure that there is an identity, and that it is well.
func (s *slot) begin(ctx context.Context) error {
	if s.name != "" && s.changes < mostCertificates {
		return nil
	}
	if err := s.retire(ctx); err != nil {
		return err
	}
	s.serial++
	s.name, s.copies, s.granted, s.epoch, s.changes = fmt.Sprintf("property-%06x-%d-%d", s.Seed&0xffffff, s.number, s.serial), nil, map[holder.Right]bool{}, 0, 1
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	identity.Spec.Username = s.name
	identity.Spec.BindTo = v1alpha1.BindToCredential
	identity.Spec.Secret.HolderCanRead = s.random.IntN(3) > 0
	if s.random.IntN(5) == 0 {
		identity.Spec.BindTo, identity.Spec.Secret.HolderCanRead = v1alpha1.BindToUsername, false
	}
	if s.random.IntN(2) == 0 {
		identity.Spec.PrivateKey.RotationPolicy = v1alpha1.RotationNever
	}
	drawBindings(s.random, &identity.Spec)
	s.grant(&identity.Spec)
	if err := s.admin.Create(ctx, identity); err != nil {
		return err
	}
	s.count("identities")
	return s.settle(ctx)
}

// retire deletes the identity, and checks that nothing it published has any right.
func (s *slot) retire(ctx context.Context) error {
	if s.name == "" {
		return nil
	}
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	if err := client.IgnoreNotFound(s.admin.Delete(ctx, identity)); err != nil {
		return err
	}
	if err := s.eventually(ctx, func(ctx context.Context) error {
		if err := s.admin.Get(ctx, client.ObjectKeyFromObject(identity), identity); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the identity is still there (%w)", err)
		}
		return s.expectDead(ctx, s.copies)
	}); err != nil {
		return fmt.Errorf("after its deletion: %w", err)
	}
	s.count("deletions")
	s.name = ""
	return nil
}

// grant notes what a spec grants.
func (s *slot) grant(spec *v1alpha1.ClientIdentitySpec) {
	for _, right := range rights(spec) {
		s.granted[right] = true
	}
}

// live changes the identity at random until it is told to end, and looks at what becomes of it.
func (s *slot) live(ctx context.Context, end <-chan struct{}) error {
	spying, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		if s.changes < mostCertificates {
			if err := s.act(ctx); err != nil {
				return err
			}
		}
		caught := s.spy(spying)
		next := time.After(time.Duration(500+s.random.IntN(2500)) * time.Millisecond)
		for waiting := true; waiting; {
			select {
			case <-end:
				waiting = false
			case <-next:
				waiting = false
			case <-time.After(50 * time.Millisecond):
				if _, err := s.observe(ctx); err != nil {
					return err
				}
			}
		}
		if err := caught(); err != nil {
			return err
		}
		select {
		case <-end:
			return nil
		default:
		}
	}
}

// act changes the identity.
func (s *slot) act(ctx context.Context) error {
	switch n := s.random.IntN(12); {
	case n < 4:
		return s.change(ctx, "revocations", s.revoke)
	case n < 6:
		return s.change(ctx, "revocations with other bindings", func(spec *v1alpha1.ClientIdentitySpec) bool {
			drawBindings(s.random, spec)
			return s.revoke(spec)
		})
	case n < 8:
		return s.change(ctx, "other bindings", func(spec *v1alpha1.ClientIdentitySpec) bool {
			drawBindings(s.random, spec)
			return false
		})
	case n < 9:
		return s.change(ctx, "readers changed", func(spec *v1alpha1.ClientIdentitySpec) bool {
			spec.Secret.HolderCanRead = spec.BindTo == v1alpha1.BindToCredential && !spec.Secret.HolderCanRead
			return false
		})
	case n < 10:
		return s.change(ctx, "revocations with the switch to Credential", func(spec *v1alpha1.ClientIdentitySpec) bool {
			spec.BindTo = v1alpha1.BindToCredential
			return s.revoke(spec)
		})
	case n < 11:
		return s.change(ctx, "withdrawals", func(spec *v1alpha1.ClientIdentitySpec) bool {
			spec.State = v1alpha1.StateWithdrawn
			return false
		})
	}
	return s.change(ctx, "reactivations with a revocation", func(spec *v1alpha1.ClientIdentitySpec) bool {
		spec.State = v1alpha1.StateActive
		return s.revoke(spec)
	})
}

// revoke revokes now, or as of some time ago; it says whether that reaches what is known. With bindTo: Username nothing
// is reached but what was issued before that time, so it is now.
func (s *slot) revoke(spec *v1alpha1.ClientIdentitySpec) bool {
	latest := time.Now().Unix()
	earliest := s.epoch + 1
	if s.epoch == 0 {
		earliest = latest - 3600
	}
	if earliest > latest {
		return false // whole seconds count
	}
	at := latest
	if spec.BindTo == v1alpha1.BindToCredential && s.random.IntN(2) == 0 {
		at = earliest + s.random.Int64N(latest-earliest+1)
	}
	spec.RevokeIssuedBefore = &metav1.Time{Time: time.Unix(at, 0)}
	return true
}

// change patches the spec. What was granted before counts as granted.
func (s *slot) change(ctx context.Context, what string, edit func(*v1alpha1.ClientIdentitySpec) (revokes bool)) error {
	identity, err := s.observe(ctx) // what is published by now is revoked, too
	if err != nil {
		return err
	}
	base := identity.DeepCopy()
	revokes := edit(&identity.Spec)
	if err := s.admin.Patch(ctx, identity, client.MergeFrom(base)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.count(what)
	s.changes++
	s.grant(&identity.Spec)
	if revokes {
		s.epoch = identity.Spec.RevokeIssuedBefore.Unix()
		for _, c := range s.copies {
			c.revoked = true
		}
	}
	return nil
}

// settle waits until the identity is as its spec asks, nothing being broken any more, and checks every copy.
func (s *slot) settle(ctx context.Context) error {
	var identity *v1alpha1.ClientIdentity
	err := s.eventually(ctx, func(ctx context.Context) (err error) {
		if identity, err = s.observe(ctx); err != nil {
			return err
		}
		want := v1alpha1.ConditionReady
		if identity.Spec.State == v1alpha1.StateWithdrawn {
			want = v1alpha1.ConditionWithdrawn
		}
		if identity.Status.ObservedGeneration != identity.Generation || !meta.IsStatusConditionTrue(identity.Status.Conditions, want) {
			return fmt.Errorf("it is not %s: %s", want, conditions(identity))
		}
		if want == v1alpha1.ConditionReady && s.epoch > 0 && identity.Spec.BindTo == v1alpha1.BindToCredential && !claims(identity) {
			return fmt.Errorf("it does not say that the revocation is complete: %s", conditions(identity))
		}
		return s.expectAlive(ctx, identity)
	})
	if err != nil {
		return fmt.Errorf("nothing is broken any more: %w", err)
	}
	s.count("settled")
	return nil
}
