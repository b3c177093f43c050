// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// defaultMaxDevices is spec.maxDevices where it is not set.
const defaultMaxDevices = 5

// selection is which identities somebody asks for. All of it must be true of one.
type selection struct {
	expiring Days
	notReady bool
	issuer   string
}

// of returns those that are asked for, by name, or the one that ends first where ends are asked for.
func (s selection) of(all []v1alpha1.ClientIdentity, now time.Time) []v1alpha1.ClientIdentity {
	chosen := make([]v1alpha1.ClientIdentity, 0, len(all))
	for i := range all {
		id := &all[i]
		end := nextEnd(id)
		switch {
		case s.expiring > 0 && (end.IsZero() || end.After(now.Add(time.Duration(s.expiring)))):
		case s.notReady && (id.Status.State == v1alpha1.ObservedReady || id.Status.State == v1alpha1.ObservedWithdrawn):
		case s.issuer != "" && !issuedBy(id, s.issuer):
		default:
			chosen = append(chosen, *id)
		}
	}
	slices.SortStableFunc(chosen, func(a, b v1alpha1.ClientIdentity) int {
		if s.expiring > 0 {
			return cmp.Or(nextEnd(&a).Compare(nextEnd(&b)), cmp.Compare(a.Name, b.Name))
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return chosen
}

// nextEnd returns when the published certificate ends, or the first newest one of a device that may renew it; zero where there is none.
func nextEnd(id *v1alpha1.ClientIdentity) time.Time {
	return first(id, func(d *v1alpha1.Device) time.Time { return timing.Value(d.NotAfter) },
		func(c *v1alpha1.CertificateStatus) time.Time { return timing.Value(c.NotAfter) })
}

// nextRenewal returns when the next certificate is to be renewed; zero where none is.
func nextRenewal(id *v1alpha1.ClientIdentity) time.Time {
	return first(id, func(d *v1alpha1.Device) time.Time { return timing.Value(d.RenewalTime) },
		func(c *v1alpha1.CertificateStatus) time.Time { return timing.Value(c.RenewalTime) })
}

// first returns the earliest time of an identity's devices, or that of its published certificate.
func first(id *v1alpha1.ClientIdentity, ofDevice func(*v1alpha1.Device) time.Time, ofCertificate func(*v1alpha1.CertificateStatus) time.Time) time.Time {
	if id.Status.State == v1alpha1.ObservedWithdrawn {
		return time.Time{}
	}
	if id.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		if id.Status.Certificate == nil {
			return time.Time{}
		}
		return ofCertificate(id.Status.Certificate)
	}
	var earliest time.Time
	for i := range id.Status.Devices {
		device := &id.Status.Devices[i]
		if t := ofDevice(device); active(device) && !t.IsZero() && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	return earliest
}

// active says whether a device may renew.
func active(d *v1alpha1.Device) bool { return d.State == v1alpha1.DeviceActive || d.State == "" }

// validDevices counts devices that are active and have a valid certificate.
func validDevices(id *v1alpha1.ClientIdentity, now time.Time) int {
	count := 0
	for i := range id.Status.Devices {
		if d := &id.Status.Devices[i]; active(d) && d.NotAfter != nil && d.NotAfter.After(now) {
			count++
		}
	}
	return count
}

func maxDevices(id *v1alpha1.ClientIdentity) int32 {
	if id.Spec.MaxDevices == nil {
		return defaultMaxDevices
	}
	return *id.Spec.MaxDevices
}

// issuedBy says whether a CA with that in its name issued the published certificate, or one that the status lists.
func issuedBy(id *v1alpha1.ClientIdentity, issuer string) bool {
	if id.Status.Certificate != nil && strings.Contains(id.Status.Certificate.Issuer, issuer) {
		return true
	}
	return slices.ContainsFunc(id.Status.Certificates, func(c v1alpha1.IssuedCertificate) bool { return strings.Contains(c.Issuer, issuer) })
}

// issuerOf names the CA of the newest certificate.
func issuerOf(id *v1alpha1.ClientIdentity) string {
	if id.Status.Certificate != nil {
		return id.Status.Certificate.Issuer
	}
	if len(id.Status.Certificates) > 0 {
		return id.Status.Certificates[0].Issuer
	}
	return ""
}
