// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/timing"
)

// Enrolment is what there is to say of the ServiceAccount whose tokens are invitations.
type Enrolment struct {
	// Ref is the one that may be used; nil where there is none.
	Ref *v1alpha1.EnrolmentReference
	// Problem is what stands in the way, or nil.
	Problem *problem.Problem
}

// setEnrolment puts into the status whose tokens are invitations. With another ServiceAccount nothing is to be remembered of the
// invitations that were accepted: none of them is one of this.
func setEnrolment(status *v1alpha1.ClientIdentityStatus, in Input) {
	before, after := status.EnrolmentRef, in.Enrolment.Ref
	if after != nil && (before == nil || before.UID != after.UID) {
		status.Invitations = nil
	}
	status.EnrolmentRef = after
}

// byHolders says whether holders make the keys.
func byHolders(in Input) bool { return in.Identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder }

// enrolmentProblem is what keeps devices from being enrolled, or nil.
func enrolmentProblem(in Input) *problem.Problem {
	return cmp.Or(in.Credential.Problem, in.Enrolment.Problem, in.Devices.Problem)
}

// canEnrol says whether a device can be enrolled: that is all that can be done before its holder does something.
func canEnrol(in Input) bool {
	return in.Credential.UpToDate && in.Enrolment.Ref != nil && !hindered(enrolmentProblem(in))
}

// enrolmentState returns reason and message of the condition CertificateIssued while no device has a certificate.
func enrolmentState(status *v1alpha1.ClientIdentityStatus, in Input) (reason, message string) {
	if p := enrolmentProblem(in); p != nil {
		return p.Reason, p.Message
	}
	if !canEnrol(in) {
		return v1alpha1.ReasonPending, "what devices need to enrol is being made"
	}
	message = "No device has a valid certificate: invite one, with kubectl clientidentity invite"
	if last := lastEnded(status, in.Now); last != nil {
		message = fmt.Sprintf("%s; the last one, of device %q, ended at %s", message, last.Name, timing.Stamp(last.NotAfter.Time))
	}
	return v1alpha1.ReasonReadyToEnroll, message
}
