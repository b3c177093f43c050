// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

// signed is a certificate for the key of a world, valid that long from now on, with more groups.
func (w *world) signed(t *testing.T, key crypto.Signer, lifetime time.Duration, groups ...string) holder.Issued {
	t.Helper()
	subject := holder.ParametersFor(w.identity, 0).Subject()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(lifetime)), Subject: pkix.Name{CommonName: subject.Username, Organization: append(subject.Groups, groups...)},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(lifetime), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := certificate.ParseIssued(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return holder.Issued{Certificate: issued, Device: "laptop", RequestedBy: user, RequestTime: now, RequestedTTL: lifetime}
}

func (w *world) apply(c holder.Change) { holder.Apply(w.identity, &w.identity.Status, c, now) }

func TestACertificateIsTheDevicesWhoseKeyItIs(t *testing.T) {
	for name, test := range map[string]struct {
		approved, device string
		want             string
	}{
		"approved for that key":     {approved: "this", device: "laptop", want: "laptop"},
		"approved for another key":  {approved: "another", device: "laptop"},
		"of a device that is none":  {approved: "this", device: "desktop"},
		"of a request without name": {approved: "this"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.laptop().Approval.Key = test.approved
			if test.approved == "this" {
				w.laptop().Approval.Key = w.keyHash
			}
			issued := w.signed(t, w.key, time.Hour)
			issued.Device = test.device
			before := *w.laptop().DeepCopy()
			w.apply(holder.Change{Issued: &issued})
			entry := w.identity.Status.Certificates[0]
			if entry.Fingerprint != issued.Certificate.Fingerprint() || entry.Device != test.want || entry.Revision != 5 || entry.Key != w.keyHash || entry.RequestedBy != user {
				t.Errorf("listed is %+v", entry)
			}
			switch d := w.laptop(); {
			case test.want == "" && d.Fingerprint != before.Fingerprint:
				t.Errorf("it is the newest one of %+v", d)
			case test.want != "" && (d.Fingerprint != entry.Fingerprint || d.Key != w.keyHash || d.Revision != 5 || !d.NotAfter.Equal(at(time.Hour)) || d.RenewalTime == nil):
				t.Errorf("it is not the newest one of %+v", d)
			}
			if until := w.identity.Status.OutstandingUntil; !until.Equal(at(time.Hour)) {
				t.Errorf("outstanding until %v", until)
			}
		})
	}
}

// A request that was made again for the same key may be signed before the first one is.
func TestTheCertificateThatEndsLastIsTheNewestOfAKey(t *testing.T) {
	w := newWorld(t)
	w.laptop().Approval.Key = w.keyHash
	long, short := w.signed(t, w.key, 2*time.Hour), w.signed(t, w.key, time.Hour)
	w.apply(holder.Change{Issued: &long})
	w.apply(holder.Change{Issued: &short})
	if got := w.laptop().Fingerprint; got != long.Certificate.Fingerprint() {
		t.Errorf("the newest one is %s", got)
	}
}

func TestWhatASignerIssuesHasRoomInTheStatus(t *testing.T) {
	w := newWorld(t)
	w.identity.Spec.RevokeIssuedBefore = at(-time.Hour)
	groups := []string{strings.Repeat("x", 65)}
	for i := range 100 {
		groups = append(groups, fmt.Sprint("group-", i))
	}
	issued := w.signed(t, w.key, time.Hour, groups...)
	issued.RequestedBy = strings.Repeat("x", 1000)
	w.apply(holder.Change{Issued: &issued})
	entry := w.identity.Status.Certificates[0]
	if len(entry.Groups) != 64 || len(entry.RequestedBy) > 512 || !entry.RevokeIssuedBefore.Equal(at(-time.Hour)) {
		t.Errorf("listed is %+v", entry)
	}
	for _, group := range entry.Groups {
		if len(group) > 64 {
			t.Errorf("a group of %d characters is listed", len(group))
		}
	}
}

func TestThereIsRoomForADeviceMore(t *testing.T) {
	w := newWorld(t)
	for i := range 18 {
		d := v1alpha1.Device{Name: fmt.Sprintf("old-%02d", i), State: v1alpha1.DeviceActive, NotAfter: at(-time.Hour * time.Duration(100-i))}
		if i == 0 {
			d.State = v1alpha1.DeviceSuspended
		}
		if i == 1 {
			d.NotAfter, d.Approval = nil, &v1alpha1.DeviceApproval{Key: "k", Time: at(-time.Minute)} // waits for its signer
		}
		w.identity.Status.Devices = append(w.identity.Status.Devices, d)
	}
	w.apply(holder.Change{Approval: &holder.Approval{Device: "new", Enrols: true, Value: v1alpha1.DeviceApproval{CertificateSigningRequest: "x", UID: "x"}}})
	names := map[string]bool{}
	for _, d := range w.identity.Status.Devices {
		names[d.Name] = true
	}
	if len(names) != 20 || names["old-02"] || !names["old-00"] || !names["old-01"] || !names["laptop"] || !names["new"] {
		t.Errorf("devices are %v", names)
	}
}

func TestThereIsNoRoomForAnInvitationMore(t *testing.T) {
	w := newWorld(t)
	for i := range 64 {
		w.identity.Status.Invitations = append(w.identity.Status.Invitations, v1alpha1.AcceptedInvitation{ID: fmt.Sprint(i)})
	}
	for id, want := range map[string]bool{"": true, "7": true, "new": false} {
		if got := holder.Room(&w.identity.Status, holder.Approval{InvitationID: id}); got != want {
			t.Errorf("%q: %t", id, got)
		}
	}
}

func TestNothingIsPublishedWhereHoldersMakeTheKeys(t *testing.T) {
	w := newWorld(t)
	for fingerprint, source := range map[string]v1alpha1.KeySource{newest: v1alpha1.SourceHolder, tablet: v1alpha1.SourceOperator, "published": v1alpha1.SourceOperator} {
		w.identity.Spec.PrivateKey.Source = source
		w.identity.Status.Certificate = &v1alpha1.CertificateStatus{Fingerprint: fingerprint}
		if got := holder.Published(w.identity, w.identity.Status).Certificate; (got != nil) != (fingerprint == "published") {
			t.Errorf("%s: %+v", fingerprint, got)
		}
	}
}
