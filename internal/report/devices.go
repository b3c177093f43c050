// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/history"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/text"
	"github.com/clientidentity/operator/internal/timing"
)

// Devices is what there is to say of the requests that holders made.
type Devices struct {
	// Changes are what was found out of devices.
	Changes []holder.Change
	// Problem is what stands in the way, or nil.
	Problem *problem.Problem
}

// LeftAlone is a request that is not to be approved, and that the operator may not deny.
type LeftAlone struct{ Name, SignerName, Message string }

// Events of what no status tells.
const (
	eventEnrolled  = "Enrolled"
	eventLeftAlone = "RequestLeftAlone"
	eventUnknown   = "UnknownCertificate"

	actionDecide = "Decide"
)

// Event returns the event that tells of it.
func (l LeftAlone) Event() Event {
	return Event{corev1.EventTypeWarning, eventLeftAlone, actionDecide, text.Shorten(fmt.Sprintf(
		"CertificateSigningRequest %q is not approved, and the operator may not deny requests for signer %q: %s", l.Name, l.SignerName, l.Message), maxNote)}
}

// applyDevices writes what was found out of devices into the status.
func applyDevices(status *v1alpha1.ClientIdentityStatus, changes []holder.Change, identity *v1alpha1.ClientIdentity, now time.Time) {
	for _, change := range changes {
		holder.Apply(identity, status, change, now)
	}
	if identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		// What they have goes on until it ends, and nothing renews.
		status.Devices = slices.DeleteFunc(status.Devices, func(d v1alpha1.Device) bool { return history.Over(d.NotAfter, now) })
	}
	for i := range status.Devices {
		setRevoked(identity, status, &status.Devices[i])
	}
}

// setRevoked says that a device is revoked. It stays so, whatever becomes of the spec, until it is enrolled again.
func setRevoked(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, d *v1alpha1.Device) {
	if d.State == v1alpha1.DeviceRevoked || d.Fingerprint == "" {
		return
	}
	newest := access.Listed(status, d.Fingerprint)
	switch {
	case holder.DeviceRevoked(identity, status, d):
		d.State, d.Message = v1alpha1.DeviceRevoked, "one of its certificates is among spec.revokedCertificates"
	case newest != nil && access.RevokedSince(&identity.Spec, timing.Of(newest.RevokeIssuedBefore)):
		d.State, d.Message = v1alpha1.DeviceRevoked, fmt.Sprintf("its certificates are from before spec.revokeIssuedBefore (%s)", timing.Stamp(identity.Spec.RevokeIssuedBefore.Time))
	}
}

// inUse returns the devices that have a valid certificate, which is neither revoked nor suspended.
func inUse(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, now time.Time) []*v1alpha1.Device {
	var devices []*v1alpha1.Device
	for i := range status.Devices {
		if d := &status.Devices[i]; holder.InUse(identity, status, d, now) {
			devices = append(devices, d)
		}
	}
	return devices
}

// longest returns the device in use whose certificate ends last, or nil.
func longest(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, now time.Time) *v1alpha1.Device {
	devices := inUse(identity, status, now)
	if len(devices) == 0 {
		return nil
	}
	return slices.MaxFunc(devices, func(a, b *v1alpha1.Device) int { return a.NotAfter.Compare(b.NotAfter.Time) })
}

// setDeviceCertificate lets the status tell of the certificate that ends last of those of devices, where it tells of a published one
// otherwise.
func setDeviceCertificate(status *v1alpha1.ClientIdentityStatus, before *v1alpha1.CertificateStatus, in Input) {
	status.Certificate = nil
	device := longest(in.Identity, status, in.Now)
	if device == nil {
		return
	}
	if before != nil && before.Fingerprint == device.Fingerprint {
		status.Certificate = before.DeepCopy()
	} else {
		status.Certificate = deviceCertificate(status, device, in)
		if before == nil || status.PublishedSince == nil {
			status.PublishedSince = &metav1.Time{Time: in.Now.Truncate(time.Second)}
		}
	}
	status.Certificate.RenewalTime = device.RenewalTime.DeepCopy()
}

func deviceCertificate(status *v1alpha1.ClientIdentityStatus, device *v1alpha1.Device, in Input) *v1alpha1.CertificateStatus {
	c := &v1alpha1.CertificateStatus{Fingerprint: device.Fingerprint, NotAfter: device.NotAfter.DeepCopy(), Revision: device.Revision}
	if listed := access.Listed(status, device.Fingerprint); listed != nil {
		c.SerialNumber, c.Issuer, c.NotBefore, c.RevokeIssuedBefore = listed.SerialNumber, listed.Issuer, listed.NotBefore.DeepCopy(), listed.RevokeIssuedBefore.DeepCopy()
	}
	for _, change := range in.Devices.Changes {
		if issued := change.Issued; issued != nil && issued.Certificate.Fingerprint() == device.Fingerprint {
			c.AuthorityKeyID = issued.Certificate.AuthorityKeyID()
			c.RequestTime = &metav1.Time{Time: issued.RequestTime}
			if issued.RequestedTTL > 0 {
				c.RequestedTTL = &metav1.Duration{Duration: issued.RequestedTTL}
			}
		}
	}
	return c
}

// deviceState returns reason and message of the condition CertificateIssued where a device has a valid certificate.
func deviceState(status *v1alpha1.ClientIdentityStatus, in Input) (reason, message string) {
	var names []string
	for _, d := range inUse(in.Identity, status, in.Now) {
		names = append(names, d.Name)
	}
	message = fmt.Sprintf("Certificates are valid on %d of %d devices (%s), the last of them until %s",
		len(names), holder.MaxDevices(&in.Identity.Spec), strings.Join(names, ", "), timing.Stamp(status.Certificate.NotAfter.Time))
	if p := enrolmentProblem(in); p != nil {
		return p.Reason, text.Shorten(p.Message+"; "+message, problem.MaxMessage)
	}
	return v1alpha1.ReasonIssued, text.Shorten(message, problem.MaxMessage)
}

// lastEnded returns the device whose certificate ended last, where none is valid; nil where there was none.
func lastEnded(status *v1alpha1.ClientIdentityStatus, now time.Time) *v1alpha1.Device {
	var last *v1alpha1.Device
	for i := range status.Devices {
		d := &status.Devices[i]
		if d.State == v1alpha1.DeviceActive && d.NotAfter != nil && !now.Before(d.NotAfter.Time) && (last == nil || last.NotAfter.Before(d.NotAfter)) {
			last = d
		}
	}
	return last
}

// hindered says whether no device is given a certificate. That one waits for its signer, or failed there, says nothing of others.
func hindered(p *problem.Problem) bool {
	return p != nil && p.Reason != v1alpha1.ReasonPending && p.Reason != v1alpha1.ReasonSignerFailed
}

func readyReason(valid bool) string {
	if valid {
		return v1alpha1.ReasonReady
	}
	return v1alpha1.ReasonReadyToEnroll
}

// setReused says whether copies of keys of devices are in use.
func setReused(status *v1alpha1.ClientIdentityStatus, generation int64, name string) {
	var suspended []string
	for i := range status.Devices {
		if d := &status.Devices[i]; d.State == v1alpha1.DeviceSuspended {
			suspended = append(suspended, fmt.Sprintf("device %q: %s", d.Name, d.Message))
		}
	}
	if len(suspended) == 0 {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionCredentialReused)
		return
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionCredentialReused, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeviceSuspended, ObservedGeneration: generation,
		Message: text.Shorten(fmt.Sprintf("%s. Nothing renews there: revoke it (kubectl clientidentity revoke %s --device NAME), or invite it again",
			strings.Join(suspended, "; "), name), problem.MaxMessage),
	})
}

// deviceEvents returns the certificates that devices were issued, and that the key of one was copied, once each.
func deviceEvents(identity *v1alpha1.ClientIdentity, after *v1alpha1.ClientIdentityStatus) []Event {
	before := &identity.Status
	var events []Event
	for i := range after.Devices {
		d := &after.Devices[i]
		c := access.Listed(after, d.Fingerprint)
		if c == nil || access.Listed(before, d.Fingerprint) != nil {
			continue
		}
		reason := eventRenewed
		if d.Revision == firstOf(after, d) {
			reason = eventEnrolled
		}
		if d.State != v1alpha1.DeviceActive && !access.RevokedAlone(&identity.Spec, c.Fingerprint) && !access.RevokedSince(&identity.Spec, timing.Of(c.RevokeIssuedBefore)) {
			events = append(events, Event{corev1.EventTypeWarning, eventUnknown, actionObserve, text.Shorten(fmt.Sprintf(
				"Certificate %s, valid until %s, was being issued to device %q when it was %s: revoke the device again, so that spec.revokedCertificates names it, too",
				c.SerialNumber, timing.Stamp(c.NotAfter.Time), d.Name, strings.ToLower(string(d.State))), maxNote)})
			continue
		}
		events = append(events, Event{corev1.EventTypeNormal, reason, actionIssue, text.Shorten(fmt.Sprintf("Device %q has certificate %s, valid until %s, which %s asked for",
			d.Name, c.SerialNumber, timing.Stamp(c.NotAfter.Time), c.RequestedBy), maxNote)})
	}
	for i := range after.Certificates {
		c := &after.Certificates[i]
		if c.RequestedBy == "" || c.Device != "" || access.Listed(before, c.Fingerprint) != nil {
			continue
		}
		events = append(events, Event{corev1.EventTypeWarning, eventUnknown, actionObserve, text.Shorten(fmt.Sprintf(
			"Certificate %s, valid until %s, was issued to %s and is none of a device: it renews nothing; if nobody knows of it, put %s into spec.revokedCertificates",
			c.SerialNumber, timing.Stamp(c.NotAfter.Time), c.RequestedBy, c.Fingerprint), maxNote)})
	}
	was, is := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionCredentialReused), meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionCredentialReused)
	if is != nil && (was == nil || was.Message != is.Message) {
		events = append(events, Event{corev1.EventTypeWarning, is.Reason, actionRevoke, note(is)})
	}
	return events
}

// firstOf returns the revision of the first certificate since a device was enrolled.
func firstOf(status *v1alpha1.ClientIdentityStatus, d *v1alpha1.Device) int64 {
	first := d.Revision
	for i := range status.Certificates {
		if c := &status.Certificates[i]; c.Device == d.Name && c.Revision >= d.EnrolledRevision {
			first = min(first, c.Revision)
		}
	}
	return first
}
