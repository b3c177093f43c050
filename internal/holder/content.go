// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	rules "github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/timing"
)

// Usages are the key usages that a request asks for, the operator's own ones too: exactly these. Client auth is what the API server
// requires, digital signature is what a TLS client does with the key (RFC 5246, 7.4.8; RFC 8446, 4.4.2).
var Usages = []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}

const (
	// DefaultMaxDevices is the default of spec.maxDevices.
	DefaultMaxDevices = 5
	// openFor is how long an approval keeps its place without a certificate: as long as a signer is waited for.
	openFor = 10 * time.Minute
	// spareCertificates are how many certificates of a device are valid at a time besides those that its renewals explain, and mostValid how
	// many there are at the most: the status has room for 20 of all devices.
	spareCertificates, mostValid = 6, 16
)

func otherUsages(j *judgement) *Decision {
	asked := slices.Sorted(slices.Values(j.Usages))
	if slices.Equal(asked, slices.Sorted(slices.Values(Usages))) {
		return nil
	}
	return deny(ReasonUsagesMismatch, "the request asks for the usages %q, and exactly %q are approved: make another one", j.Usages, Usages)
}

// otherSubject does not say what would be right: whoever may make requests may not be meant to know.
func otherSubject(j *judgement) *Decision {
	spec := &j.Identity.Spec
	if j.parsed.Is(certificate.Subject{Username: spec.Username, Groups: spec.Groups}, j.Identity.UID, timing.Of(spec.RevokeIssuedBefore)) {
		return nil
	}
	return deny(ReasonSubjectMismatch, "user and groups of the request are not exactly those of ClientIdentity %q, its credential group and one group for this certificate: "+
		"the key %s of its Secret says what to ask for", j.Identity.Name, v1alpha1.RequestKey)
}

func otherLifetime(j *judgement) *Decision {
	most := j.Identity.Spec.TTL.Duration
	if j.MaxTTL > 0 {
		most = min(most, j.MaxTTL)
	}
	if j.ExpirationSeconds == nil {
		return deny(ReasonLifetimeMismatch, "the request sets no expirationSeconds: ask for %d seconds or less", int64(most/time.Second))
	}
	asked := time.Duration(*j.ExpirationSeconds) * time.Second
	if asked > most {
		return deny(ReasonLifetimeMismatch, "the request asks for %s, and ClientIdentity %q allows %s: ask for less", asked, j.Identity.Name, most)
	}
	if until := j.Identity.Spec.AccessUntil; until != nil && j.Now.Add(asked).After(until.Time) {
		return deny(ReasonLifetimeMismatch, "the certificate would end after accessUntil (%s) of ClientIdentity %q: ask for less", timing.Stamp(until.Time), j.Identity.Name)
	}
	return nil
}

func otherKey(j *judgement) *Decision {
	if err := certificate.CheckKey(j.Identity.Spec.PrivateKey, j.parsed.Key()); err != nil {
		return deny(ReasonKeyMismatch, "the key cannot be used: %v", err)
	}
	return nil
}

func unsigned(j *judgement) *Decision {
	if err := j.parsed.CheckSignature(); err != nil {
		return deny(ReasonRequestInvalid, "%v", err)
	}
	return nil
}

// deviceTaken keeps a device from taking the name of another one that is in use.
func deviceTaken(j *judgement) *Decision {
	switch {
	case !j.enrols || j.device == nil || ours(j.device, j.UID):
		return nil
	case j.sameAcceptance(j.invitation) && j.invitation != "":
		return nil
	case j.open(j.device):
		return deny(ReasonRequestOpen, "another request of device %q was approved and waits for its certificate (%s): wait for it, or choose another name",
			j.deviceName, j.device.Approval.CertificateSigningRequest)
	case j.inUse(j.device):
		return deny(ReasonDeviceExists, "device %q has a valid certificate: choose another name, or have it revoked first (kubectl clientidentity revoke %s --device %s)",
			j.deviceName, j.Identity.Name, j.deviceName)
	}
	return nil
}

// tooOften keeps a device that asks in a loop from keeping the signer busy. One that is enrolled anew does not wait.
func tooOften(j *judgement) *Decision {
	if j.enrols && j.device != nil && j.device.Approval != nil && j.device.Approval.Key != j.key {
		return nil
	}
	if j.device == nil || j.device.Approval == nil || j.device.Approval.Time == nil || ours(j.device, j.UID) {
		return nil
	}
	last := j.device.Approval.Time.Time
	if next := last.Add(rules.MinimumInterval); j.Now.Before(next) && !j.Now.Before(last) {
		return deny(ReasonIssuedTooOften, "device %q was given a certificate less than %s ago: ask again after %s", j.deviceName, rules.MinimumInterval, timing.Stamp(next))
	}
	if first := j.tooManyValid(); first != nil {
		return deny(ReasonIssuedTooOften, "device %q has many more valid certificates than one that renews when it is time: ask again after %s", j.deviceName, timing.Stamp(first.Time))
	}
	var begins []time.Time
	for i := range j.Status.Certificates {
		if c := &j.Status.Certificates[i]; c.Device == j.deviceName && c.NotBefore != nil {
			begins = append(begins, c.NotBefore.Time)
		}
	}
	if next := rules.NextAllowed(last, begins, j.Now); !next.IsZero() {
		return deny(ReasonIssuedTooOften, "device %q was given %d certificates within %s: ask again after %s",
			j.deviceName, rules.LimitCertificates, rules.LimitInterval, timing.Stamp(next))
	}
	return nil
}

// tooManyValid returns when the first of a device's certificates ends, where more of them are valid than its renewals explain: nil otherwise.
// Somebody with a copy of its key could renew so often that the status forgets the certificate that the device itself has, and would not
// be noticed by it.
func (j *judgement) tooManyValid() (first *metav1.Time) {
	newest := access.Listed(&j.Status, j.device.Fingerprint)
	if j.enrols || newest == nil || newest.NotBefore == nil || newest.NotAfter == nil {
		return nil
	}
	lifetime := newest.NotAfter.Sub(newest.NotBefore.Time)
	interval := lifetime
	if renewal := j.device.RenewalTime; renewal != nil {
		interval = renewal.Sub(newest.NotBefore.Time)
	}
	most, valid := min(int(lifetime/max(interval, rules.MinimumInterval))+spareCertificates, mostValid), 0
	for i := range j.Status.Certificates {
		c := &j.Status.Certificates[i]
		if c.Device != j.deviceName || c.Revision < j.device.EnrolledRevision || c.NotAfter == nil || !j.Now.Before(c.NotAfter.Time) {
			continue
		}
		valid++
		if first == nil || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	if valid < most {
		return nil
	}
	return first
}

func tooMany(j *judgement) *Decision {
	if !j.enrols {
		return nil
	}
	most := MaxDevices(&j.Identity.Spec)
	var names []string
	for i := range j.Status.Devices {
		if d := &j.Status.Devices[i]; d.Name != j.deviceName && (j.inUse(d) || j.open(d)) {
			names = append(names, d.Name)
		}
	}
	if len(names) < most {
		return nil
	}
	return deny(ReasonTooManyDevices, "ClientIdentity %q has %d devices (%s), and spec.maxDevices is %d: have one revoked, or maxDevices raised",
		j.Identity.Name, len(names), strings.Join(names, ", "), most)
}

// MaxDevices returns on how many devices a holder may have a valid certificate at a time.
func MaxDevices(spec *v1alpha1.ClientIdentitySpec) int {
	if spec.MaxDevices != nil {
		return int(*spec.MaxDevices)
	}
	return DefaultMaxDevices
}

// inUse says whether the newest certificate of a device is valid and not revoked. That of a suspended one is, too, but its name may be taken again.
func (j *judgement) inUse(d *v1alpha1.Device) bool { return InUse(j.Identity, &j.Status, d, j.Now) }

// InUse says whether a device has a valid certificate that is not revoked, and is not suspended.
func InUse(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, d *v1alpha1.Device, now time.Time) bool {
	if d.State != v1alpha1.DeviceActive || d.NotAfter == nil || !now.Before(d.NotAfter.Time) || DeviceRevoked(identity, status, d) {
		return false
	}
	newest := access.Listed(status, d.Fingerprint)
	return newest == nil || !access.RevokedSince(&identity.Spec, timing.Of(newest.RevokeIssuedBefore))
}

// open says whether an approval was given to a device that has not led to a certificate yet.
func (j *judgement) open(d *v1alpha1.Device) bool { return waits(d, j.Now) }

func waits(d *v1alpha1.Device, now time.Time) bool {
	a := d.Approval
	return a != nil && a.Key != d.Key && a.Time != nil && now.Before(a.Time.Add(openFor))
}
