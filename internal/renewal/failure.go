// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/text"
	"github.com/clientidentity/operator/internal/timing"
)

// Failure is the last of the failed attempts in a row to get a certificate.
type Failure struct {
	// Reason and Message say what went wrong.
	Reason, Message string
	// Attempts is how many failed in a row, and Time when the last one did.
	Attempts int32
	Time     time.Time
	// NotAfter is the end of the published certificate; zero where none is valid.
	NotAfter time.Time
	// Outdated says that the spec or the renew request has changed since: another attempt may be made.
	Outdated bool
}

// FailureOf returns the failure that a status tells of, or nil. Generation and renewRequest (a RenewRequestID) are those
// of now; notAfter is the end of the published certificate, zero where none is valid.
func FailureOf(status *v1alpha1.IssuanceStatus, generation int64, renewRequest string, notAfter time.Time) *Failure {
	if status == nil || status.FailedAttempts == 0 || status.LastFailureTime == nil {
		return nil
	}
	return &Failure{
		Reason: status.LastFailureReason, Message: status.LastFailureMessage,
		Attempts: status.FailedAttempts, Time: status.LastFailureTime.Time, NotAfter: notAfter,
		Outdated: status.FailedGeneration != generation || status.FailedRenewRequest != renewRequest,
	}
}

// Denied says whether a person refused: only a person changes that.
func (f *Failure) Denied() bool { return f.Reason == v1alpha1.ReasonDenied }

// RetryAt returns when the next attempt is made; zero after a denial.
func (f *Failure) RetryAt() time.Time {
	if f.Denied() {
		return time.Time{}
	}
	return NextRetry(f.Time, f.Attempts, f.NotAfter)
}

// Holds says whether the next attempt is yet to come. A failure in the future is one of a clock that was ahead: it holds
// nothing up.
func (f *Failure) Holds(now time.Time) bool { return !now.Before(f.Time) && now.Before(f.RetryAt()) }

// Problem returns what to tell of the failure.
func (f *Failure) Problem() *problem.Problem {
	if f.Denied() {
		return problem.NewStalled(f.Reason, "%s", f.Message)
	}
	return problem.NewTransient(f.Reason, "%s; attempt %d failed at %s, the next one is at %s",
		f.Message, f.Attempts, timing.Stamp(f.Time), timing.Stamp(f.RetryAt()))
}

// Attempt is a failed attempt to get a certificate.
type Attempt struct {
	// Reason and Message say what went wrong.
	Reason, Message string
	// RequestName is the CertificateSigningRequest that stays open and is tried to go on with; empty where there is none.
	RequestName string
	// RenewRequest is the RenewRequestID that the attempt answered, and Generation the one of its spec.
	RenewRequest string
	Generation   int64
}

// Record returns the status.issuance after a failed attempt at now; before is not changed. One that stays open and
// fails as it did last, before its next try is due, is the same failure.
func Record(before *v1alpha1.IssuanceStatus, attempt Attempt, notAfter, now time.Time) *v1alpha1.IssuanceStatus {
	after := before.DeepCopy()
	if after == nil {
		after = &v1alpha1.IssuanceStatus{}
	}
	after.CertificateSigningRequest = attempt.RequestName
	last := FailureOf(before, attempt.Generation, attempt.RenewRequest, notAfter)
	if attempt.RequestName != "" && last != nil && last.Reason == attempt.Reason && last.Holds(now) {
		return after
	}
	after.FailedAttempts++
	after.LastFailureTime = &metav1.Time{Time: now.Truncate(time.Second)}
	after.LastFailureReason = attempt.Reason
	after.LastFailureMessage = text.Shorten(attempt.Message, problem.MaxMessage)
	after.FailedGeneration = attempt.Generation
	after.FailedRenewRequest = attempt.RenewRequest
	return after
}
