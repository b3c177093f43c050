// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

const root = "root@example.com"

// newHolders is a world with alice, whose holders make the keys, and an administrator.
func newHolders(t *testing.T, changes ...func(*v1alpha1.ClientIdentity)) *world {
	t.Helper()
	w := newWorld(t, identity("alice", append([]func(*v1alpha1.ClientIdentity){byHolder}, changes...)...))
	w.admin = root
	w.passes("alice", 4)
	return w
}

func (w *world) key() crypto.Signer {
	w.t.Helper()
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{})
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

// request puts a request for a device of alice into the API server, made by whom the change says: by the administrator otherwise.
func (w *world) request(device string, key crypto.Signer, changes ...func(*certificatesv1.CertificateSigningRequest)) string {
	w.t.Helper()
	parameters := holder.ParametersFor(w.get("alice"), 0)
	request, err := certificate.NewRequest(key, parameters.Subject())
	if err != nil {
		w.t.Fatal(err)
	}
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{
			Name: holder.RequestName("alice", device), Labels: map[string]string{v1alpha1.IdentityLabel: "alice"}, CreationTimestamp: metav1.Time{Time: w.clock.Now()},
		},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: parameters.SignerName, Usages: holder.Usages, ExpirationSeconds: ptr.To(int32(600)), Username: root,
		},
	}
	for _, change := range changes {
		change(csr)
	}
	for _, c := range w.get("alice").Status.Certificates {
		if slices.Contains(csr.Spec.Extra[holder.CredentialIDKey], "X509SHA256="+c.Fingerprint) {
			csr.Spec.Groups = append(slices.Clone(c.Groups), "system:authenticated") // as the API server takes them from the certificate
		}
	}
	w.add(csr)
	return csr.Name
}

// by makes a request one that the user made with a certificate.
func by(fingerprint string) func(*certificatesv1.CertificateSigningRequest) {
	return func(csr *certificatesv1.CertificateSigningRequest) {
		csr.Spec.Username = "alice@example.com"
		csr.Spec.Extra = map[string]certificatesv1.ExtraValue{holder.CredentialIDKey: {"X509SHA256=" + fingerprint}}
	}
}

// answer returns a request as it is, and why it was denied, or "".
func (w *world) answer(name string) (*certificatesv1.CertificateSigningRequest, string) {
	w.t.Helper()
	csr := &certificatesv1.CertificateSigningRequest{}
	if !w.exists(csr, "", name) {
		w.t.Fatalf("%s is gone", name)
	}
	for _, c := range csr.Status.Conditions {
		if c.Type == certificatesv1.CertificateDenied {
			return csr, c.Reason
		}
	}
	return csr, ""
}

func (w *world) device(name string) v1alpha1.Device {
	w.t.Helper()
	for _, d := range w.get("alice").Status.Devices {
		if d.Name == name {
			return d
		}
	}
	return v1alpha1.Device{}
}

// enrolled is a world whose alice has a device laptop, that may renew.
func enrolled(t *testing.T, changes ...func(*v1alpha1.ClientIdentity)) (*world, v1alpha1.Device) {
	t.Helper()
	w := newHolders(t, changes...)
	w.request("laptop", w.key())
	w.passes("alice", 4)
	laptop := w.device("laptop")
	if laptop.State != v1alpha1.DeviceActive || laptop.Fingerprint == "" {
		t.Fatalf("the device is %+v", laptop)
	}
	w.step(time.Minute)
	w.told()
	return w, laptop
}

// A crash, a refused call or a lost answer at any step costs no renewal, and never looks like a copied key.
func TestARenewalThatIsCutAnywhereGoesOn(t *testing.T) {
	for _, call := range []string{"live get CertificateSigningRequest", "live get ClientIdentity", "patch status of ClientIdentity", "update approval of CertificateSigningRequest"} {
		for _, lost := range []bool{false, true} {
			for times := range 3 {
				t.Run(fmt.Sprintf("%s, answer lost: %t, %d", call, lost, times), func(t *testing.T) {
					w, laptop := enrolled(t)
					name := w.request("laptop", w.key(), by(laptop.Fingerprint))
					fail, count := failing(call, times+1, errors.New("cut")), 0
					cut := func(got string, object client.Object) error {
						err := fail(got, object)
						if err != nil {
							count++
						}
						return err
					}
					if lost {
						w.after = cut
					} else {
						w.before = cut
					}
					for range 8 {
						_, _ = w.pass("alice")
						w.restart()
					}
					_, reason := w.answer(name)
					after := w.device("laptop")
					if count == 0 || reason != "" || after.State != v1alpha1.DeviceActive || after.Fingerprint == laptop.Fingerprint || after.Revision != 2 {
						t.Errorf("cut %d times; denied: %q; the device is %+v", count, reason, after)
					}
					if id := w.get("alice"); len(id.Status.Certificates) != 2 {
						t.Errorf("%d certificates are listed", len(id.Status.Certificates))
					}
				})
			}
		}
	}
}

func TestAnApprovalIsWrittenBeforeItIsGiven(t *testing.T) {
	w, laptop := enrolled(t)
	name := w.request("laptop", w.key(), by(laptop.Fingerprint))
	w.before = failing("patch status of ClientIdentity", 100, errors.New("no"))
	w.passes("alice", 5)
	if csr, reason := w.answer(name); reason != "" || len(csr.Status.Conditions) > 0 {
		t.Errorf("it was decided (%q) while nobody could write why", reason)
	}
	w.before = nil
	w.passes("alice", 3)
	if csr, _ := w.answer(name); len(csr.Status.Certificate) == 0 {
		t.Error("it was not signed")
	}
}

// An operator that stood still does not approve what its successor has decided otherwise by now.
func TestAnOperatorThatIsBehindApprovesNothing(t *testing.T) {
	w, laptop := enrolled(t)
	name := w.request("laptop", w.key(), by(laptop.Fingerprint))
	w.passes("alice", 1)
	w.before = func(call string, _ client.Object) error {
		if call == "live get ClientIdentity" {
			w.before = nil
			id := w.get("alice")
			holder.Suspend(&id.Status, "laptop", "by another operator")
			return w.api.Status().Update(t.Context(), id)
		}
		return nil
	}
	w.passes("alice", 1)
	if csr, _ := w.answer(name); approved(csr) {
		t.Error("it was approved")
	}
	w.passes("alice", 2)
	if _, reason := w.answer(name); reason != holder.ReasonDeviceSuspended {
		t.Errorf("denied: %q", reason)
	}
}

func TestACopyThatRenewsIsNoticedWhicheverIsFirst(t *testing.T) {
	for first, second := range map[string]string{"the copy": "the device", "the device": "the copy"} {
		t.Run(first+" before "+second, func(t *testing.T) {
			w, laptop := enrolled(t)
			one := w.request("laptop", w.key(), by(laptop.Fingerprint))
			w.passes("alice", 4)
			w.step(time.Minute)
			other := w.request("laptop", w.key(), by(laptop.Fingerprint))
			w.before = failing("patch status of ClientIdentity", 2, errors.New("no"))
			w.passes("alice", 2)
			if _, reason := w.answer(other); reason != "" {
				t.Errorf("denied (%s) before that is remembered", reason)
			}
			w.restart()
			w.passes("alice", 3)
			if csr, _ := w.answer(one); len(csr.Status.Certificate) == 0 {
				t.Error("the first one got no certificate")
			}
			if _, reason := w.answer(other); reason != holder.ReasonCredentialReused {
				t.Errorf("denied: %q", reason)
			}
			id := w.get("alice")
			expectCondition(t, &id.Status, v1alpha1.ConditionCredentialReused, metav1.ConditionTrue, v1alpha1.ReasonDeviceSuspended)
			expectCondition(t, &id.Status, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReadyToEnroll)
			if told := strings.Join(w.told(), "\n"); strings.Count(told, v1alpha1.ReasonDeviceSuspended) != 1 || !strings.Contains(told, `"laptop"`) {
				t.Errorf("events: %s", told)
			}
		})
	}
}

func TestTwoAtOnceWithOneCertificateTellOfACopy(t *testing.T) {
	w, laptop := enrolled(t)
	names := []string{w.request("laptop", w.key(), by(laptop.Fingerprint)), w.request("laptop", w.key(), by(laptop.Fingerprint))}
	w.passes("alice", 6)
	var reasons []string
	for _, name := range names {
		_, reason := w.answer(name)
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	if !slices.Equal(reasons, []string{holder.ReasonCredentialReused, holder.ReasonDeviceSuspended}) || w.device("laptop").State != v1alpha1.DeviceSuspended {
		t.Errorf("denied: %q; the device is %+v", reasons, w.device("laptop"))
	}
}

// A device may ask again before anybody has looked at the certificate that it asks with.
func TestWhatACertificateEntitlesToIsKnownBeforeItIsJudged(t *testing.T) {
	w, laptop := enrolled(t)
	first := w.request("laptop", w.key(), by(laptop.Fingerprint))
	w.passes("alice", 2)
	csr, _ := w.answer(first)
	issued, err := certificate.ParseIssued(csr.Status.Certificate)
	if err != nil || w.device("laptop").Fingerprint != laptop.Fingerprint {
		t.Fatalf("%v; the device is %+v", err, w.device("laptop"))
	}
	w.step(time.Minute)
	second := w.request("laptop", w.key(), by(issued.Fingerprint()), func(csr *certificatesv1.CertificateSigningRequest) { csr.Spec.Groups = issued.Subject().Groups })
	w.before = failing("live get CertificateSigningRequest", 2, errors.New("no"))
	w.passes("alice", 6)
	if csr, reason := w.answer(second); len(csr.Status.Certificate) == 0 {
		t.Errorf("denied: %q", reason)
	}
	if got := w.device("laptop"); got.Revision != 3 || got.State != v1alpha1.DeviceActive {
		t.Errorf("the device is %+v", got)
	}
}

func TestDevicesAreForgottenWhereTheOperatorMakesTheKeyOnceTheyEnd(t *testing.T) {
	w, laptop := enrolled(t)
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.PrivateKey.Source = "" })
	id := w.passes("alice", 4)
	if len(id.Status.Devices) != 1 || id.Status.Certificate == nil || id.Status.Certificate.Fingerprint == laptop.Fingerprint {
		t.Errorf("devices %+v, published %+v", id.Status.Devices, id.Status.Certificate)
	}
	w.step(20 * time.Minute)
	if id = w.passes("alice", 2); len(id.Status.Devices) > 0 {
		t.Errorf("devices %+v", id.Status.Devices)
	}
}

func TestRequestsOfOthersAreLeftAlone(t *testing.T) {
	w := newHolders(t)
	kubelet := w.request("laptop", w.key(), func(csr *certificatesv1.CertificateSigningRequest) {
		csr.Name, csr.Spec.Username, csr.Spec.SignerName = "csr-x1y2z", "system:node:a", "kubernetes.io/kubelet-serving"
	})
	moved := w.request("phone", w.key(), func(csr *certificatesv1.CertificateSigningRequest) { csr.Labels[v1alpha1.IdentityLabel] = "bob" })
	w.passes("alice", 4)
	if csr, _ := w.answer(kubelet); len(csr.Status.Conditions) > 0 {
		t.Errorf("a kubelet's request was decided: %+v", csr.Status.Conditions)
	}
	if _, reason := w.answer(moved); reason != holder.ReasonNameMismatch {
		t.Errorf("a request whose label was moved is denied: %q", reason)
	}
	w.expectCalls("create SubjectAccessReview", 0)
}

func TestARequestThatMayNotBeDeniedIsToldOfOnce(t *testing.T) {
	w := newHolders(t)
	w.told()
	other := w.request("laptop", w.key(), func(csr *certificatesv1.CertificateSigningRequest) { csr.Spec.SignerName = "example.com/other" })
	w.before = func(call string, object client.Object) error {
		if call == "update approval of CertificateSigningRequest" {
			return apierrors.NewForbidden(schema.GroupResource{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}, object.GetName(), errors.New("no such right"))
		}
		return nil
	}
	id := w.passes("alice", 4)
	if csr, _ := w.answer(other); len(csr.Status.Conditions) > 0 {
		t.Error("it was decided")
	}
	if told := w.told(); len(told) != 1 || !strings.Contains(told[0], "RequestLeftAlone") || !strings.Contains(told[0], "example.com/other") {
		t.Errorf("events: %q", told)
	}
	expectCondition(t, &id.Status, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReadyToEnroll)

	w.request("phone", w.key())
	id = w.passes("alice", 4)
	expectCondition(t, &id.Status, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApprovalForbidden)
}

func TestOnePassDecidesAFew(t *testing.T) {
	w := newHolders(t)
	var names []string
	for i := range 50 {
		names = append(names, w.request(fmt.Sprintf("device-%d", i), w.key(), func(csr *certificatesv1.CertificateSigningRequest) { csr.Spec.Username = "mallory" }))
	}
	before := w.calls["live get CertificateSigningRequest"]
	result, err := w.pass("alice")
	if got := w.calls["live get CertificateSigningRequest"] - before; got != 20 || err != nil || result.RequeueAfter > time.Second || result.RequeueAfter == 0 {
		t.Errorf("%d were looked at, and the next look is after %s (%v)", got, result.RequeueAfter, err)
	}
	w.passes("alice", 2)
	for _, name := range names {
		if _, reason := w.answer(name); reason != holder.ReasonNotEntitled {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

func TestRequestsAreDeniedWhereAccessHasEndedOrTheOperatorMakesTheKey(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.ClientIdentity)
		reason string
	}{
		"withdrawn":              {func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }, holder.ReasonAccessEnded},
		"ended":                  {func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = at(time.Second) }, holder.ReasonAccessEnded},
		"the operator makes one": {func(id *v1alpha1.ClientIdentity) { id.Spec.PrivateKey.Source = "" }, holder.ReasonNotForHolders},
	} {
		t.Run(name, func(t *testing.T) {
			w, laptop := enrolled(t)
			w.signs = nil
			unsigned := w.request("laptop", w.key(), by(laptop.Fingerprint))
			w.passes("alice", 3)
			if csr, _ := w.answer(unsigned); !approved(csr) {
				t.Fatal("it was not approved")
			}
			w.change("alice", test.change)
			fresh := w.request("laptop", w.key(), by(laptop.Fingerprint))
			w.passes("alice", 4)
			if _, reason := w.answer(fresh); reason != test.reason {
				t.Errorf("denied: %q, want %s", reason, test.reason)
			}
			if w.exists(&certificatesv1.CertificateSigningRequest{}, "", unsigned) {
				t.Error("a signer may still sign what was approved")
			}
		})
	}
}

func TestWhatIsSignedWhileAccessEndsIsRecorded(t *testing.T) {
	w, laptop := enrolled(t)
	w.request("laptop", w.key(), by(laptop.Fingerprint))
	w.passes("alice", 2)
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn })
	id := w.passes("alice", 3)
	if len(id.Status.Certificates) != 2 || !id.Status.Certificates[0].Withdrawn || id.Status.Certificates[0].Device != "laptop" {
		t.Errorf("listed are %+v", id.Status.Certificates)
	}
	if id.Status.OutstandingUntil == nil || !id.Status.OutstandingUntil.Equal(id.Status.Certificates[0].NotAfter) {
		t.Errorf("outstanding until %v", id.Status.OutstandingUntil)
	}
}

// Whoever may approve can have any certificate signed: it is known, and renews nothing.
func TestACertificateThatSomebodyElseApprovedIsNoDevices(t *testing.T) {
	w, _ := enrolled(t)
	planted := w.request("laptop", w.key(), func(csr *certificatesv1.CertificateSigningRequest) { csr.Spec.Username = "mallory" })
	csr, _ := w.answer(planted)
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: "True"}}
	w.signs(csr)
	if err := w.api.Status().Update(t.Context(), csr); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.restart()
		w.passes("alice", 2)
	}
	id := w.get("alice")
	if len(id.Status.Certificates) != 2 || id.Status.Certificates[0].Device != "" || id.Status.Certificates[0].RequestedBy != "mallory" {
		t.Fatalf("listed are %+v", id.Status.Certificates)
	}
	if told := strings.Join(w.told(), "\n"); strings.Count(told, "UnknownCertificate") != 1 {
		t.Errorf("events: %s", told)
	}
	renewal := w.request("laptop", w.key(), by(id.Status.Certificates[0].Fingerprint))
	w.passes("alice", 3)
	if _, reason := w.answer(renewal); reason != holder.ReasonCredentialUnknown {
		t.Errorf("denied: %q", reason)
	}
}

func TestADeviceThatIsRevokedIsSaidToBe(t *testing.T) {
	for name, revoke := range map[string]func(*v1alpha1.ClientIdentity, string){
		"by its fingerprint": func(id *v1alpha1.ClientIdentity, fingerprint string) {
			id.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: fingerprint}}
		},
		"with all others": func(id *v1alpha1.ClientIdentity, _ string) { id.Spec.RevokeIssuedBefore = at(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			w, laptop := enrolled(t, boundToCredential)
			w.change("alice", func(id *v1alpha1.ClientIdentity) { revoke(id, laptop.Fingerprint) })
			renewal := w.request("laptop", w.key(), by(laptop.Fingerprint))
			id := w.passes("alice", 4)
			if got := w.device("laptop"); got.State != v1alpha1.DeviceRevoked || got.Message == "" {
				t.Errorf("the device is %+v", got)
			}
			if _, reason := w.answer(renewal); reason != holder.ReasonCredentialRevoked {
				t.Errorf("denied: %q", reason)
			}
			expectCondition(t, &id.Status, v1alpha1.ConditionCertificateIssued, metav1.ConditionFalse, v1alpha1.ReasonReadyToEnroll)

			w.request("laptop", w.key())
			w.passes("alice", 4)
			if got := w.device("laptop"); got.State != v1alpha1.DeviceActive || got.Message != "" || got.EnrolledRevision != 2 {
				t.Errorf("enrolled again, the device is %+v", got)
			}
		})
	}
}

func TestADeviceThatEndsIsToldOfAndNothingIsWrong(t *testing.T) {
	w, laptop := enrolled(t)
	result, err := w.pass("alice")
	if end := laptop.NotAfter.Sub(w.clock.Now()); err != nil || result.RequeueAfter > end {
		t.Errorf("looks again after %s (%v), and the certificate ends in %s", result.RequeueAfter, err, end)
	}
	w.clock.SetTime(laptop.NotAfter.Time)
	id := w.passes("alice", 2)
	expectCondition(t, &id.Status, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReadyToEnroll)
	expectCondition(t, &id.Status, v1alpha1.ConditionCertificateIssued, metav1.ConditionFalse, v1alpha1.ReasonReadyToEnroll)
	if id.Status.State != v1alpha1.ObservedReady || id.Status.Certificate != nil {
		t.Errorf("state %s, certificate %+v", id.Status.State, id.Status.Certificate)
	}
	if told := w.told(); slices.ContainsFunc(told, func(e string) bool { return strings.HasPrefix(e, "Warning") }) {
		t.Errorf("events: %q", told)
	}
}

// An unchanged identity costs no call, however many finished requests are there.
func TestDevicesThatAreInOrderCostNothing(t *testing.T) {
	w, _ := enrolled(t)
	w.passes("alice", 2)
	before := fmt.Sprint(w.calls)
	w.passes("alice", 3)
	if after := fmt.Sprint(w.calls); after != before {
		t.Errorf("calls before: %s\nafter: %s", before, after)
	}
}
