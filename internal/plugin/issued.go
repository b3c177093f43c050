// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strconv"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

// certificateRows returns the certificates that the operator published and that are still valid.
func certificateRows(id *v1alpha1.ClientIdentity, now time.Time) [][]Cell {
	var rows [][]Cell
	for i := range id.Status.Certificates {
		c := &id.Status.Certificates[i]
		renews := none
		if published := id.Status.Certificate; published != nil && published.Fingerprint == c.Fingerprint {
			renews = orNone(relative(timing.Value(published.RenewalTime), now))
		}
		rows = append(rows, []Cell{
			{Text: strconv.FormatInt(c.Revision, 10)}, expiryCell(timing.Value(c.NotAfter), now), {Text: renews},
			standingOf(id, c, now), {Text: c.Fingerprint},
		})
	}
	return rows
}

// standingOf says what a certificate is good for.
func standingOf(id *v1alpha1.ClientIdentity, c *v1alpha1.IssuedCertificate, now time.Time) Cell {
	switch {
	case c.NotAfter != nil && !c.NotAfter.After(now):
		return Cell{Text: "expired", Style: Faint}
	case access.RevokedAlone(&id.Spec, c.Fingerprint) || access.RevokedSince(&id.Spec, timing.Of(c.RevokeIssuedBefore)):
		return Cell{Text: "revoked", Style: Warn}
	case access.End(id, now) != nil || c.Withdrawn:
		return Cell{Text: "withdrawn", Style: Warn}
	case id.Status.Certificate != nil && id.Status.Certificate.Fingerprint == c.Fingerprint:
		return Cell{Text: "published", Style: Good}
	}
	return Cell{Text: "replaced, still valid"}
}

// deviceRows returns the devices of the holder with their newest certificates, and before them earlier ones that are still valid.
func deviceRows(id *v1alpha1.ClientIdentity, now time.Time) [][]Cell {
	var rows [][]Cell
	for i := range id.Status.Devices {
		d := &id.Status.Devices[i]
		rows = append(rows, []Cell{
			{Text: d.Name}, {Text: strconv.FormatInt(d.Revision, 10)}, expiryCell(timing.Value(d.NotAfter), now),
			{Text: renewsText(d, now)}, standingOfDevice(id, d, now), {Text: orNone(d.Fingerprint)},
		})
		for j := range id.Status.Certificates {
			c := &id.Status.Certificates[j]
			if c.Device == d.Name && c.Fingerprint != d.Fingerprint {
				rows = append(rows, []Cell{
					{}, {Text: strconv.FormatInt(c.Revision, 10)}, expiryCell(timing.Value(c.NotAfter), now), {Text: none}, standingOf(id, c, now), {Text: c.Fingerprint},
				})
			}
		}
	}
	return rows
}

func renewsText(d *v1alpha1.Device, now time.Time) string {
	if !active(d) || d.RenewalTime == nil || !timing.Value(d.NotAfter).After(now) {
		return none
	}
	if !d.RenewalTime.After(now) {
		return "due"
	}
	return When(d.RenewalTime.Time, now)
}

// standingOfDevice says whether a device can go on.
func standingOfDevice(id *v1alpha1.ClientIdentity, d *v1alpha1.Device, now time.Time) Cell {
	switch {
	case d.State == v1alpha1.DeviceSuspended:
		return Cell{Text: "Suspended", Style: Bad}
	case d.State == v1alpha1.DeviceRevoked:
		return Cell{Text: "Revoked", Style: Warn}
	case access.End(id, now) != nil:
		return Cell{Text: "withdrawn", Style: Warn}
	case !timing.Value(d.NotAfter).After(now):
		return Cell{Text: "expired", Style: Faint}
	}
	return Cell{Text: string(v1alpha1.DeviceActive), Style: Good}
}
