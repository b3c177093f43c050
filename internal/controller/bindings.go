// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/binding"
	"github.com/clientidentity/operator/internal/lag"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
	"github.com/clientidentity/operator/internal/timing"
)

// bindings is the phase that makes the role bindings exactly those that the spec asks for now.
type bindings struct {
	writer *binding.Writer
	// live reads identities past the cache.
	live client.Reader
	// protected are the namespaces that no selector selects.
	protected sets.Set[string]
	// lag is how long the next kubeconfig waits for API servers that are behind.
	lag *lag.Lag
	// seen are the UIDs of the identities whose bindings were seen in order by this process, by name.
	seen sync.Map
	// looks are the last looks past the caches that found a revocation complete, by name.
	looks sync.Map
}

// thoroughLook is a look past the caches that found a revocation complete.
type thoroughLook struct {
	uid types.UID
	of  int64
	at  time.Time
}

// lookCounts is how long such a look counts, where the status does not tell of it yet: a pass that has just asked for a
// certificate writes none, and the next one has the new kubeconfig to publish.
const lookCounts = 5 * time.Second

// longestLook is when to ask again for a look at all bindings. Whoever makes it tells when it was made, however long that takes.
const longestLook = time.Minute

// bindingsOutcome is what was done about the bindings.
type bindingsOutcome struct {
	report.Bindings
	// err is what stands in the way: a problem, or an error that nothing more is known of.
	err   error
	stale bool
	// waits says that a look past the caches is awaited, which brings the next pass: nothing is said of the identity until then.
	waits bool
	// next is when to look again at the latest; zero where a watch tells.
	next time.Time
	// rights says that certificates that a revocation is meant for still have rights, or that nobody knows, or is nil. Nothing
	// is published meanwhile: their holder might read it.
	rights *problem.Problem
	// readers says that somebody may still read the Secret who may not read a key, or is nil. No key is published meanwhile.
	readers *problem.Problem
	// publishFrom is from when on the next kubeconfig may be published; zero where it does not wait.
	publishFrom time.Time
}

// apply makes the bindings as they are wanted. Where something is in the way of the whole identity, it only takes away: a
// revocation, the end of a binding and its removal from the spec wait for nobody.
func (b *bindings) apply(ctx context.Context, l look.Look) bindingsOutcome {
	mode := binding.Exact
	if l.Obstacle != nil {
		mode = binding.Narrowing
	}
	if err := errors.Join(l.NamespacesErr, l.ReadableErr); err != nil {
		return b.outcome(l, binding.Unseen(l.Status.BoundBindings, err), access.Result{})
	}
	first := b.first(l.Identity)
	group := access.BoundGroup(l.Identity, l.PublishedGroups())
	desired := access.Desired(l.Identity, l.Namespaces, b.protected, group, l.Now)
	thorough := revoking(l) && !b.looked(l)
	want := binding.Wanted{
		Identity: l.Identity, Bindings: desired.Bindings, Missing: desired.Missing, Thorough: thorough,
		Current: look.Newest(b.live, l.Identity), Doubtful: look.Doubtful(l.Identity, &l.Status, first),
	}
	if l.Readable {
		want.Reader = binding.NewReader(l.Identity, l.Target.Place, access.WantedGroup(l.Identity), l.Account)
	}
	if l.Identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		want.Bindings = append(want.Bindings, binding.Requesters(l.Identity, group, l.Account)...)
	}
	done := b.writer.Apply(ctx, want, mode)
	if done.Err == nil && !done.Stale && done.Gone {
		b.seen.Store(l.Identity.Name, l.Identity.UID)
	}
	if !done.Waits {
		b.writer.Forget(l.Identity.Name)
	}
	outcome := b.outcome(l, done, desired)
	b.reclaim(ctx, l, want.Reader, &outcome)
	if thorough && outcome.rights == nil {
		b.looks.Store(l.Identity.Name, thoroughLook{uid: l.Identity.UID, of: l.Identity.Spec.RevokeIssuedBefore.Unix(), at: l.Now})
	}
	return outcome
}

// looked says whether a look that still counts found the revocation complete.
func (b *bindings) looked(l look.Look) bool {
	last, _ := b.looks.Load(l.Identity.Name)
	found, ok := last.(thoroughLook)
	age := l.Now.Sub(found.at)
	return ok && found.uid == l.Identity.UID && found.of == l.Identity.Spec.RevokeIssuedBefore.Unix() && age >= 0 && age < lookCounts
}

// forget drops what is remembered of the identity of that name.
func (b *bindings) forget(name string) {
	b.seen.Delete(name)
	b.looks.Delete(name)
	b.lag.Forget(name)
	b.writer.Forget(name)
}

// first says whether this process has not seen the bindings of an identity in order yet.
func (b *bindings) first(identity *v1alpha1.ClientIdentity) bool {
	uid, _ := b.seen.Load(identity.Name)
	return uid != identity.UID
}

// revoking says whether a revocation is yet to be called complete.
func revoking(l look.Look) bool {
	revoke, completed := l.Identity.Spec.RevokeIssuedBefore, l.Status.CompletedRevocation
	return revoke != nil && l.Identity.Spec.BindTo == v1alpha1.BindToCredential && (completed == nil || completed.Unix() != revoke.Unix())
}

func (b *bindings) outcome(l look.Look, done binding.Outcome, desired access.Result) bindingsOutcome {
	// What is in the way of everything is what to tell of, unless taking away failed.
	told := problem.Join(l.Obstacle, done.Err)
	rights, err := rightsLeft(l, done), told
	if rights != nil {
		err = problem.Join(told, rights)
	}
	if rights != nil || !revoking(l) {
		b.looks.Delete(l.Identity.Name)
	}
	next := desired.Next
	if done.Waits {
		next = timing.Earliest(l.Now, next, l.Now.Add(longestLook))
	}
	return bindingsOutcome{
		publishFrom: b.lag.Until(l, rights == nil, l.Identity.Spec.Secret.HolderCanRead || done.Reader),
		Bindings:    report.Bindings{Bound: done.Bound, OutOfTime: desired.OutOfTime, Problem: problem.Of(told), Rights: rights},
		err:         err, stale: done.Stale && told == nil, waits: done.Waits, next: next, rights: rights,
	}
}

// rightsLeft returns what keeps a revocation from being complete, or nil.
func rightsLeft(l look.Look, done binding.Outcome) *problem.Problem {
	retry := time.Second
	if known := problem.As(done.Err); done.Err != nil && (known == nil || known.Retry > 0) {
		retry = 0 // that says when to look again
	}
	revokes := l.Identity.Spec.RevokeIssuedBefore != nil && l.Identity.Spec.BindTo == v1alpha1.BindToCredential
	switch {
	case len(done.Revoked) > 0:
		return problem.NewWaiting(v1alpha1.ReasonBindingNotRevoked, retry,
			"certificates from before revokeIssuedBefore still have what is granted by %s, which can be neither changed nor deleted yet: "+
				"delete it, or remove what refuses that; nothing is published until then", access.Message(done.Revoked))
	case revokes && done.Waits:
		return problem.NewWaiting(v1alpha1.ReasonPending, 0, "a look at all role bindings is awaited, for those that still name certificates from before revokeIssuedBefore")
	case revokes && (done.Unknown || done.Stale):
		return problem.NewWaiting(v1alpha1.ReasonPending, retry, "it is not known yet whether role bindings still name certificates from before revokeIssuedBefore")
	}
	return nil
}
