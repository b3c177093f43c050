// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// Backdating is how long before the issuance Kubernetes' signer lets a certificate begin.
const Backdating = 5 * time.Minute

// ScheduleIn returns the schedule that the status tells of.
func ScheduleIn(c *v1alpha1.CertificateStatus) Schedule {
	if c == nil {
		return Schedule{}
	}
	return Schedule{RenewalTime: timing.Value(c.RenewalTime)}
}

// NotBefores returns the starts of certificates, newest first.
func NotBefores(certificates []v1alpha1.IssuedCertificate) []time.Time {
	var times []time.Time
	for i := range certificates {
		if begin := timing.Of(certificates[i].NotBefore); begin != nil {
			times = append(times, *begin)
		}
	}
	return times
}

// RequestTimeOf returns when the newest certificate was asked for; zero where that is not known.
func RequestTimeOf(status *v1alpha1.ClientIdentityStatus) time.Time {
	if c := status.Certificate; c != nil && c.RequestTime != nil {
		return c.RequestTime.Time
	}
	if notBefore := NotBefores(status.Certificates); len(notBefore) > 0 {
		return notBefore[0].Add(Backdating)
	}
	return time.Time{}
}

// ValidityOf returns the times of the published certificate.
func ValidityOf(c *v1alpha1.CertificateStatus) Validity {
	v := Validity{NotBefore: timing.Value(c.NotBefore), NotAfter: timing.Value(c.NotAfter), RequestTime: timing.Value(c.RequestTime)}
	if c.RequestedTTL != nil {
		v.Requested = c.RequestedTTL.Duration
	}
	return v
}

// EarlierValidity returns the times of a certificate in the list, newest first, or nil.
func EarlierValidity(certificates []v1alpha1.IssuedCertificate, i int) *Validity {
	if len(certificates) <= i || certificates[i].NotBefore == nil || certificates[i].NotAfter == nil {
		return nil
	}
	return &Validity{NotBefore: certificates[i].NotBefore.Time, NotAfter: certificates[i].NotAfter.Time}
}
