// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// Reason is why a certificate is issued. The empty reason means that there is nothing to do.
type Reason string

// The reasons to issue, in the order in which they are checked.
const (
	// SecretMissing means that no credential is published, or one that cannot be read.
	SecretMissing Reason = "SecretMissing"
	// SecretDamaged means that the published credential was checked and is not whole.
	SecretDamaged Reason = "SecretDamaged"
	// RequestChanged means that the spec asks for another certificate than the published one was asked with.
	RequestChanged Reason = "RequestChanged"
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

// Published is what is known of the published credential.
type Published struct {
	Validity
	// ContentProblem says what is wrong with the content of the Secret; empty where nothing is, or
	// where it was not looked at. It must not hold key material.
	ContentProblem string
}

// Input is all that Decide looks at.
type Input struct {
	Now time.Time
	// Published is nil where nothing is published, or where its content cannot be used.
	Published *Published
	// RequestChanged says that the hash of the wanted request differs from the published one's.
	RequestChanged bool
	// AccessUntil is the hard end of the access; nil = none.
	AccessUntil *time.Time
	// RenewalTime is the result of At; zero = no renewal is planned.
	RenewalTime time.Time
	// RenewRequest is the value of the annotation clientidentity.dev/renew-requested-at, as it is.
	RenewRequest string
	// LastHandledRenewRequest is the RenewRequestID of the request that was handled last.
	LastHandledRenewRequest string
	// Capped is the result of Capped: renewing would buy no time.
	Capped bool
	// Untrusted says that the API server no longer accepts the issuer of the published certificate.
	Untrusted bool
}

// Check looks at one reason to issue. It returns true where the reason holds, with the reason and a
// message for people: stable (it does not change with Now) and free of secrets. Checks after the first may
// rely on Published not being nil.
type Check func(Input) (Reason, string, bool)

// checks are the reasons to issue, in order: the first that holds is the one that the user sees.
var checks = []Check{
	secretMissing,
	secretDamaged,
	requestChanged,
	expired,
	accessEndsEarlier,
	untrusted,
	renewRequested,
	renewalDue,
}

// Decide returns why a certificate is to be issued now, and a message; two empty strings where there is
// nothing to do. Whether one may be asked for this late before accessUntil is up to RequestTTL.
func Decide(in Input) (Reason, string) {
	for _, check := range checks {
		if reason, message, holds := check(in); holds {
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

func secretMissing(in Input) (Reason, string, bool) {
	return SecretMissing, "No usable credential is published", in.Published == nil
}

func secretDamaged(in Input) (Reason, string, bool) {
	problem := in.Published.ContentProblem
	return SecretDamaged, "The published credential is damaged: " + problem, problem != ""
}

func requestChanged(in Input) (Reason, string, bool) {
	return RequestChanged, "The spec asks for another certificate than the published one", in.RequestChanged
}

func expired(in Input) (Reason, string, bool) {
	end := in.Published.NotAfter
	return Expired, "The certificate expired at " + stamp(end), !in.Now.Before(end)
}

func accessEndsEarlier(in Input) (Reason, string, bool) {
	end := in.Published.NotAfter
	if in.AccessUntil == nil || !end.After(*in.AccessUntil) {
		return "", "", false
	}
	message := fmt.Sprintf("The certificate is valid until %s, which is after accessUntil, %s", stamp(end), stamp(*in.AccessUntil))
	return AccessEndsEarlier, message, true
}

func untrusted(in Input) (Reason, string, bool) {
	return Untrusted, "The API server no longer accepts the issuer of the certificate", in.Untrusted
}

func renewRequested(in Input) (Reason, string, bool) {
	wanted := in.RenewRequest != "" && RenewRequestID(in.RenewRequest) != in.LastHandledRenewRequest
	return RenewRequested, "A renewal was requested with the annotation " + v1alpha1.RenewRequestedAtAnnotation, wanted
}

func renewalDue(in Input) (Reason, string, bool) {
	due := !in.Capped && !in.RenewalTime.IsZero() && !in.Now.Before(in.RenewalTime)
	message := fmt.Sprintf("The certificate is due for renewal since %s and valid until %s", stamp(in.RenewalTime), stamp(in.Published.NotAfter))
	return RenewalDue, message, due
}

// stamp formats a time for a message.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
