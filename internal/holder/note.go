// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/history"
	"github.com/clientidentity/operator/internal/text"
)

// Note writes an approval into a status, before it is given.
func Note(status *v1alpha1.ClientIdentityStatus, a Approval, now time.Time) {
	at := &metav1.Time{Time: now.Truncate(time.Second)}
	d := deviceOf(status, a.Device)
	if d == nil {
		status.Devices = append(status.Devices, v1alpha1.Device{Name: a.Device})
		slices.SortFunc(status.Devices, byName)
		d = deviceOf(status, a.Device)
	}
	repeated := d.Approval != nil && d.Approval.Credential == a.Value.Credential && d.Approval.Key == a.Value.Key
	if a.Enrols && !repeated {
		// What the device had before entitles to nothing any more: its next certificate is the first one.
		*d = v1alpha1.Device{
			Name: a.Device, State: v1alpha1.DeviceActive, EnrolledAt: at, EnrolledBy: text.Shorten(a.By, maxRequestedBy), EnrolledRevision: NextRevision(status),
		}
	}
	value := a.Value
	value.Time = at
	d.Approval = &value
	if a.InvitationID == "" || slices.ContainsFunc(status.Invitations, func(i v1alpha1.AcceptedInvitation) bool { return i.ID == a.InvitationID }) {
		return
	}
	status.Invitations = append(status.Invitations, v1alpha1.AcceptedInvitation{ID: a.InvitationID, Device: a.Device, Time: at})
}

func byName(a, b v1alpha1.Device) int {
	if a.Name < b.Name {
		return -1
	}
	return 1
}

// NextRevision returns the revision of the next certificate that is issued.
func NextRevision(status *v1alpha1.ClientIdentityStatus) int64 {
	return history.LastRevision(status) + 1
}

// Suspend keeps a device from renewing until it is enrolled again.
func Suspend(status *v1alpha1.ClientIdentityStatus, device, message string) {
	if d := deviceOf(status, device); d != nil {
		d.State, d.Message = v1alpha1.DeviceSuspended, message
	}
}
