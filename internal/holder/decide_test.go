// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder_test

import (
	"crypto"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

const (
	user     = "alice@example.com"
	enroller = "system:serviceaccount:client-identities:clientidentity-alice-enrolment"
	older    = "1111111111111111111111111111111111111111111111111111111111111111"
	newest   = "2222222222222222222222222222222222222222222222222222222222222222"
	tablet   = "3333333333333333333333333333333333333333333333333333333333333333"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// world is a request and what it is judged by: each case changes something.
type world struct {
	identity *v1alpha1.ClientIdentity
	request  holder.Request
	known    holder.Known
	key      crypto.Signer
	keyHash  string
}

func at(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

// newWorld is a renewal of device laptop, with the newest of its two certificates; the device tablet is enrolled, too.
func newWorld(t testing.TB) *world {
	t.Helper()
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := certificate.KeyHash(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	identity := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "c9f3b3e4-0000-4000-8000-000000000000"},
		Spec: v1alpha1.ClientIdentitySpec{
			Username: user, Groups: []string{"developers"}, TTL: metav1.Duration{Duration: 24 * time.Hour}, State: v1alpha1.StateActive,
			SignerName: certificatesv1.KubeAPIServerClientSignerName, PrivateKey: v1alpha1.PrivateKey{Source: v1alpha1.SourceHolder},
		},
		Status: v1alpha1.ClientIdentityStatus{
			Certificates: []v1alpha1.IssuedCertificate{
				{Revision: 4, Fingerprint: tablet, Device: "tablet", Key: "tablet-key", NotAfter: at(20 * time.Hour)},
				{Revision: 3, Fingerprint: newest, Device: "laptop", Key: "newest-key", NotAfter: at(20 * time.Hour)},
				{Revision: 2, Fingerprint: older, Device: "laptop", Key: "older-key", NotAfter: at(10 * time.Hour)},
			},
			Devices: []v1alpha1.Device{
				{
					Name: "laptop", State: v1alpha1.DeviceActive, Fingerprint: newest, Key: "newest-key", Revision: 3, NotAfter: at(20 * time.Hour), EnrolledRevision: 2,
					Approval: &v1alpha1.DeviceApproval{CertificateSigningRequest: "x", UID: "x", Credential: "X509SHA256=" + older, Key: "newest-key", Time: at(-4 * time.Hour)},
				},
				{Name: "tablet", State: v1alpha1.DeviceActive, Fingerprint: tablet, Key: "tablet-key", Revision: 4, NotAfter: at(20 * time.Hour), EnrolledRevision: 4},
			},
		},
	}
	w := &world{identity: identity, key: key, keyHash: hash}
	w.request = holder.Request{
		Name: "alice.laptop.abcdefghij", UID: "request", Label: "alice", SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: holder.Usages,
		ExpirationSeconds: ptr.To(int32(24 * 3600)), Maker: holder.Maker{Username: user, CredentialID: "X509SHA256=" + newest},
	}
	w.ask(t, holder.ParametersFor(identity, 0).Subject(), key)
	w.known = holder.Known{Now: now, EnrolmentNamespace: "client-identities", EnrolmentUID: "enrolment"}
	return w
}

func (w *world) ask(t testing.TB, subject certificate.Subject, key crypto.Signer) {
	t.Helper()
	var err error
	if w.request.PEM, err = certificate.NewRequest(key, subject); err != nil {
		t.Fatal(err)
	}
}

func (w *world) laptop() *v1alpha1.Device { return &w.identity.Status.Devices[0] }

// invited makes the request one for a new device by an invitation.
func (w *world) invited(device string) {
	w.request.Name = "alice." + device + ".abcdefghij"
	w.request.Maker = holder.Maker{Username: enroller, UID: "enrolment", CredentialID: "JTI=token"}
}

func (w *world) decide() holder.Decision {
	w.known.Identity, w.known.Status = w.identity, w.identity.Status
	return holder.Decide(w.request, w.known)
}

func TestDecide(t *testing.T) {
	otherKey := func(k v1alpha1.PrivateKey) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			key, err := certificate.GenerateKey(k)
			if err != nil {
				t.Fatal(err)
			}
			w.ask(t, holder.ParametersFor(w.identity, 0).Subject(), key)
		}
	}
	as := func(maker holder.Maker) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { w.request.Maker = maker }
	}
	plain := func(change func(*world)) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { change(w) }
	}
	for name, c := range map[string]struct {
		given   func(*testing.T, *world)
		verdict holder.Verdict
		reason  string
		suspend bool
	}{
		"approves a renewal with the newest certificate":       {plain(func(*world) {}), holder.Approvable, "", false},
		"approves an invitation":                               {plain(func(w *world) { w.invited("desktop") }), holder.Approvable, "", false},
		"asks about anybody else":                              {as(holder.Maker{Username: "root"}), holder.AskImpersonation, "", false},
		"refuses who may not impersonate":                      {plain(func(w *world) { w.request.Maker.Username, w.known.MayImpersonate = "bob", ptr.To(false) }), holder.Denied, holder.ReasonNotEntitled, false},
		"refuses an administrator the name of a device in use": {plain(func(w *world) { w.request.Maker.Username, w.known.MayImpersonate = "root", ptr.To(true) }), holder.Denied, holder.ReasonDeviceExists, false},
		"approves an administrator for a new device": {plain(func(w *world) {
			w.request.Name, w.request.Maker.Username, w.known.MayImpersonate = "alice.desktop.abcdefghij", "root", ptr.To(true)
		}), holder.Approvable, "", false},
		"never looks at the user as an administrator": {plain(func(w *world) { w.request.Maker.CredentialID, w.known.MayImpersonate = "", ptr.To(true) }), holder.Denied, holder.ReasonCredentialUnknown, false},

		"leaves a labelled request of somebody else alone":  {plain(func(w *world) { w.request.Name, w.request.Maker.Username = "csr-abcde", "system:bootstrap:x" }), holder.Foreign, "", false},
		"leaves the user's requests to other signers alone": {plain(func(w *world) { w.request.Name, w.request.SignerName = "mine", "example.com/tls" }), holder.Foreign, "", false},
		"refuses the user's request of another name":        {plain(func(w *world) { w.request.Name = "alice-laptop" }), holder.Denied, holder.ReasonNameMismatch, false},
		"refuses a label that was changed":                  {plain(func(w *world) { w.request.Label = "bob" }), holder.Denied, holder.ReasonNameMismatch, false},
		"refuses where the operator makes the key":          {plain(func(w *world) { w.identity.Spec.PrivateKey.Source = "" }), holder.Denied, holder.ReasonNotForHolders, false},
		"refuses a withdrawn identity":                      {plain(func(w *world) { w.identity.Spec.State = v1alpha1.StateWithdrawn }), holder.Denied, holder.ReasonAccessEnded, false},
		"refuses another signer":                            {plain(func(w *world) { w.request.SignerName = "example.com/users" }), holder.Denied, holder.ReasonSignerMismatch, false},
		"refuses what cannot be read":                       {plain(func(w *world) { w.request.PEM = []byte("x") }), holder.Denied, holder.ReasonRequestInvalid, false},

		"refuses who impersonates the user": {as(holder.Maker{Username: user}), holder.Denied, holder.ReasonCredentialUnknown, false},
		"refuses a token of the user":       {as(holder.Maker{Username: user, CredentialID: "JTI=x"}), holder.Denied, holder.ReasonCredentialUnknown, false},
		"refuses who impersonates the user and names a certificate": {plain(func(w *world) {
			w.identity.Status.Certificates[1].Groups = []string{"developers", "clientidentity.dev:certificate:X"}
			w.request.Maker.Groups = []string{"developers", "system:authenticated"}
		}), holder.Denied, holder.ReasonCredentialUnknown, false},
		"takes who has all groups of the certificate": {plain(func(w *world) {
			w.identity.Status.Certificates[1].Groups = []string{"developers", "clientidentity.dev:certificate:X"}
			w.request.Maker.Groups = []string{"clientidentity.dev:certificate:X", "developers", "system:authenticated"}
		}), holder.Approvable, "", false},
		"refuses an unknown certificate":         {as(holder.Maker{Username: user, CredentialID: "X509SHA256=" + strings.Repeat("f", 64)}), holder.Denied, holder.ReasonCredentialUnknown, false},
		"refuses another device's certificate":   {as(holder.Maker{Username: user, CredentialID: "X509SHA256=" + tablet}), holder.Denied, holder.ReasonCredentialUnknown, false},
		"refuses a certificate for a new device": {plain(func(w *world) { w.request.Name = "alice.desktop.abcdefghij" }), holder.Denied, holder.ReasonCredentialUnknown, false},
		"refuses one from before the enrolment":  {plain(func(w *world) { w.laptop().EnrolledRevision = 4 }), holder.Denied, holder.ReasonCredentialUnknown, false},
		"refuses an expired certificate":         {plain(func(w *world) { w.identity.Status.Certificates[1].NotAfter = at(0) }), holder.Denied, holder.ReasonCredentialExpired, false},
		"refuses a revoked certificate": {plain(func(w *world) {
			w.identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: newest}}
		}), holder.Denied, holder.ReasonCredentialRevoked, false},
		"refuses where an older one is revoked": {plain(func(w *world) {
			w.identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: older}}
		}), holder.Denied, holder.ReasonCredentialRevoked, false},
		"refuses what revokeIssuedBefore revokes": {plain(func(w *world) { w.identity.Spec.RevokeIssuedBefore = at(-time.Hour) }), holder.Denied, holder.ReasonCredentialRevoked, false},
		"refuses a revoked device":                {plain(func(w *world) { w.laptop().State = v1alpha1.DeviceRevoked }), holder.Denied, holder.ReasonCredentialRevoked, false},
		"refuses a suspended device":              {plain(func(w *world) { w.laptop().State = v1alpha1.DeviceSuspended }), holder.Denied, holder.ReasonDeviceSuspended, false},

		"suspends where an older certificate renews": {as(holder.Maker{Username: user, CredentialID: "X509SHA256=" + older}), holder.Denied, holder.ReasonCredentialReused, true},
		"suspends where the newest one was spent on another key": {plain(func(w *world) {
			w.laptop().Approval.Credential, w.laptop().Approval.Key = "X509SHA256="+newest, "another"
		}), holder.Denied, holder.ReasonCredentialReused, true},
		"suspends where another certificate of the same key was spent": {plain(func(w *world) {
			w.identity.Status.Certificates[2].Key, w.laptop().Approval.Key = "newest-key", "another"
		}), holder.Denied, holder.ReasonCredentialReused, true},
		"goes on with the key that the newest one was spent on": {plain(func(w *world) {
			w.laptop().Approval.Credential, w.laptop().Approval.Key = "X509SHA256="+newest, w.keyHash
		}), holder.Approvable, "", false},
		"goes on with the key of a certificate that never arrived": {plain(func(w *world) {
			w.request.Maker.CredentialID = "X509SHA256=" + older
			w.laptop().Approval.Key, w.laptop().Key, w.identity.Status.Certificates[1].Key = w.keyHash, w.keyHash, w.keyHash
		}), holder.Approvable, "", false},
		"takes any certificate of the newest key": {plain(func(w *world) {
			w.identity.Status.Certificates[2].Key = "newest-key"
			w.laptop().Approval.Credential = "JTI=first"
			w.request.Maker.CredentialID = "X509SHA256=" + older
		}), holder.Approvable, "", false},

		"refuses an invitation that was accepted": {plain(func(w *world) {
			w.invited("desktop")
			w.identity.Status.Invitations = []v1alpha1.AcceptedInvitation{{ID: "token", Device: "tablet"}}
		}), holder.Denied, holder.ReasonInvitationUsed, false},
		"goes on with an invitation that was accepted for this key": {plain(func(w *world) {
			w.invited("laptop")
			w.identity.Status.Invitations = []v1alpha1.AcceptedInvitation{{ID: "token", Device: "laptop"}}
			w.laptop().Approval.Credential, w.laptop().Approval.Key = "JTI=token", w.keyHash
		}), holder.Approvable, "", false},
		"refuses an invitation that was accepted for this key where the device is revoked": {plain(func(w *world) {
			w.invited("laptop")
			w.identity.Status.Invitations = []v1alpha1.AcceptedInvitation{{ID: "token", Device: "laptop"}}
			w.laptop().Approval.Credential, w.laptop().Approval.Key = "JTI=token", w.keyHash
			w.identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: newest}}
		}), holder.Denied, holder.ReasonInvitationUsed, false},
		"refuses an invitation that was accepted for this key where the device is suspended": {plain(func(w *world) {
			w.invited("laptop")
			w.identity.Status.Invitations = []v1alpha1.AcceptedInvitation{{ID: "token", Device: "laptop"}}
			w.laptop().Approval.Credential, w.laptop().Approval.Key, w.laptop().State = "JTI=token", w.keyHash, v1alpha1.DeviceSuspended
		}), holder.Denied, holder.ReasonInvitationUsed, false},
		"refuses an invitation of an earlier ServiceAccount": {plain(func(w *world) { w.invited("desktop"); w.request.Maker.UID = "earlier" }), holder.Denied, holder.ReasonInvitationUsed, false},
		"refuses an invitation where there is none":          {plain(func(w *world) { w.invited("desktop"); w.known.EnrolmentUID = "" }), holder.Denied, holder.ReasonInvitationUsed, false},
		"refuses who impersonates the ServiceAccount":        {plain(func(w *world) { w.invited("desktop"); w.request.Maker.CredentialID = "" }), holder.Denied, holder.ReasonNotEntitled, false},
		"takes another identity's invitation for anybody's": {plain(func(w *world) {
			w.invited("desktop")
			w.request.Maker.Username = strings.Replace(enroller, "alice", "bob", 1)
		}), holder.AskImpersonation, "", false},
		"refuses an invitation for a device in use": {plain(func(w *world) { w.invited("tablet") }), holder.Denied, holder.ReasonDeviceExists, false},
		"enrols a suspended device again":           {plain(func(w *world) { w.invited("laptop"); w.laptop().State = v1alpha1.DeviceSuspended }), holder.Approvable, "", false},
		"enrols a revoked device again": {plain(func(w *world) {
			w.invited("laptop")
			w.identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: newest}}
		}), holder.Approvable, "", false},
		"enrols an expired device again": {plain(func(w *world) { w.invited("laptop"); w.laptop().NotAfter = at(-time.Second) }), holder.Approvable, "", false},
		"waits for another request of the device": {plain(func(w *world) {
			w.invited("desktop")
			w.identity.Status.Devices = append(w.identity.Status.Devices, v1alpha1.Device{
				Name: "desktop", State: v1alpha1.DeviceActive, Approval: &v1alpha1.DeviceApproval{UID: "other", Key: "other", Time: at(-time.Minute)},
			})
		}), holder.Denied, holder.ReasonRequestOpen, false},
		"refuses one device too many": {plain(func(w *world) { w.invited("desktop"); w.identity.Spec.MaxDevices = ptr.To(int32(2)) }), holder.Denied, holder.ReasonTooManyDevices, false},
		"counts no revoked device": {plain(func(w *world) {
			w.invited("desktop")
			w.identity.Spec.MaxDevices = ptr.To(int32(2))
			w.identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: tablet}}
		}), holder.Approvable, "", false},
		"refuses a device that asks in a loop": {plain(func(w *world) { w.laptop().Approval.Time = at(-9 * time.Second) }), holder.Denied, holder.ReasonIssuedTooOften, false},
		"refuses a device that was given many in a short time": {plain(func(w *world) {
			for range 10 {
				w.identity.Status.Certificates = append(w.identity.Status.Certificates, v1alpha1.IssuedCertificate{Device: "laptop", NotBefore: at(-6 * time.Minute)})
			}
			w.laptop().Approval.Time = at(-time.Minute)
		}), holder.Denied, holder.ReasonIssuedTooOften, false},
		"enrols a suspended device again at once": {plain(func(w *world) {
			w.invited("laptop")
			w.laptop().State, w.laptop().Approval.Time = v1alpha1.DeviceSuspended, at(-time.Second)
		}), holder.Approvable, "", false},
		"tells of a copy where the device is suspended already": {plain(func(w *world) {
			w.request.Maker.CredentialID, w.laptop().State = "X509SHA256="+older, v1alpha1.DeviceSuspended
		}), holder.Denied, holder.ReasonCredentialReused, true},

		"refuses a usage more":           {plain(func(w *world) { w.request.Usages = append(w.request.Usages[:2:2], certificatesv1.UsageKeyEncipherment) }), holder.Denied, holder.ReasonUsagesMismatch, false},
		"refuses a usage less":           {plain(func(w *world) { w.request.Usages = w.request.Usages[1:] }), holder.Denied, holder.ReasonUsagesMismatch, false},
		"takes usages in another order":  {plain(func(w *world) { w.request.Usages = []certificatesv1.KeyUsage{holder.Usages[1], holder.Usages[0]} }), holder.Approvable, "", false},
		"refuses no lifetime":            {plain(func(w *world) { w.request.ExpirationSeconds = nil }), holder.Denied, holder.ReasonLifetimeMismatch, false},
		"refuses a longer lifetime":      {plain(func(w *world) { w.request.ExpirationSeconds = ptr.To(int32(24*3600 + 1)) }), holder.Denied, holder.ReasonLifetimeMismatch, false},
		"refuses one beyond --max-ttl":   {plain(func(w *world) { w.known.MaxTTL = time.Hour }), holder.Denied, holder.ReasonLifetimeMismatch, false},
		"refuses one beyond accessUntil": {plain(func(w *world) { w.identity.Spec.AccessUntil = at(23 * time.Hour) }), holder.Denied, holder.ReasonLifetimeMismatch, false},
		"refuses another algorithm":      {otherKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.Ed25519}), holder.Denied, holder.ReasonKeyMismatch, false},
		"takes a larger key":             {otherKey(v1alpha1.PrivateKey{Size: 384}), holder.Approvable, "", false},
		"refuses a smaller key":          {plain(func(w *world) { w.identity.Spec.PrivateKey.Size = 384 }), holder.Denied, holder.ReasonKeyMismatch, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.given(t, w)
			got := w.decide()
			if got.Verdict != c.verdict || got.Reason != c.reason || got.Suspend != c.suspend {
				t.Errorf("got %d %s (suspend: %v) %q, want %d %s (suspend: %v)", got.Verdict, got.Reason, got.Suspend, got.Message, c.verdict, c.reason, c.suspend)
			}
			if (got.Approve != nil) != (c.verdict == holder.Approvable) {
				t.Errorf("what is to be remembered: %v", got.Approve)
			}
		})
	}
}
