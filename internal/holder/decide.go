// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
)

// CredentialIDKey is where the API server says, in the extra of whoever makes a request, with which credential that was done
// (k8s.io/apiserver, pkg/authentication/user.CredentialIDKey).
const CredentialIDKey = "authentication.kubernetes.io/credential-id"

// What credential identifiers begin with.
const (
	fingerprintPrefix = "X509SHA256="
	tokenPrefix       = "JTI="

	// maxCredential bounds devices[].approval.credential, in bytes.
	maxCredential = 128
)

// Maker is who made a request, as the API server wrote it into its spec. Nobody can change that.
type Maker struct {
	Username, UID string
	Groups        []string
	// CredentialID is X509SHA256=<fingerprint>, JTI=<identifier of a token>, or empty, as for somebody who impersonates.
	CredentialID string
}

// Request is a CertificateSigningRequest, as far as a decision looks at it.
type Request struct {
	Name  string
	UID   types.UID
	Label string
	// SignerName, Usages, ExpirationSeconds and PEM are what it asks for.
	SignerName        string
	Usages            []certificatesv1.KeyUsage
	ExpirationSeconds *int32
	PEM               []byte
	Maker             Maker
}

// RequestOf returns what a decision looks at.
func RequestOf(csr *certificatesv1.CertificateSigningRequest) Request {
	r := Request{
		Name: csr.Name, UID: csr.UID, Label: csr.Labels[v1alpha1.IdentityLabel],
		SignerName: csr.Spec.SignerName, Usages: csr.Spec.Usages, ExpirationSeconds: csr.Spec.ExpirationSeconds, PEM: csr.Spec.Request,
		Maker: Maker{Username: csr.Spec.Username, UID: csr.Spec.UID, Groups: csr.Spec.Groups},
	}
	// Two identifiers are of two credentials, of which one may have been added by somebody who may impersonate.
	if ids := csr.Spec.Extra[CredentialIDKey]; len(ids) == 1 {
		r.Maker.CredentialID = ids[0]
	}
	return r
}

// Known is what a request is judged by.
type Known struct {
	// Identity is as the API server has it, as far as the cache knows, and Status what is known of it.
	Identity *v1alpha1.ClientIdentity
	Status   v1alpha1.ClientIdentityStatus
	Now      time.Time
	// MaxTTL bounds the lifetime; zero does not.
	MaxTTL time.Duration
	// EnrolmentNamespace and EnrolmentUID are of the ServiceAccount whose tokens are invitations; empty where there is none.
	EnrolmentNamespace string
	EnrolmentUID       types.UID
	// MayImpersonate is whether the maker may impersonate the user and each of its groups; nil while nobody has asked.
	MayImpersonate *bool
}

// Verdict is what to do about a request.
type Verdict int

// What to do about a request.
const (
	// Foreign means that it is not about this identity: it is never touched.
	Foreign Verdict = iota
	// Denied means that it is to be denied, for Reason and with Message.
	Denied
	// AskImpersonation means that the API server is to be asked whether the maker may impersonate the user and each of its groups.
	AskImpersonation
	// Approvable means that Approve is to be written into the status before anything else.
	Approvable
	// Approved means that the API server has that status: the request is to be approved now.
	Approved
)

// Decision is what to do about a request, and why.
type Decision struct {
	Verdict Verdict
	// Reason is one of the constants of this package, and Message continues it for people.
	Reason, Message string
	// Device is the device that it is about; empty where that is not known.
	Device string
	// Suspend says that somebody else has a copy of the device's key.
	Suspend bool
	// Approve is what is to be remembered of an approval.
	Approve *Approval
}

// Approval is what is remembered of an approval before it is given, since what entitles to it counts once.
type Approval struct {
	Device string
	// Enrols says that the device is new, or enrolled again; By is who asked for that.
	Enrols bool
	By     string
	// InvitationID identifies the invitation that is accepted with it; empty where there is none.
	InvitationID string
	Value        v1alpha1.DeviceApproval
}

// check is one thing that is looked at. It returns nil where there is nothing against the request.
type check func(*judgement) *Decision

// checks are what is looked at, in order: the first that finds something is what the maker is told. Who made it comes before what
// it says, so that a copied key is noticed whatever it is used to ask for; the API server is asked last.
var checks = []check{
	foreign, misnamed, notForHolders, ended, otherSigner,
	unreadable, renewal, invitation,
	otherUsages, otherSubject, otherLifetime, otherKey, unsigned,
	administrator,
	deviceTaken, tooOften, tooMany,
}

// judgement is a request, what it is judged by, and what was found out on the way.
type judgement struct {
	Request
	Known
	device *v1alpha1.Device
	// deviceName is what the name of the request says.
	deviceName string
	parsed     *certificate.ForeignRequest
	key        string
	// entitled says that the maker is entitled, and enrols that this makes the device a new one.
	entitled, enrols bool
	invitation       string
}

// Decide returns what to do about a request. Whoever acts on it keeps to this:
//
//   - Requests are found by their label and by their name (ParseRequestName): somebody may have moved the label to another identity.
//   - What is Denied or Approved was decided from the request as the API server has it now, and Approved from the identity as the API
//     server has it now as well: a certificate cannot be taken back.
//   - At most one Approvable of a device is noted in a pass: the next pass judges the others by it.
//   - A certificate is a device's where its key is that of the device's approval, or the device's own already. Any other one (of an
//     approval that was overtaken by another enrolment) is recorded without a device: it entitles to nothing, and can be revoked.
func Decide(r Request, k Known) Decision {
	j := &judgement{Request: r, Known: k}
	for _, check := range checks {
		if decision := check(j); decision != nil {
			decision.Device = j.deviceName
			return *decision
		}
	}
	approval := &Approval{Device: j.deviceName, Enrols: j.enrols, By: r.Maker.Username, InvitationID: j.invitation, Value: v1alpha1.DeviceApproval{
		CertificateSigningRequest: r.Name, UID: r.UID, Credential: j.credential(), Key: j.key,
	}}
	if ours(deviceOf(&k.Identity.Status, j.deviceName), r.UID) && ours(j.device, r.UID) {
		return Decision{Verdict: Approved, Device: j.deviceName, Approve: approval}
	}
	return Decision{Verdict: Approvable, Device: j.deviceName, Approve: approval}
}

// ours says whether the approval that is remembered of a device is that of the request with a UID.
func ours(device *v1alpha1.Device, uid types.UID) bool {
	return device != nil && device.Approval != nil && device.Approval.UID == uid && uid != ""
}

// credential is what entitles once; empty for an administrator, who may ask as often as he likes.
func (j *judgement) credential() string {
	if j.Maker.Username == j.Identity.Spec.Username || j.invitation != "" {
		return j.Maker.CredentialID
	}
	return ""
}

// deny returns a denial.
func deny(reason, format string, args ...any) *Decision {
	return &Decision{Verdict: Denied, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// deviceOf returns the device of that name, or nil.
func deviceOf(status *v1alpha1.ClientIdentityStatus, name string) *v1alpha1.Device {
	i := slices.IndexFunc(status.Devices, func(d v1alpha1.Device) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &status.Devices[i]
}

// foreign finds requests that are not about the identity, whatever label somebody put on them.
func foreign(j *judgement) *Decision {
	identity, device, ok := ParseRequestName(j.Name)
	named := ok && identity == j.Identity.Name
	if named {
		j.deviceName, j.device = device, deviceOf(&j.Status, device)
	}
	byOurs := j.Maker.Username == j.Identity.Spec.Username || j.Maker.Username == j.enroller()
	if named || (byOurs && j.Label == j.Identity.Name && j.SignerName == j.Identity.Spec.SignerName) {
		return nil
	}
	return &Decision{Verdict: Foreign}
}

// enroller is the user name of the ServiceAccount whose tokens are invitations.
func (j *judgement) enroller() string {
	return "system:serviceaccount:" + j.EnrolmentNamespace + ":" + ServiceAccountName(j.Identity.Name)
}

func misnamed(j *judgement) *Decision {
	switch {
	case j.deviceName == "":
		return deny(ReasonNameMismatch, "the name of a request for ClientIdentity %q is %s.<device>.<%d random characters>: "+
			"make another one, as kubectl clientidentity enroll does", j.Identity.Name, j.Identity.Name, randomLength)
	case j.Label != j.Identity.Name:
		return deny(ReasonNameMismatch, "the request is named after ClientIdentity %q, and its label %s says %q: somebody changed it, so make another one",
			j.Identity.Name, v1alpha1.IdentityLabel, j.Label)
	}
	return nil
}

func notForHolders(j *judgement) *Decision {
	if j.Identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		return nil
	}
	return deny(ReasonNotForHolders, "the operator makes the keys of ClientIdentity %q: its kubeconfig is in its Secret (or set privateKey.source to Holder)", j.Identity.Name)
}

func ended(j *judgement) *Decision {
	if end := access.End(j.Identity, j.Now); end != nil {
		return deny(ReasonAccessEnded, "ClientIdentity %q has no access any more (%s): ask an administrator of this cluster", j.Identity.Name, end.Message)
	}
	return nil
}

func otherSigner(j *judgement) *Decision {
	if j.SignerName == j.Identity.Spec.SignerName {
		return nil
	}
	return deny(ReasonSignerMismatch, "the request is for signer %q, and ClientIdentity %q has %q: make another one", j.SignerName, j.Identity.Name, j.Identity.Spec.SignerName)
}

func unreadable(j *judgement) *Decision {
	parsed, err := certificate.ReadForeignRequest(j.PEM)
	if err != nil {
		return deny(ReasonRequestInvalid, "%v", err)
	}
	j.parsed = parsed
	if j.key, err = certificate.KeyHash(parsed.Key()); err != nil {
		return deny(ReasonKeyMismatch, "%v", err)
	}
	return nil
}

// fingerprint returns that of the certificate that a request was made with, or "".
func (m Maker) fingerprint() string {
	fingerprint, _ := certificate.FingerprintOf(m.CredentialID)
	return strings.ToLower(fingerprint)
}

// token returns the identifier of the token that a request was made with, or "": one that the status has no room for is none of the API
// server's, and would keep everything else from being written.
func (m Maker) token() string {
	id, ok := strings.CutPrefix(m.CredentialID, tokenPrefix)
	if !ok || len(m.CredentialID) > maxCredential {
		return ""
	}
	return id
}
