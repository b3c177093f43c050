// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package issuance asks signers for certificates: it makes CertificateSigningRequests, approves its own, follows them, checks
// what was issued and has it proven. It holds the private keys of open requests, in memory only, and touches no other dependent.
package issuance

import (
	"context"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/proof"
)

// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests/approval,verbs=update
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=signers,resourceNames=kubernetes.io/kube-apiserver-client,verbs=approve

const (
	// quietTime is how long a request that was just made is not worth telling of: signers mostly answer at once.
	quietTime = 5 * time.Second
	// proofRetry is when a certificate is proven again that another replica of the operator denies, since it is behind.
	proofRetry = 100 * time.Millisecond
	// signerPatience is how long a signer may take before the identity says that nobody serves it.
	signerPatience = 10 * time.Minute
)

// Requests are the requests of this process.
type Requests struct {
	client client.Client
	live   client.Reader
	prover proof.Prover
	clock  clock.PassiveClock

	open *openRequests
	keys *keys
}

// NewRequests returns requests without any open one. Cached reads from a cache and knows its own writes; live reads past it.
func NewRequests(cached client.Client, live client.Reader, prover proof.Prover, now clock.PassiveClock) *Requests {
	return &Requests{client: cached, live: live, prover: prover, clock: now, open: newOpenRequests(), keys: newKeys(now)}
}

// Order is what is asked of a signer.
type Order struct {
	Subject    certificate.Subject
	SignerName string
	// TTL is the lifetime that is asked for.
	TTL time.Duration
	// Revocation is the revokeIssuedBefore that it is asked with; nil = none.
	Revocation *time.Time
	// Hash identifies what is asked for.
	Hash string
	// RenewRequest identifies the renew request that this answers; empty where it answers none.
	RenewRequest string
	// SameKey says that the key is the one of the published certificate.
	SameKey bool
}

// Outcome is what became of a request.
type Outcome struct {
	// Proven is the request whose certificate the API server has accepted, or nil.
	Proven *Open
	// Quiet says that a request that was just made waits for its signer: not worth telling of yet.
	Quiet bool
	// Waiting is the name of the CertificateSigningRequest that is waited for noticeably, also where its next step failed and
	// is tried again; empty otherwise.
	Waiting string
	// Failure is what failed; nil where nothing did.
	Failure *Failure
	// Err is what stands in the way without being a failed attempt: a problem, or an error that nothing more is known of.
	Err error
	// Next is when to look again at the latest; zero where a watch tells.
	Next time.Time
}

// Failure is a failed attempt.
type Failure struct {
	Reason, Message string
	// RenewRequest is the one of the request's order.
	RenewRequest string
}

// Get returns the open request of an identity, or nil.
func (r *Requests) Get(identity *v1alpha1.ClientIdentity) *Open { return r.open.get(identity.UID) }

// Forget drops the open request of the identity of that name, and its key with it: its certificate was published, or
// the identity is gone.
func (r *Requests) Forget(name string) {
	r.open.forget(name)
	r.keys.forget(name)
}

// fail gives a request up.
func (r *Requests) fail(identity *v1alpha1.ClientIdentity, open *Open, reason, message string) Outcome {
	r.open.forget(identity.Name)
	return Outcome{Failure: &Failure{Reason: reason, Message: message, RenewRequest: open.RenewRequest}}
}

// delay keeps a request open that cannot go on for now.
func delay(open *Open, reason, message string) Outcome {
	return Outcome{
		Waiting: open.csrName,
		Failure: &Failure{Reason: reason, Message: message, RenewRequest: open.RenewRequest},
	}
}

// Drop gives the open request of an identity up: something else is asked for by now.
func (r *Requests) Drop(ctx context.Context, identity *v1alpha1.ClientIdentity) error {
	open := r.open.get(identity.UID)
	r.open.forget(identity.Name)
	if open == nil || !open.Submitted() || open.Issued != nil {
		return nil
	}
	return r.close(ctx, open.csrName, open.csrUID)
}
