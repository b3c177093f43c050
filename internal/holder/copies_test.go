// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/history"
	"github.com/clientidentity/operator/internal/holder"
)

// Somebody with a copy renews as often as he may, so that the status comes to list none but his own. The device is offline meanwhile.
func TestACopyThatRenewsInALoopIsNoticedByTheDevice(t *testing.T) {
	for _, percentage := range []int64{33, 90} {
		t.Run(fmt.Sprint(percentage, " percent"), func(t *testing.T) {
			w := newWorld(t)
			lifetime := 24 * time.Hour
			interval := lifetime * time.Duration(100-percentage) / 100
			w.identity.Status.Certificates[1].NotBefore, w.laptop().RenewalTime = at(-4*time.Hour), at(-4*time.Hour+interval)
			thief, revision, renewals := newest, int64(4), 0
			for step := range 1000 { // 19 hours and a half: the certificate of the device is valid
				w.known.Now = now.Add(time.Duration(step) * 70 * time.Second)
				w.request.UID, w.request.Maker.CredentialID = types.UID(fmt.Sprint(step)), "X509SHA256="+thief
				key, err := certificate.GenerateKey(v1alpha1.PrivateKey{})
				if err != nil {
					t.Fatal(err)
				}
				w.ask(t, holder.ParametersFor(w.identity, 0).Subject(), key)
				got := w.decide()
				if got.Verdict != holder.Approvable {
					continue
				}
				holder.Note(&w.identity.Status, *got.Approve, w.known.Now)
				revision++
				renewals++
				thief = fmt.Sprintf("%064d", revision)
				from := w.known.Now.Sub(now)
				issued := v1alpha1.IssuedCertificate{
					Revision: revision, Fingerprint: thief, Device: "laptop", Key: got.Approve.Value.Key, NotBefore: at(from), NotAfter: at(from + lifetime),
				}
				device := w.laptop()
				device.Fingerprint, device.Key, device.Revision, device.NotAfter, device.RenewalTime = thief, issued.Key, revision, issued.NotAfter, at(from+interval)
				history.RememberDevice(&w.identity.Status, issued, w.known.Now)
			}
			w.ask(t, holder.ParametersFor(w.identity, 0).Subject(), w.key)
			w.request.UID, w.request.Maker.CredentialID = "device", "X509SHA256="+newest
			if got := w.decide(); renewals < 5 || got.Reason != holder.ReasonCredentialReused || !got.Suspend {
				t.Errorf("after %d renewals of the copy: got %d %s %q", renewals, got.Verdict, got.Reason, got.Message)
			}
		})
	}
}

// A status that the API server does not take would keep every device from renewing.
func TestWhoAsksHasRoomInTheStatus(t *testing.T) {
	w := newWorld(t)
	w.invited("desktop")
	w.request.Maker.CredentialID = "JTI=" + strings.Repeat("x", 125)
	if got := w.decide(); got.Reason != holder.ReasonNotEntitled {
		t.Errorf("an identifier that is too long: got %d %s", got.Verdict, got.Reason)
	}
	holder.Note(&w.identity.Status, holder.Approval{Device: "desktop", Enrols: true, By: strings.Repeat("x", 1000)}, now)
	for _, d := range w.identity.Status.Devices {
		if len(d.EnrolledBy) > 512 {
			t.Errorf("enrolled by %d bytes", len(d.EnrolledBy))
		}
	}
}
