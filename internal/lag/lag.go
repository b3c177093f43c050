// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package lag decides how long the next kubeconfig waits after a revocation for API servers that are behind. It remembers when
// the bindings of which revocation were changed, and does no I/O.
package lag

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/look"
)

// Lag is how long the next kubeconfig waits after a revocation, where a holder may read the Secret. Each API server learns of
// role bindings by a watch, and reads Secrets past it: one that is behind would still let the revoked copy read, and give it what
// is there by then. Nobody tells how far behind each is.
type Lag struct {
	wait time.Duration

	mu     sync.Mutex
	byName map[string]revocation
	// reclaimed are the identities whose keys the operator makes again, by name.
	reclaimed map[string]reclaim
}

// New returns a Lag that waits so long, and remembers nothing.
func New(wait time.Duration) *Lag {
	return &Lag{wait: wait, byName: map[string]revocation{}, reclaimed: map[string]reclaim{}}
}

// reclaim is a Secret that nobody may read any more, who might before.
type reclaim struct {
	uid  types.UID
	done time.Time
}

// Reclaimed returns from when on a key may be published again, where holders made the keys until now: zero where it does not
// wait. Gone says that no binding is left that let them, or invitations, read the Secret. An operator that has just begun
// counts from its beginning.
func (l *Lag) Reclaimed(seen look.Look, gone bool) time.Time {
	name, uid := seen.Identity.Name, seen.Identity.UID
	l.mu.Lock()
	defer l.mu.Unlock()
	if !gone || !seen.Reclaimed() {
		delete(l.reclaimed, name)
		return time.Time{}
	}
	last, waits := l.reclaimed[name]
	if !waits || last.uid != uid || seen.Now.Before(last.done) {
		last = reclaim{uid: uid, done: seen.Now}
		l.reclaimed[name] = last
	}
	return last.done.Add(l.wait)
}

// revocation is one whose bindings are changed.
type revocation struct {
	uid  types.UID
	of   int64
	done time.Time
}

// Until returns from when on the next kubeconfig may be published: zero where it does not wait. Complete says that no binding
// gives a revoked certificate anything, and reader that a holder may read the Secret, or might until now. An operator that has
// just begun counts from its beginning.
func (l *Lag) Until(seen look.Look, complete, reader bool) time.Time {
	identity := seen.Identity
	l.mu.Lock()
	defer l.mu.Unlock()
	last, waits := l.byName[identity.Name]
	switch {
	case !complete || !awaited(seen):
		delete(l.byName, identity.Name)
		return time.Time{}
	case waits && last.uid == identity.UID && last.of == identity.Spec.RevokeIssuedBefore.Unix() && !seen.Now.Before(last.done):
		return last.done.Add(l.wait)
	case !reader:
		return time.Time{}
	}
	l.byName[identity.Name] = revocation{uid: identity.UID, of: identity.Spec.RevokeIssuedBefore.Unix(), done: seen.Now}
	return seen.Now.Add(l.wait)
}

// awaited says whether what is published, or was, is revoked: by its credential group, so that bindings end what it may do.
func awaited(seen look.Look) bool {
	return seen.Identity.Spec.BindTo == v1alpha1.BindToCredential && len(seen.Status.Certificates) > 0 &&
		access.Revoked(seen.Identity, seen.Status.Certificate, seen.PublishedGroups())
}

// Forget drops what is remembered of the identity of that name.
func (l *Lag) Forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byName, name)
	delete(l.reclaimed, name)
}
