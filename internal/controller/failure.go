// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/renewal"
)

// maxMessage bounds messages in the status, which may quote what others wrote.
const maxMessage = 1024

// failed records that an attempt to issue failed and gives its request up. It returns the problem to report:
// a denial stalls, since a person decided; everything else is tried again after a while that grows.
func (p *pass) failed(request *pendingRequest, reason, message string) error {
	p.pending.forget(p.identity.Name)
	return p.recordFailure(request, reason, message)
}

// delayed records that an open request cannot go on for now. The request stays open.
func (p *pass) delayed(request *pendingRequest, reason, message string) error {
	p.noteOpen(request)
	if last := p.status.Issuance; last.LastFailureReason == reason && p.waits(last) {
		return p.failure(last)
	}
	return p.recordFailure(request, reason, message)
}

// unavailable records that the API server did not answer, or answered that it cannot now. The request stays open:
// its next step is tried again after a while. An operator that is being stopped records nothing.
func (p *pass) unavailable(request *pendingRequest, doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return p.delayed(request, v1alpha1.ReasonUnavailable, fmt.Sprintf("%s: %v", doing, err))
}

func (p *pass) recordFailure(request *pendingRequest, reason, message string) error {
	if p.status.Issuance == nil {
		p.status.Issuance = &v1alpha1.IssuanceStatus{}
	}
	last := p.status.Issuance
	if p.pending.get(p.identity.UID) == nil {
		last.CertificateSigningRequest = ""
	}
	last.FailedAttempts++
	last.LastFailureTime = &metav1.Time{Time: p.now.Truncate(time.Second)}
	last.LastFailureReason = reason
	last.LastFailureMessage = shorten(message)
	last.FailedGeneration = p.identity.Generation
	last.FailedRenewRequest = request.renewRequest
	return p.failure(last)
}

// lastFailure returns the last failure as the problem that it still is, or nil where another attempt may be
// made: its time has come, or the spec or the renew request has changed.
func (p *pass) lastFailure() error {
	last := p.status.Issuance
	if last == nil || last.FailedAttempts == 0 || last.LastFailureTime == nil {
		return nil
	}
	if last.FailedGeneration != p.identity.Generation || last.FailedRenewRequest != p.renewRequest() {
		p.clearFailures()
		return nil
	}
	if last.LastFailureReason != v1alpha1.ReasonDenied && !p.waits(last) {
		return nil
	}
	return p.failure(last)
}

// failure returns the recorded failure as a problem.
func (p *pass) failure(last *v1alpha1.IssuanceStatus) error {
	if last.LastFailureReason == v1alpha1.ReasonDenied {
		return stalledProblem(last.LastFailureReason, "%s", last.LastFailureMessage)
	}
	p.wakeAt(p.retryAt(last))
	return transientProblem(last.LastFailureReason, "%s; attempt %d failed at %s, the next one is at %s",
		last.LastFailureMessage, last.FailedAttempts, stamp(last.LastFailureTime.Time), stamp(p.retryAt(last)))
}

// waits says whether the next attempt is yet to come. A failure in the future is one of a clock that was ahead: it holds
// nothing up.
func (p *pass) waits(last *v1alpha1.IssuanceStatus) bool {
	return last.LastFailureTime != nil && !p.now.Before(last.LastFailureTime.Time) && p.now.Before(p.retryAt(last))
}

// retryAt is when the next attempt is made after a failure.
func (p *pass) retryAt(last *v1alpha1.IssuanceStatus) time.Time {
	var notAfter time.Time
	if p.active() {
		notAfter = p.status.Certificate.NotAfter.Time
	}
	return renewal.NextRetry(last.LastFailureTime.Time, last.FailedAttempts, notAfter)
}

// clearFailures forgets failures: nothing is wanted that failed.
func (p *pass) clearFailures() { p.status.Issuance = nil }

// noteOpen shows the open request in the status.
func (p *pass) noteOpen(request *pendingRequest) {
	if p.status.Issuance == nil {
		p.status.Issuance = &v1alpha1.IssuanceStatus{}
	}
	p.status.Issuance.CertificateSigningRequest = request.csrName
}

// shorten cuts a message that quotes others to what the status has room for.
func shorten(message string) string { return cut(message, maxMessage) }

// cut returns valid text of at most that many bytes.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	const mark = " ..."
	// A character that was cut in half goes too: the API server would store another text, and every pass correct it.
	return strings.ToValidUTF8(text[:most-len(mark)], "") + mark
}

// stamp formats a time for messages.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
