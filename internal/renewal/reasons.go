// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// Reason is why a certificate is issued. The empty reason means that there is nothing to do.
type Reason string

// The reasons to issue, in the order in which they are checked.
const (
	// SecretMissing means that no credential is published, or one that cannot be read.
	SecretMissing Reason = "SecretMissing"
	// SecretDamaged means that the published credential was checked and is not intact.
	SecretDamaged Reason = "SecretDamaged"
	// RequestChanged means that the spec asks for another certificate than the published one was asked with.
	RequestChanged Reason = "RequestChanged"
	// Revoked means that the spec revokes the published certificate by its fingerprint.
	Revoked Reason = "Revoked"
	// Expired means that the published certificate has ended.
	Expired Reason = "Expired"
	// AccessEndsEarlier means that the published certificate outlives accessUntil.
	AccessEndsEarlier Reason = "AccessEndsEarlier"
	// Untrusted means that the API server no longer accepts the issuer of the published certificate.
	Untrusted Reason = "Untrusted"
	// RenewRequested means that somebody asked for a renewal with the annotation.
	RenewRequested Reason = "RenewRequested"
	// RenewalDue means that the renewal time has come, and that renewing buys time.
	RenewalDue Reason = "RenewalDue"
)

// routine says whether the published credential is all that the spec asks for, so that nobody waits for the next one.
func (r Reason) routine() bool { return r == RenewalDue || r == RenewRequested }

// check looks at one reason to issue. It returns true where the reason holds, with the reason and a
// message for people: stable (it does not change with Now) and free of secrets. Checks after the first may
// rely on Published not being nil.
type check func(Input, Schedule) (Reason, string, bool)

// checks are the reasons to issue, in order: the first that holds is the one that the user sees.
var checks = []check{
	secretMissing,
	secretDamaged,
	requestChanged,
	revoked,
	expired,
	accessEndsEarlier,
	untrusted,
	renewRequested,
	renewalDue,
}

// decide returns why a certificate is to be issued now, and a message; two empty strings where there is
// nothing to do. Schedule is the one of the published certificate.
func decide(in Input, schedule Schedule) (Reason, string) {
	for _, check := range checks {
		if reason, message, holds := check(in, schedule); holds {
			return reason, message
		}
	}
	return "", ""
}

// RenewRequestID returns what to remember of a renew request once it is handled: the value of its
// annotation, or a hash of it where it is longer than the 256 characters that the status has room for.
// Were it cut instead, it would never equal the annotation, and every pass would renew.
func RenewRequestID(value string) string {
	if len(value) <= 256 {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func secretMissing(in Input, _ Schedule) (Reason, string, bool) {
	return SecretMissing, "No usable credential is published", in.Published == nil
}

func secretDamaged(in Input, _ Schedule) (Reason, string, bool) {
	problem := in.Published.ContentProblem
	return SecretDamaged, "The published credential is damaged: " + problem, problem != ""
}

func requestChanged(in Input, _ Schedule) (Reason, string, bool) {
	return RequestChanged, "The spec asks for another certificate than the published one", in.Published.RequestChanged
}

func revoked(in Input, _ Schedule) (Reason, string, bool) {
	return Revoked, "The published certificate is among spec.revokedCertificates", in.Published.Revoked
}

func expired(in Input, _ Schedule) (Reason, string, bool) {
	end := in.Published.NotAfter
	return Expired, "The certificate expired at " + timing.Stamp(end), !in.Now.Before(end)
}

func accessEndsEarlier(in Input, _ Schedule) (Reason, string, bool) {
	end := in.Published.NotAfter
	if in.AccessUntil == nil || !end.After(*in.AccessUntil) {
		return "", "", false
	}
	message := fmt.Sprintf("The certificate is valid until %s, which is after accessUntil, %s", timing.Stamp(end), timing.Stamp(*in.AccessUntil))
	return AccessEndsEarlier, message, true
}

func untrusted(in Input, _ Schedule) (Reason, string, bool) {
	return Untrusted, "The API server no longer accepts the issuer of the certificate",
		!in.Issuer.RefusedAt.IsZero() && !in.Now.Before(in.Issuer.RefusedAt)
}

func renewRequested(in Input, _ Schedule) (Reason, string, bool) {
	wanted := in.RenewRequest != "" && RenewRequestID(in.RenewRequest) != in.LastHandledRenewRequest
	return RenewRequested, "A renewal was requested with the annotation " + v1alpha1.RenewRequestedAtAnnotation, wanted
}

func renewalDue(in Input, schedule Schedule) (Reason, string, bool) {
	due := !schedule.RenewalTime.IsZero() && !in.Now.Before(schedule.RenewalTime)
	message := fmt.Sprintf("The certificate is due for renewal since %s and valid until %s", timing.Stamp(schedule.RenewalTime), timing.Stamp(in.Published.NotAfter))
	return RenewalDue, message, due
}
