// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// expectWaiting expects that a certificate is waited for until a time after the start, with its request left open.
func (s *signed) expectWaiting(got Outcome, until time.Duration, stamp string) {
	s.t.Helper()
	want := problem.NewWaiting(v1alpha1.ReasonPending, 0, `the certificate of signer "example.com/ca" is valid from %s on: it is waited for`, stamp)
	if diff := cmp.Diff(want, problem.As(got.Err)); diff != "" {
		s.t.Errorf("tells (-want +got):\n%s", diff)
	}
	if got.Waiting != "alice-1" || !got.Next.Equal(start.Add(until)) || got.Failure != nil || got.Proven != nil || got.Quiet {
		s.t.Errorf("got %+v, want to look again %s after %s", got, until, start)
	}
	if s.Get(s.alice) != s.open {
		s.t.Error("the request, and its key, is given up")
	}
}

// expectFailure expects that the request was given up.
func (s *signed) expectFailure(got Outcome, reason, message string) {
	s.t.Helper()
	if diff := cmp.Diff(&Failure{Reason: reason, Message: message, RenewRequest: "now"}, got.Failure); diff != "" {
		s.t.Errorf("failure (-want +got):\n%s", diff)
	}
	if got.Proven != nil || got.Err != nil || !got.Next.IsZero() || s.Get(s.alice) != nil {
		s.t.Errorf("goes on: %+v", got)
	}
}

func (s *signed) expectProven(got Outcome) {
	s.t.Helper()
	if got.Proven == nil || got.Proven.Issued == nil || got.Proven.Key != s.open.Key || got.Failure != nil || got.Err != nil || s.Get(s.alice) != got.Proven {
		s.t.Errorf("not proven: %v, %v", got.Failure, got.Err)
	}
}

func TestACertificateThatBeginsInAMomentIsWaitedFor(t *testing.T) {
	s := signedFrom(t, time.Second)
	s.expectWaiting(s.follow(0), time.Second, "2026-11-22T12:00:01Z")
	s.expectWaiting(s.follow(time.Second-1), time.Second, "2026-11-22T12:00:01Z")
	if s.prover.proofs != 0 {
		t.Error("is proven before it begins")
	}
	s.expectProven(s.follow(time.Second))
}

func TestACertificateIsWaitedForTwoMinutesAtMost(t *testing.T) {
	s := signedFrom(t, 2*time.Minute)
	s.expectWaiting(s.follow(0), 2*time.Minute, "2026-11-22T12:02:00Z")
	s.expectProven(s.follow(2 * time.Minute))

	for _, begin := range []time.Duration{2*time.Minute + time.Second, 3 * time.Minute} {
		s := signedFrom(t, begin)
		s.expectFailure(s.follow(0), v1alpha1.ReasonCertificateRejected, `signer "example.com/ca" issued another certificate than was asked for: `+
			"the certificate is not valid before "+start.Add(begin).Format(time.RFC3339)+": the clocks of the signer and the operator differ")
	}
}

func TestACertificateThatTheAPIServerTakesForEarlyIsProvenAgain(t *testing.T) {
	s := signedFrom(t, 0)
	s.prover.err = apierrors.NewUnauthorized("Unauthorized")
	s.expectWaiting(s.follow(0), 5*time.Second, "2026-11-22T12:00:05Z")
	s.expectWaiting(s.follow(5*time.Second-1), 5*time.Second, "2026-11-22T12:00:05Z")
	s.expectFailure(s.follow(5*time.Second), v1alpha1.ReasonNotAccepted,
		`the API server does not accept certificates of signer "example.com/ca" (issuer "CN=ca"): its CA must be in the API server's --client-ca-file`)

	s = signedFrom(t, 0)
	s.prover.err = apierrors.NewUnauthorized("Unauthorized")
	s.expectWaiting(s.follow(time.Second), 5*time.Second, "2026-11-22T12:00:05Z")
	s.prover.err = nil
	s.expectProven(s.follow(5 * time.Second))
}

// A signer that back-dates has clocks in mind: what is refused is refused.
func TestABackdatedCertificateThatIsRefusedIsNotWaitedFor(t *testing.T) {
	s := signedFrom(t, -5*time.Minute)
	s.prover.err = apierrors.NewUnauthorized("Unauthorized")
	s.expectFailure(s.follow(0), v1alpha1.ReasonNotAccepted,
		`the API server does not accept certificates of signer "example.com/ca" (issuer "CN=ca"): its CA must be in the API server's --client-ca-file`)
}

// A replica of the operator that is behind denies a certificate of an identity that it does not know yet.
func TestACertificateThatIsDeniedAtFirstIsSoonProvenAgain(t *testing.T) {
	s := signedFrom(t, 0)
	s.prover.err = apierrors.NewForbidden(schema.GroupResource{Resource: "selfsubjectreviews"}, "", errors.New("deleted"))
	asked := s.open.RequestTime
	got := s.follow(time.Second)
	if want := asked.Add(time.Second + 100*time.Millisecond); !got.Quiet || !got.Next.Equal(want) || got.Failure != nil || got.Err != nil || s.Get(s.alice) != s.open {
		t.Errorf("got %+v, want to look again at %s", got, want)
	}
	if got := s.follow(5 * time.Second); got.Quiet || got.Failure == nil || got.Failure.Reason != v1alpha1.ReasonUnavailable {
		t.Errorf("goes on for ever without a word: %+v", got)
	}
	s.prover.err = nil
	s.expectProven(s.follow(6 * time.Second))
}

func TestACertificateIsKeptWhileTheAPIServerDoesNotAnswer(t *testing.T) {
	s := signedFrom(t, 0)
	s.prover.err = errors.New("timeout")
	got := s.follow(time.Second)
	want := &Failure{Reason: v1alpha1.ReasonUnavailable, Message: "prove the new credential: timeout", RenewRequest: "now"}
	if diff := cmp.Diff(want, got.Failure); diff != "" || got.Waiting != "alice-1" || s.Get(s.alice) != s.open {
		t.Errorf("got %+v, failure (-want +got):\n%s", got, diff)
	}
	s.prover.err = nil
	s.expectProven(s.follow(2 * time.Second))
}
