// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/review"
)

// decisionsPerPass bounds what one pass decides: whoever makes requests in a loop keeps no worker from other identities.
const decisionsPerPass = 20

// IndexAbout is the index of the caches that finds CertificateSigningRequests by the identities that they may be about.
const IndexAbout = "about"

// About returns the identities that a request may be about, by its label, its owner and its name: somebody may have moved the label.
func About(csr client.Object) []string {
	about := dependent.Identities(csr)
	if identity, _, ok := holder.ParseRequestName(csr.GetName()); ok && !slices.Contains(about, identity) {
		about = append(about, identity)
	}
	return about
}

// Holders are the requests that holders make with keys of their own. They are approved, denied, or left alone.
type Holders struct {
	client   client.Client
	live     client.Client
	reviewer *review.Reviewer

	remembered rememberedRequests
}

// NewHolders returns what decides about requests of holders. Cached reads from a cache and knows its own writes; live reads and asks
// past it.
func NewHolders(cached, live client.Client) *Holders {
	return &Holders{client: cached, live: live, reviewer: review.NewReviewer(live)}
}

// Forget drops what is remembered of the requests about the identity of that name.
func (h *Holders) Forget(name string) { h.remembered.forget(name) }

// Given is what requests are judged by.
type Given struct {
	// Identity is as the cache has it, and Status what is known of it.
	Identity *v1alpha1.ClientIdentity
	Status   v1alpha1.ClientIdentityStatus
	Now      time.Time
	// MaxTTL bounds lifetimes; zero does not.
	MaxTTL time.Duration
	// Enrolment is the ServiceAccount whose tokens are invitations; nil where there is none.
	Enrolment *v1alpha1.EnrolmentReference
	// Hold keeps requests from being decided: something else is in the way.
	Hold bool
}

// others is 0 for requests of the holder, and of who is invited, and 1 for those of everybody else: these wait, however many there are.
func (g Given) others(csr *certificatesv1.CertificateSigningRequest) int {
	invited := g.Enrolment != nil && csr.Spec.Username == "system:serviceaccount:"+g.Enrolment.Namespace+":"+g.Enrolment.Name
	if invited || csr.Spec.Username == g.Identity.Spec.Username {
		return 0
	}
	return 1
}

// Settled is what became of the requests about an identity.
type Settled struct {
	// Changes are to be written into the status. What needs them to be there is done by the next pass.
	Changes []holder.Change
	// LeftAlone are requests that the operator may not deny, told of once.
	LeftAlone []LeftAlone
	// Err is what stands in the way: a problem, or an error that nothing more is known of.
	Err error
	// Stale says that a cache was behind.
	Stale bool
	// Next is when to look again at the latest; zero where a watch tells.
	Next time.Time
}

// LeftAlone is a request that is not to be approved, and that the operator may not deny.
type LeftAlone struct{ Name, SignerName, Message string }

// settling is one look at the requests about an identity.
type settling struct {
	*Holders
	given  Given
	status *v1alpha1.ClientIdentityStatus
	done   Settled
	// decisions counts those that were read live, and noted are the devices of which an approval was noted.
	decisions int
	noted     map[string]bool
	// unchanged says whether the API server has the identity as it was seen; nil while nobody has asked.
	unchanged *bool
	errs      []error
}

// Settle looks at the requests about an identity: certificates that were issued are recorded first, since the others are judged by them.
func (h *Holders) Settle(ctx context.Context, given Given) Settled {
	var list certificatesv1.CertificateSigningRequestList
	if err := h.client.List(ctx, &list, client.MatchingFields{IndexAbout: given.Identity.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return Settled{Err: fmt.Errorf("list CertificateSigningRequests: %w", err)}
	}
	slices.SortFunc(list.Items, func(a, b certificatesv1.CertificateSigningRequest) int {
		return cmp.Or(given.others(&a)-given.others(&b), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	list.Items = slices.DeleteFunc(list.Items, func(csr certificatesv1.CertificateSigningRequest) bool {
		owner := metav1.GetControllerOf(&csr)
		return owner != nil && dependent.IsIdentity(owner) // our own: see Requests
	})
	s := &settling{Holders: h, given: given, status: given.Status.DeepCopy(), noted: map[string]bool{}}
	seen := map[types.UID]bool{}
	recorded := true
	for i := range list.Items {
		csr := &list.Items[i]
		seen[csr.UID] = true
		if len(csr.Status.Certificate) > 0 {
			recorded = s.fail(s.record(ctx, csr)) && recorded
		}
	}
	for i := range list.Items {
		// What a certificate entitles to is not known before it is recorded.
		if csr := &list.Items[i]; len(csr.Status.Certificate) == 0 && recorded {
			s.open(ctx, csr)
		}
	}
	h.remembered.keep(given.Identity.Name, seen)
	s.done.Err = problem.Join(s.errs...)
	return s.done
}

// change remembers a change, and judges what follows by it.
func (s *settling) change(c holder.Change) {
	s.done.Changes = append(s.done.Changes, c)
	holder.Apply(s.given.Identity, s.status, c, s.given.Now)
}

// open looks at a request without a certificate.
func (s *settling) open(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) {
	switch {
	case csr.DeletionTimestamp != nil, condition(csr, certificatesv1.CertificateDenied) != nil:
	case condition(csr, certificatesv1.CertificateApproved) != nil || condition(csr, certificatesv1.CertificateFailed) != nil:
		s.approved(ctx, csr)
	case s.given.Hold, s.remembered.has(s.given.Identity.Name, csr.UID), s.judge(csr, nil).Verdict == holder.Foreign:
	case s.decisions == decisionsPerPass:
		s.next(s.given.Now.Add(time.Millisecond))
	default:
		s.decisions++
		s.fail(s.decide(ctx, csr.Name, csr.UID))
	}
}

func (s *settling) next(at time.Time) {
	if s.done.Next.IsZero() || at.Before(s.done.Next) {
		s.done.Next = at
	}
}

// fail remembers what stands in the way, and says whether that is nothing.
func (s *settling) fail(err error) bool {
	if err != nil {
		s.errs = append(s.errs, err)
	}
	return err == nil
}

// judge decides about a request.
func (s *settling) judge(csr *certificatesv1.CertificateSigningRequest, mayImpersonate *bool) holder.Decision {
	known := holder.Known{
		Identity: s.given.Identity, Status: *s.status, Now: s.given.Now, MaxTTL: s.given.MaxTTL, MayImpersonate: mayImpersonate,
	}
	if ref := s.given.Enrolment; ref != nil {
		known.EnrolmentNamespace, known.EnrolmentUID = ref.Namespace, ref.UID
	}
	return holder.Decide(holder.RequestOf(csr), known)
}

// same says whether the API server has the identity as it was seen: what cannot be taken back is done only then.
func (s *settling) same(ctx context.Context) (bool, error) {
	if s.unchanged == nil {
		live, err := consistent.Live(ctx, s.live, s.given.Identity)
		if err != nil {
			return false, err
		}
		unchanged := live.ResourceVersion == s.given.Identity.ResourceVersion
		s.unchanged = &unchanged
	}
	if !*s.unchanged {
		s.done.Stale = true
	}
	return *s.unchanged, nil
}
