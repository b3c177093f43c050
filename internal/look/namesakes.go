// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package look

import (
	"context"
	"fmt"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/namesake"
)

const (
	// IndexUsername is the index of the caches that finds identities by spec.username.
	IndexUsername = "spec.username"
	// IndexBoundByName is the one that finds those of them that are not bound to their credentials. Of a fleet of one username whose
	// identities are all bound to theirs, nobody waits for anybody, and nobody looks at all of them to find that out.
	IndexBoundByName = "bound-by-name"
)

// UsernameOf is the function of IndexUsername.
func UsernameOf(object client.Object) []string {
	return []string{object.(*v1alpha1.ClientIdentity).Spec.Username}
}

// BoundByName is the function of IndexBoundByName.
func BoundByName(object client.Object) []string {
	if object.(*v1alpha1.ClientIdentity).Spec.BindTo == v1alpha1.BindToCredential {
		return nil
	}
	return UsernameOf(object)
}

// Namesakes finds the identities of one username, in caches with both indexes. It remembers of each username that several have the
// oldest one: thousands may wait for it, and each of them looks at it alone.
type Namesakes struct {
	Reader client.Reader
	// oldest are the names of the oldest ones, by username.
	oldest sync.Map
}

// Older returns an identity that keeps another one waiting, or nil: the oldest one, as far as it is known.
func (n *Namesakes) Older(ctx context.Context, identity *v1alpha1.ClientIdentity) (*v1alpha1.ClientIdentity, error) {
	known, err := n.known(ctx, identity.Spec.Username)
	if err != nil {
		return nil, err
	}
	if known != nil && namesake.KeepsWaiting(known, identity) {
		return known, nil
	}
	index := IndexUsername
	if identity.Spec.BindTo == v1alpha1.BindToCredential {
		index = IndexBoundByName
	}
	same, err := n.list(ctx, index, identity.Spec.Username)
	if err != nil {
		return nil, err
	}
	first := namesake.First(identity, same)
	if first == nil {
		return nil, nil
	}
	n.oldest.Store(identity.Spec.Username, first.Name)
	return first, nil
}

// known returns the identity that is remembered of a username, if it still has it.
func (n *Namesakes) known(ctx context.Context, username string) (*v1alpha1.ClientIdentity, error) {
	name, ok := n.oldest.Load(username)
	if !ok {
		return nil, nil
	}
	known := &v1alpha1.ClientIdentity{}
	if err := n.Reader.Get(ctx, client.ObjectKey{Name: name.(string)}, known, client.UnsafeDisableDeepCopy); err == nil && known.Spec.Username == username {
		return known, nil
	} else if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("look for an identity with this username: %w", err)
	}
	n.oldest.Delete(username)
	return nil, nil
}

// Created returns the names of those that may wait for an identity that has come.
func (n *Namesakes) Created(ctx context.Context, identity *v1alpha1.ClientIdentity) ([]string, error) {
	index := IndexUsername
	if identity.Spec.BindTo == v1alpha1.BindToCredential {
		index = IndexBoundByName
	}
	return n.younger(ctx, identity, index)
}

// Rebound returns the names of those that may wait for an identity, or did, that is bound to something else by now.
func (n *Namesakes) Rebound(ctx context.Context, identity *v1alpha1.ClientIdentity) ([]string, error) {
	return n.younger(ctx, identity, IndexUsername)
}

// younger returns the names of those in an index that may wait for an identity, unless they wait for an older one anyway.
func (n *Namesakes) younger(ctx context.Context, identity *v1alpha1.ClientIdentity, index string) ([]string, error) {
	if settled, err := n.settled(ctx, identity); settled || err != nil {
		return nil, err
	}
	same, err := n.list(ctx, index, identity.Spec.Username)
	return namesake.Younger(identity, same), err
}

// Freed returns the names of those whose turn it is once an identity is gone.
func (n *Namesakes) Freed(ctx context.Context, gone *v1alpha1.ClientIdentity) ([]string, error) {
	if settled, err := n.settled(ctx, gone); settled || err != nil {
		return nil, err
	}
	if gone.Spec.BindTo == v1alpha1.BindToCredential {
		if byName, err := n.list(ctx, IndexBoundByName, gone.Spec.Username); len(byName) == 0 || err != nil {
			return nil, err
		}
	}
	same, err := n.list(ctx, IndexUsername, gone.Spec.Username)
	return namesake.Freed(gone, same), err
}

// settled says whether whoever waits for an identity waits for an older one, too: one that is bound by name.
func (n *Namesakes) settled(ctx context.Context, identity *v1alpha1.ClientIdentity) (bool, error) {
	older, err := n.Older(ctx, identity)
	return older != nil && older.Spec.BindTo != v1alpha1.BindToCredential, err
}

// list returns the identities of a username as a cache holds them: not to be changed.
func (n *Namesakes) list(ctx context.Context, index, username string) ([]v1alpha1.ClientIdentity, error) {
	var same v1alpha1.ClientIdentityList
	if err := n.Reader.List(ctx, &same, client.MatchingFields{index: username}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("look for other identities with this username: %w", err)
	}
	return same.Items, nil
}
