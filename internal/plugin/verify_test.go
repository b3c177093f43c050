// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/machine"
)

// issuedTo returns a certificate for alice and the PEM of the CA that issued it.
func issuedTo(t *testing.T, groups ...string) (issued *certificate.Issued, caPEM string) {
	t.Helper()
	sign := func(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, []byte) {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	caKey := newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: now.Add(-day), NotAfter: now.Add(365 * day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca, caPem := sign(template, template, caKey, caKey)
	_, chain := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "alice@example.com", Organization: groups}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(day),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, newKey(), caKey)
	issued, err := certificate.ParseIssued(chain)
	if err != nil {
		t.Fatal(err)
	}
	return issued, string(caPem)
}

// wantChecks compares checks with lines such as "FAIL chain: its CA is unknown", of which the message is a part.
func wantChecks(t *testing.T, checks []Check, want ...string) {
	t.Helper()
	if len(checks) != len(want) {
		t.Errorf("there are %d checks, not %d: %v", len(checks), len(want), checks)
		return
	}
	for i, line := range want {
		head, message, _ := strings.Cut(line, ": ")
		if got := string(checks[i].Result) + " " + checks[i].Name; got != head || !strings.Contains(checks[i].Message, message) {
			t.Errorf("got %s: %s\nwant %s", got, checks[i].Message, line)
		}
		if checks[i].Result == Failed && checks[i].Message == "" {
			t.Errorf("%s says nothing", head)
		}
	}
}

func TestAChainEndsAtAClientCA(t *testing.T) {
	issued, ca := issuedTo(t, "developers")
	_, other := issuedTo(t)
	alice := identity("alice")
	v := &evidence{identity: &alice, now: now}
	for want, cas := range map[string]found[string]{
		"OK chain: CN=kubernetes":            find(other+ca, nil),
		"FAIL chain: its CA is unknown":      find(other, nil),
		"SKIP chain: publishes no client CA": find("", nil),
		"SKIP chain: missing permission of user bob: get configmaps": find("", forbidden(schema.GroupResource{Resource: "configmaps"}, "x",
			`User "bob" cannot get resource "configmaps" in API group "" in the namespace "kube-system"`)),
	} {
		v.clientCAs = cas
		wantChecks(t, []Check{checkChain(v, issued)}, want)
	}
	v.clientCAs, v.now = find(ca, nil), now.Add(2*day)
	wantChecks(t, []Check{checkChain(v, issued), checkValidityOf(v, issued)}, "FAIL chain: expired", "FAIL validity: it has ended")
}

func TestASubjectIsThatOfTheSpec(t *testing.T) {
	bound := identity("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = v1alpha1.BindToCredential })
	named := identity("alice")
	credential, own := access.WantedGroup(&bound), v1alpha1.CertificateGroupPrefix+"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for name, test := range map[string]struct {
		id     v1alpha1.ClientIdentity
		groups []string
		want   string
	}{
		"as it is":                               {named, []string{"developers"}, "OK subject"},
		"with groups that bind nothing":          {named, []string{"developers", credential, own}, "OK subject"},
		"a group more":                           {named, []string{"developers", "admins"}, "FAIL subject: admins"},
		"a group less":                           {named, nil, "FAIL subject: the spec asks for"},
		"bound to the credential":                {bound, []string{"developers", credential, own}, "OK subject"},
		"bound to the credential, and without":   {bound, []string{"developers", own}, "FAIL subject"},
		"bound to the credential, of an earlier": {bound, []string{"developers", credential + "1"}, "FAIL subject"},
	} {
		t.Run(name, func(t *testing.T) {
			wantChecks(t, []Check{checkSubject(&test.id, certificate.Subject{Username: "alice@example.com", Groups: test.groups})}, test.want)
		})
	}
}

func TestTheAPIServerSaysWhoAHolderIs(t *testing.T) {
	alice := identity("alice")
	user := func(name string, groups ...string) found[authenticationv1.UserInfo] {
		return find(authenticationv1.UserInfo{Username: name, Groups: groups}, nil)
	}
	for want, seen := range map[string]found[authenticationv1.UserInfo]{
		"OK who: the groups of the spec":         user("alice@example.com", "system:authenticated", "developers", v1alpha1.CertificateGroupPrefix+"X"),
		`FAIL who: for user "bob"`:               user("bob", "system:authenticated", "developers"),
		`FAIL who: "admins"`:                     user("alice@example.com", "system:authenticated", "developers", "admins"),
		"FAIL who: does not accept":              find(authenticationv1.UserInfo{}, error(apierrors.NewUnauthorized("no"))),
		"FAIL who: as seen from this machine":    find(authenticationv1.UserInfo{}, errors.New("connection refused")),
		"FAIL who: there is no kubeconfig":       {},
		"FAIL who: denies requests with the cer": find(authenticationv1.UserInfo{}, error(apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("revoked")))),
	} {
		wantChecks(t, []Check{checkUser(&alice, "who", "it", seen)}, want)
	}
}

func TestDevicesAreJudgedByWhatTheStatusTells(t *testing.T) {
	id := identity("alice", heldOn(
		onDevice("laptop", 20*time.Hour, 12*time.Hour, v1alpha1.DeviceActive), onDevice("late", -time.Hour, -2*time.Hour, v1alpha1.DeviceActive),
		onDevice("stolen", day, day, v1alpha1.DeviceSuspended), onDevice("ended", day, day, v1alpha1.DeviceRevoked)))
	v := &evidence{identity: &id, now: now}
	var checks []Check
	for i := range id.Status.Devices {
		checks = append(checks, checkDevice(v, &id.Status.Devices[i]))
	}
	wantChecks(t, checks, "OK device laptop: revision 3 ends 2026-11-27T11:00:00Z (in 20h), renewed in 12h", "FAIL device late: its certificate ended 60m ago",
		"FAIL device stolen: suspended", "OK device ended: it is revoked, as asked for")

	id.Spec.Groups = []string{"others"}
	wantChecks(t, []Check{checkDevice(v, &id.Status.Devices[0])}, "FAIL device laptop: and the spec asks for")
	id.Spec.Groups, id.Spec.RevokeIssuedBefore = []string{"developers"}, in(0)
	wantChecks(t, []Check{checkDevice(v, &id.Status.Devices[0])}, "FAIL device laptop: it was issued before spec.revokeIssuedBefore")
}

func TestThisMachineIsOneOfTheDevices(t *testing.T) {
	issued, ca := issuedTo(t, "developers")
	id := identity("alice", heldOn(onDevice("laptop", 20*time.Hour, 12*time.Hour, v1alpha1.DeviceActive)))
	v := &evidence{identity: &id, now: now, clientCAs: find(ca, nil)}
	wantChecks(t, checkMachine(v))
	m := &onMachine{record: &machine.Record{}}
	v.machine = find(m, nil)
	wantChecks(t, checkMachine(v), "FAIL this machine: its enrolment was not finished")
	m.issued = issued
	wantChecks(t, checkMachine(v), "FAIL this machine: its key is not that of its certificate")
	m.fits, m.user = true, find(authenticationv1.UserInfo{Username: "alice@example.com", Groups: []string{"developers", allAuthenticated}}, nil)
	wantChecks(t, checkMachine(v), "FAIL this machine: the newest one of no device", "OK this machine", "OK this machine", "OK this machine", "OK this machine", "OK this machine")
	id.Status.Devices[0].Fingerprint = issued.Fingerprint()
	wantChecks(t, checkMachine(v)[:1], "OK this machine: it is device laptop, and has its newest certificate")
	v.machine = find(m, errors.New("it is damaged"))
	wantChecks(t, checkMachine(v), "FAIL this machine: it is damaged")
}

func TestNothingIsLeftOfAWithdrawnIdentity(t *testing.T) {
	id := identity("alice", func(id *v1alpha1.ClientIdentity) {
		id.Spec.State, id.Status.ResidualAccess = v1alpha1.StateWithdrawn, &v1alpha1.ResidualAccess{Total: 3}
	})
	v := &evidence{identity: &id, now: now}
	v.secret.err = apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "x")
	wantChecks(t, checkWithdrawn(v), "OK secret: gone", "OK role bindings: gone", "FAIL other access: 3 bindings of others")
	v.bindings.value = []grant{{
		key: access.Key{Namespace: "dev", Name: "x"}, object: dependent.Meta(&id, clientCAs), roleRef: rbacv1.RoleRef{Name: "edit"},
		subjects: []rbacv1.Subject{{Kind: "User", Name: "alice"}},
	}}
	wantChecks(t, checkWithdrawn(v)[1:2], `FAIL other binding: RoleBinding "dev/x" is asked for no longer: it grants edit to User alice`)
}

func TestASpecThatNobodyLookedAtFails(t *testing.T) {
	id := identity("alice", func(id *v1alpha1.ClientIdentity) { id.Generation = 2 })
	wantChecks(t, []Check{checkObserved(&id)}, "FAIL status: has not looked at the newest spec")
	id = identity("alice", condition(v1alpha1.ObservedStalled, v1alpha1.ConditionCertificateIssued, metav1.ConditionFalse, v1alpha1.ReasonServerUnknown, "which one?"))
	wantChecks(t, []Check{checkObserved(&id)}, "FAIL status: says Stalled: ServerUnknown: which one?")
}
