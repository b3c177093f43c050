// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/history"
	rules "github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/text"
	"github.com/clientidentity/operator/internal/timing"
)

// Change is one thing that a pass found out about devices. Exactly one of its fields is set.
type Change struct {
	// Approval is to be given, once the API server has it.
	Approval *Approval
	// Suspension is of a device whose key somebody else has a copy of.
	Suspension *Suspension
	// Issued is a certificate that was issued.
	Issued *Issued
}

// Suspension is of a device whose key somebody else has a copy of.
type Suspension struct{ Device, Message string }

// Issued is a certificate that was issued for a request that is about an identity.
type Issued struct {
	Certificate *certificate.Issued
	// Device is the device that the request names; empty where the certificate is another one than was asked for.
	Device string
	// RequestedBy is who made the request, and RequestTime when.
	RequestedBy string
	RequestTime time.Time
	// RequestedTTL is the lifetime that was asked for.
	RequestedTTL time.Duration
}

// Apply writes a change into a status.
func Apply(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, c Change, now time.Time) {
	switch {
	case c.Approval != nil:
		makeRoom(identity, status, c.Approval.Device, now)
		Note(status, *c.Approval, now)
	case c.Suspension != nil:
		Suspend(status, c.Suspension.Device, c.Suspension.Message)
	case c.Issued != nil:
		record(identity, status, *c.Issued, now)
	}
}

// Published returns the status without its certificate where that is a device's, or where devices have certificates: none of them is
// published.
func Published(identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus) v1alpha1.ClientIdentityStatus {
	if status.Certificate == nil {
		return status
	}
	listed := access.Listed(&status, status.Certificate.Fingerprint)
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder || (listed != nil && listed.Device != "") {
		status.Certificate = nil
	}
	return status
}

// MaxInvitations bounds status.invitations: the ServiceAccount of invitations is made anew where there are as many.
const MaxInvitations = 64

const (
	// maxDevices bounds status.devices.
	maxDevices = 20
	// maxGroups and maxGroup bound the groups of a certificate in the status, and the characters of each.
	maxGroups, maxGroup = 64, 64
	// maxRequestedBy bounds certificates[].requestedBy and devices[].enrolledBy, in bytes.
	maxRequestedBy = 512
)

// Room says whether the status has room for an approval. There is none for an invitation more until the ServiceAccount is made anew.
func Room(status *v1alpha1.ClientIdentityStatus, a Approval) bool {
	return a.InvitationID == "" || len(status.Invitations) < MaxInvitations ||
		slices.ContainsFunc(status.Invitations, func(i v1alpha1.AcceptedInvitation) bool { return i.ID == a.InvitationID })
}

// makeRoom drops devices where there is none for another one: those that ended first, and suspended ones last, since they are to be
// told of.
func makeRoom(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, wanted string, now time.Time) {
	for deviceOf(status, wanted) == nil && len(status.Devices) >= maxDevices {
		first := -1
		for i := range status.Devices {
			d := &status.Devices[i]
			if !InUse(identity, status, d, now) && !waits(d, now) && (first < 0 || endsBefore(d, &status.Devices[first])) {
				first = i
			}
		}
		if first < 0 {
			return // more are in use than are let be
		}
		status.Devices = slices.Delete(status.Devices, first, first+1)
	}
}

func endsBefore(a, b *v1alpha1.Device) bool {
	suspended := func(d *v1alpha1.Device) bool { return d.State == v1alpha1.DeviceSuspended }
	switch {
	case suspended(a) != suspended(b):
		return suspended(b)
	case a.NotAfter == nil || b.NotAfter == nil:
		return a.NotAfter == nil && b.NotAfter != nil
	}
	return a.NotAfter.Before(b.NotAfter)
}

// record writes an issued certificate into a status. It is a device's where its key is one that the device was approved with.
func record(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, issued Issued, now time.Time) {
	c := issued.Certificate
	key, err := certificate.KeyHash(c.Certificate.PublicKey)
	if err != nil {
		key = "" // of no kind that a device may have
	}
	entry := v1alpha1.IssuedCertificate{
		Revision: NextRevision(status), Fingerprint: c.Fingerprint(), SerialNumber: c.SerialNumber(), Groups: groupsIn(c), Issuer: c.Issuer(),
		NotBefore: &metav1.Time{Time: c.NotBefore()}, NotAfter: &metav1.Time{Time: c.NotAfter()}, Key: key,
		RequestedBy: text.Shorten(issued.RequestedBy, maxRequestedBy), RevokeIssuedBefore: revocationIn(c, identity),
	}
	device := deviceOf(status, issued.Device)
	if device != nil && key != "" && (device.Key == key || (device.Approval != nil && device.Approval.Key == key)) {
		entry.Device = device.Name
		advance(identity, device, access.Listed(status, device.Fingerprint), entry, issued)
	}
	history.RememberDevice(status, entry, now)
	if status.OutstandingUntil == nil || status.OutstandingUntil.Time.Before(c.NotAfter()) {
		status.OutstandingUntil = &metav1.Time{Time: c.NotAfter()}
	}
}

// advance makes a certificate the newest one of its device. A request that was made again for the same key may be answered earlier
// than the first one: the certificate that ends last is the newest then.
func advance(identity *v1alpha1.ClientIdentity, device *v1alpha1.Device, before *v1alpha1.IssuedCertificate, entry v1alpha1.IssuedCertificate, issued Issued) {
	if device.Key == entry.Key && device.NotAfter != nil && entry.NotAfter.Before(device.NotAfter) {
		return
	}
	device.Fingerprint, device.Revision, device.NotAfter, device.Key = entry.Fingerprint, entry.Revision, entry.NotAfter, entry.Key
	device.RenewalTime = nil
	if at := renewalTime(identity, before, entry, issued); !at.IsZero() {
		device.RenewalTime = &metav1.Time{Time: at}
	}
}

// renewalTime returns when a device renews a certificate; the zero time where that would gain none. The device computes the same time:
// for both, the certificate was asked for when the API server says that the request was created.
func renewalTime(identity *v1alpha1.ClientIdentity, before *v1alpha1.IssuedCertificate, entry v1alpha1.IssuedCertificate, issued Issued) time.Time {
	in := rules.Input{Policy: rules.PolicyOf(&identity.Spec), AccessUntil: timing.Of(identity.Spec.AccessUntil)}
	var previous *rules.Validity
	if before != nil {
		previous = rules.EarlierValidity([]v1alpha1.IssuedCertificate{*before}, 0)
	}
	validity := rules.Validity{
		NotBefore: entry.NotBefore.Time, NotAfter: entry.NotAfter.Time, RequestTime: issued.RequestTime, Requested: issued.RequestedTTL,
	}
	return rules.ScheduleOf(in, validity, previous, string(identity.UID)+"/"+entry.SerialNumber).RenewalTime
}

// groupsIn returns the groups in a certificate that the status has room for: whatever a signer issued.
func groupsIn(c *certificate.Issued) []string {
	groups := slices.DeleteFunc(c.Subject().Groups, func(group string) bool { return len([]rune(group)) > maxGroup })
	return groups[:min(len(groups), maxGroups)]
}

// revocationIn returns the revokeIssuedBefore that a certificate was asked with: its credential group says so.
func revocationIn(c *certificate.Issued, identity *v1alpha1.ClientIdentity) *metav1.Time {
	for _, group := range c.Subject().Groups {
		uid, seconds, ok := certificate.ParseCredentialGroup(group)
		if ok && uid == certificate.UIDKey(string(identity.UID)) && seconds > 0 {
			return &metav1.Time{Time: time.Unix(seconds, 0).UTC()}
		}
	}
	return nil
}
