// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// Why a certificate was asked for, as far as the statuses before and after tell.
const (
	causeFirst     = "First"
	causeDue       = "Due"
	causeExpired   = "Expired"
	causeRequested = "Requested"
	causeRevoked   = "Revoked"
	causeChanged   = "Changed"
	causeEnrolled  = "Enrolled"
	causeRenewed   = "Renewed"
)

// Results.
const (
	resultPublished  = "Published"
	resultFailed     = "Failed"
	resultComplete   = "Complete"
	resultIncomplete = "Incomplete"
)

// change is what a status that was written tells beyond the one before it.
type change struct {
	// published is why the certificate was asked for that was published; empty where none was.
	published string
	// took is the time from the request to the publication, and late the time since the renewal was due; nil where there is none.
	took, late *time.Duration
	// failed is the reason of an attempt that failed; empty where none did.
	failed string
	// revocation is what the condition RevocationComplete has come to be, and revocationReason why; empty where it is as before.
	revocation, revocationReason string
}

// changeOf compares the status that an identity had with the one that was written.
func changeOf(before, after *v1alpha1.ClientIdentityStatus, now time.Time) change {
	var c change
	if is := after.Certificate; is != nil && (before.Certificate == nil || before.Certificate.Fingerprint != is.Fingerprint) {
		c.published = causeOf(before, after, now)
		if is.RequestTime != nil {
			c.took = since(is.RequestTime, now)
		}
		if c.published == causeDue || c.published == causeExpired {
			c.late = since(before.Certificate.RenewalTime, now)
		}
	}
	if failedAt(after) != nil && !failedAt(after).Equal(failedAt(before)) {
		c.failed = after.Issuance.LastFailureReason
	}
	c.revocation, c.revocationReason = revocationOf(before, after)
	return c
}

// devicesIssued returns why the certificates were asked for that devices were issued.
func devicesIssued(before, after *v1alpha1.ClientIdentityStatus) []string {
	var causes []string
	for i := range after.Certificates {
		c := &after.Certificates[i]
		if c.Device == "" || access.Listed(before, c.Fingerprint) != nil {
			continue
		}
		earlier := slices.ContainsFunc(before.Devices, func(d v1alpha1.Device) bool {
			return d.Name == c.Device && d.Revision > 0 && d.Revision >= d.EnrolledRevision
		})
		if earlier {
			causes = append(causes, causeRenewed)
		} else {
			causes = append(causes, causeEnrolled)
		}
	}
	return causes
}

// causeOf returns why the certificate of the status after was asked for.
func causeOf(before, after *v1alpha1.ClientIdentityStatus, now time.Time) string {
	was := before.Certificate
	passed := func(at *metav1.Time) bool { return at != nil && !now.Before(at.Time) }
	switch {
	case was == nil:
		return causeFirst
	case !was.RevokeIssuedBefore.Equal(after.Certificate.RevokeIssuedBefore):
		return causeRevoked
	case before.LastHandledRenewRequest != after.LastHandledRenewRequest:
		return causeRequested
	case passed(was.NotAfter):
		return causeExpired
	case passed(was.RenewalTime):
		return causeDue
	}
	return causeChanged
}

// since returns the time from then to now, and not less than none: clocks are set back.
func since(then *metav1.Time, now time.Time) *time.Duration {
	if then == nil {
		return nil
	}
	passed := max(0, now.Sub(then.Time))
	return &passed
}

func failedAt(status *v1alpha1.ClientIdentityStatus) *metav1.Time {
	if status.Issuance == nil {
		return nil
	}
	return status.Issuance.LastFailureTime
}

func revocationOf(before, after *v1alpha1.ClientIdentityStatus) (result, reason string) {
	was := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionRevocationComplete)
	is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionRevocationComplete)
	if is == nil || is.Reason == v1alpha1.ReasonPending {
		return "", ""
	}
	same := was != nil && was.Status == is.Status && was.Reason == is.Reason
	if same && before.CompletedRevocation.Equal(after.CompletedRevocation) {
		return "", ""
	}
	if is.Status == metav1.ConditionTrue {
		return resultComplete, is.Reason
	}
	return resultIncomplete, is.Reason
}
