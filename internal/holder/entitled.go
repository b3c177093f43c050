// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"slices"
	"strings"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

// renewal looks at a request of the identity's own user: it is entitled by the newest certificate of its device, and by nothing else
// that the user may be.
func renewal(j *judgement) *Decision {
	if j.Maker.Username != j.Identity.Spec.Username {
		return nil
	}
	fingerprint := j.Maker.fingerprint()
	used := access.Listed(&j.Status, fingerprint)
	switch {
	case fingerprint == "":
		return deny(ReasonCredentialUnknown, "the request was not made with a client certificate: whoever impersonates %q cannot renew; "+
			"enroll with an invitation", j.Identity.Spec.Username)
	case used == nil || j.device == nil || used.Device != j.deviceName:
		return deny(ReasonCredentialUnknown, "the certificate that the request was made with (SHA-256 %s) is none of device %q: "+
			"a device renews its own certificate; enroll a new one with an invitation", fingerprint, j.deviceName)
	case !containsAll(j.Maker.Groups, used.Groups):
		return deny(ReasonCredentialUnknown, "the maker of the request has not the groups of the certificate that it names: whoever impersonates %q cannot renew; "+
			"enroll with an invitation", j.Identity.Spec.Username)
	case used.Revision < j.device.EnrolledRevision:
		return deny(ReasonCredentialUnknown, "the certificate that the request was made with is from before device %q was enrolled again: "+
			"enroll with an invitation", j.deviceName)
	case used.NotAfter == nil || !j.Now.Before(used.NotAfter.Time):
		return deny(ReasonCredentialExpired, "the certificate that the request was made with has ended: enroll with an invitation")
	case j.revoked(used):
		return deny(ReasonCredentialRevoked, "device %q is revoked: ask an administrator of this cluster for an invitation", j.deviceName)
	case j.spent(used):
		decision := deny(ReasonCredentialReused, "the certificate that the request was made with was renewed already, with another key: somebody has a copy of "+
			"the key of device %q, which is suspended; ask an administrator of this cluster for an invitation", j.deviceName)
		decision.Suspend = true
		return decision
	case j.device.State == v1alpha1.DeviceSuspended:
		return deny(ReasonDeviceSuspended, "device %q is suspended, since a copy of its key is in use: ask an administrator of this cluster for an invitation", j.deviceName)
	}
	j.entitled = true
	return nil
}

// containsAll says whether each of some groups is among all. Whoever impersonates may add the identifier of somebody's certificate, and has none
// of its groups by that.
func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(group string) bool { return !slices.Contains(all, group) })
}

// revoked says whether a certificate is revoked, or any other one that its device got since it was enrolled: whoever holds one of them may hold all.
func (j *judgement) revoked(used *v1alpha1.IssuedCertificate) bool {
	return j.device.State == v1alpha1.DeviceRevoked || DeviceRevoked(j.Identity, &j.Status, j.device) ||
		access.RevokedSince(&j.Identity.Spec, timing.Of(used.RevokeIssuedBefore))
}

// spent says whether a certificate was used to renew to another key than that of this request. A device that was cut off goes on with the key
// that it has kept, and may have got several certificates for it: what counts is whose key is whose.
func (j *judgement) spent(used *v1alpha1.IssuedCertificate) bool {
	spentOn := j.spentOn(used)
	if used.Fingerprint == j.device.Fingerprint || (used.Key != "" && used.Key == j.device.Key) {
		return spentOn != "" && spentOn != j.key
	}
	return spentOn != j.key
}

// spentOn returns the key that was approved last for who has the key of a certificate, or "".
func (j *judgement) spentOn(used *v1alpha1.IssuedCertificate) string {
	a := j.device.Approval
	if a == nil {
		return ""
	}
	with := access.Listed(&j.Status, strings.TrimPrefix(a.Credential, fingerprintPrefix))
	if a.Credential == fingerprintPrefix+used.Fingerprint || (with != nil && with.Key != "" && with.Key == used.Key) {
		return a.Key
	}
	return ""
}

// DeviceRevoked says whether the spec revokes a certificate that a device got since it was enrolled.
func DeviceRevoked(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, device *v1alpha1.Device) bool {
	if device.Fingerprint != "" && access.RevokedAlone(&identity.Spec, device.Fingerprint) {
		return true
	}
	return slices.ContainsFunc(status.Certificates, func(c v1alpha1.IssuedCertificate) bool {
		return c.Device == device.Name && c.Revision >= device.EnrolledRevision && access.RevokedAlone(&identity.Spec, c.Fingerprint)
	})
}

// invitation looks at a request that was made with a token of the enrolment ServiceAccount.
func invitation(j *judgement) *Decision {
	if j.entitled || j.Maker.Username != j.enroller() {
		return nil
	}
	id := j.Maker.token()
	switch {
	case id == "":
		return deny(ReasonNotEntitled, "the request was not made with a token: whoever impersonates the ServiceAccount is not invited")
	case j.EnrolmentUID == "" || j.Maker.UID != string(j.EnrolmentUID):
		return deny(ReasonInvitationUsed, "the invitation is from before the ServiceAccount %q was made anew: ask for another one", j.enroller())
	}
	used := slices.IndexFunc(j.Status.Invitations, func(i v1alpha1.AcceptedInvitation) bool { return i.ID == id })
	if used >= 0 && (!j.sameAcceptance(id) || j.stopped()) {
		return deny(ReasonInvitationUsed, "the invitation was accepted already, for device %q: each one is for one device, so ask for another one",
			j.Status.Invitations[used].Device)
	}
	j.entitled, j.enrols, j.invitation = true, true, id
	return nil
}

// sameAcceptance says whether an invitation was accepted for the same device and the same key: a device that was cut off goes on.
func (j *judgement) sameAcceptance(id string) bool {
	return j.device != nil && j.device.Approval != nil && j.device.Approval.Credential == tokenPrefix+id && j.device.Approval.Key == j.key
}

// stopped says whether the device was revoked or suspended since it was enrolled: what enrolled it then does not enrol it again.
func (j *judgement) stopped() bool {
	return j.device.State != v1alpha1.DeviceActive || DeviceRevoked(j.Identity, &j.Status, j.device)
}

// administrator looks at everybody else: who may impersonate the user and its groups can have all that a certificate gives. With bindTo:
// Credential the credential group is one of them.
func administrator(j *judgement) *Decision {
	switch {
	case j.entitled:
		return nil
	case j.MayImpersonate == nil:
		return &Decision{Verdict: AskImpersonation}
	case !*j.MayImpersonate:
		return deny(ReasonNotEntitled, "%q may not ask for a certificate of ClientIdentity %q: that takes an invitation, the newest certificate of the device, "+
			"or the right to impersonate the user and each of its groups%s", j.Maker.Username, j.Identity.Name, j.withCredentialGroup())
	}
	j.entitled, j.enrols = true, true
	return nil
}

// withCredentialGroup says that the credential group is among the groups of the user where bindings name it.
func (j *judgement) withCredentialGroup() string {
	if j.Identity.Spec.BindTo == v1alpha1.BindToCredential {
		return ", its credential group included (bindTo: Credential)"
	}
	return ""
}
