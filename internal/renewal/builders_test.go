// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

const signer = "kubernetes.io/kube-apiserver-client"

var (
	// renewsAt is when the certificate of these tests is renewed, and endsAt its end.
	renewsAt = time.Date(2026, 12, 1, 23, 10, 33, 0, time.UTC)
	endsAt   = time.Date(2026, 12, 2, 7, 55, 0, 0, time.UTC)

	noServer    = problem.NewStalled(v1alpha1.ReasonServerUnknown, "nobody knows the server")
	noNamespace = problem.NewWaiting(v1alpha1.ReasonSecretNamespaceMissing, 0, "no such namespace")
	stillBound  = problem.NewTransient(v1alpha1.ReasonUnavailable, "bindings could not be changed")
)

type change func(*Input)

// wellKept is an identity with a certificate of a day that was asked for an hour ago, changed by the options.
func wellKept(changes ...change) Input {
	in := Input{
		Now: asked.Add(time.Hour), TTL: day, SignerName: signer, AllowedSigners: []string{signer}, Seed: "uid",
		Published:   &Published{Validity: issued(asked, day), SerialNumber: "a1"},
		Issued:      []time.Time{asked.Add(-backdate)},
		RequestTime: asked,
	}
	for _, apply := range changes {
		apply(&in)
	}
	return in
}

// The time, and what a spec, an operator or somebody with an annotation asks for.
func now(at time.Time) change         { return func(in *Input) { in.Now = at } }
func later(d time.Duration) change    { return func(in *Input) { in.Now = in.Now.Add(d) } }
func accessUntil(at time.Time) change { return func(in *Input) { in.AccessUntil = &at } }
func accessEndsIn(d time.Duration) change {
	return func(in *Input) { in.AccessUntil = ptr(in.Now.Add(d)) }
}
func maxTTL(d time.Duration) change    { return func(in *Input) { in.MaxTTL = d } }
func signedBy(name string) change      { return func(in *Input) { in.SignerName = name } }
func allowed(signers ...string) change { return func(in *Input) { in.AllowedSigners = signers } }
func renewRequest(value string) change { return func(in *Input) { in.RenewRequest = value } }
func renewRequestDone(value string) change {
	return func(in *Input) { in.LastHandledRenewRequest = value }
}
func turnIn(d time.Duration) change { return func(in *Input) { in.RenewTurn = in.Now.Add(d) } }

// The published credential, and its CA.
func nothingPublished(in *Input)        { in.Published, in.Issued, in.RequestTime = nil, nil, time.Time{} }
func damaged(in *Input)                 { in.Published.ContentProblem = "no key" }
func requestChanges(in *Input)          { in.Published.RequestChanged = true }
func askedFor(ago time.Duration) change { return func(in *Input) { in.RequestTime = in.Now.Add(-ago) } }
func supersededIn(d time.Duration) change {
	return func(in *Input) { in.Issuer.SupersededAt = in.Now.Add(d) }
}
func refusedIn(d time.Duration) change {
	return func(in *Input) { in.Issuer = Issuer{Name: "CN=old", RefusedAt: in.Now.Add(d)} }
}
func endsTogetherWithTheLastOne(in *Input) {
	in.Published.Validity = Validity{NotBefore: asked.Add(-backdate), NotAfter: endsAt, RequestTime: asked, Requested: 90 * day}
	in.Previous = &Validity{NotBefore: asked.Add(-day), NotAfter: endsAt}
}

// issuedOften are that many certificates of the last seconds.
func issuedOften(count int) change {
	return func(in *Input) {
		in.RequestTime, in.Issued = in.Now.Add(-time.Second), nil
		for n := range count {
			in.Issued = append(in.Issued, in.RequestTime.Add(-backdate-time.Duration(n)*time.Second))
		}
	}
}

// The open request.
func open(in *Input)        { in.Open = &Open{} }
func unsubmitted(in *Input) { in.Open = &Open{Unsubmitted: true} }
func outdated(in *Input)    { in.Open.Outdated = true }
func proven(in *Input)      { in.Open = &Open{ProvenUntil: asked.Add(2 * day)} }

// failed is an attempt that failed a while ago, the third in a row: the next one is 40 seconds after it.
func failed(ago time.Duration) change {
	return func(in *Input) {
		in.Failure = &Failure{Reason: v1alpha1.ReasonSignerFailed, Message: "no luck", Attempts: 3, Time: in.Now.Add(-ago)}
	}
}
func denied(in *Input) {
	in.Failure = &Failure{Reason: v1alpha1.ReasonDenied, Message: "no", Attempts: 1, Time: in.Now.Add(-day)}
}
func sinceChanged(in *Input) { in.Failure.Outdated = true }

// What stands in the way outside of a plan.
func targetUnknown(in *Input) { in.Target = noServer }
func placeMissing(in *Input)  { in.Place = noNamespace }
func rightsLeft(in *Input)    { in.Rights = stillBound }
func publishedIn(wait time.Duration) change {
	return func(in *Input) { in.PublishFrom = in.Now.Add(wait) }
}
