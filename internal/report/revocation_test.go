// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/problem"
)

// Changes of a spec that revoke.
func revokedBefore(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = at(0) }
func toCredential(id *v1alpha1.ClientIdentity)  { id.Spec.BindTo = v1alpha1.BindToCredential }
func revoking(fingerprint string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: fingerprint}}
	}
}

// marked is a status whose certificate carries the groups that the API server knows it by.
func marked() v1alpha1.ClientIdentityStatus {
	status := standing()
	status.Certificates[0].Groups = []string{certificate.CredentialGroup(string(identity().UID), nil), v1alpha1.CertificateGroupPrefix + "x"}
	return status
}

func TestRevocationSaysHowFarItReaches(t *testing.T) {
	const api, bindings, unknown = v1alpha1.ReachAPIServer, v1alpha1.ReachBindings, v1alpha1.RevocationReach("")
	others := func(s *v1alpha1.ClientIdentityStatus) {
		s.OtherCertificates = &v1alpha1.OtherCertificates{NotAfter: at(time.Hour)}
	}
	deniedBefore := func(s *v1alpha1.ClientIdentityStatus) { s.RevocationReach = api }
	asked := func(s *v1alpha1.ClientIdentityStatus) { s.Certificates[0].RevokeIssuedBefore = at(0) }
	unmarked := func(s *v1alpha1.ClientIdentityStatus) { s.Certificates[0].Groups = nil }
	nothing := func(*v1alpha1.ClientIdentityStatus) {}
	type spec = []func(*v1alpha1.ClientIdentity)
	for name, test := range map[string]struct {
		spec   spec
		before func(*v1alpha1.ClientIdentityStatus)
		reach  v1alpha1.RevocationReach
		after  time.Duration
		want   string
		says   v1alpha1.RevocationReach
	}{
		"nothing is revoked":                            {nil, deniedBefore, api, 0, "", ""},
		"by time, bound to the user":                    {spec{revokedBefore}, nothing, bindings, 0, v1alpha1.ReasonOlderCertificatesValid, bindings},
		"bound to the user, and denied":                 {spec{revokedBefore}, nothing, api, 0, v1alpha1.ReasonDeniedByAPIServer, api},
		"the same, with certificates that nobody knows": {spec{revokedBefore}, others, api, 0, v1alpha1.ReasonOlderCertificatesValid, api},
		"by time, bound to the credential":              {spec{revokedBefore, toCredential}, nothing, bindings, 0, v1alpha1.ReasonRevoked, bindings},
		"the same, denied":                              {spec{revokedBefore, toCredential}, nothing, api, 0, v1alpha1.ReasonDeniedByAPIServer, api},
		"the same, with some that nobody knows":         {spec{revokedBefore, toCredential}, others, api, 0, v1alpha1.ReasonRevoked, api},
		"bound to the user, from before it was denied":  {spec{revokedBefore}, unmarked, api, 0, v1alpha1.ReasonOlderCertificatesValid, api},
		"bound to the credential since, from before":    {spec{revokedBefore, toCredential}, unmarked, api, 0, v1alpha1.ReasonRevoked, api},
		"alone, from before it was denied":              {spec{revoking("f1")}, unmarked, api, 0, v1alpha1.ReasonNotDenied, api},
		"nobody has found out":                          {spec{revokedBefore, toCredential}, nothing, unknown, 0, v1alpha1.ReasonRevoked, bindings},
		"nobody has found out since":                    {spec{revokedBefore, toCredential}, deniedBefore, unknown, 0, v1alpha1.ReasonDeniedByAPIServer, api},
		"it is denied no more":                          {spec{revokedBefore, toCredential}, deniedBefore, bindings, 0, v1alpha1.ReasonRevoked, bindings},
		"alone, and denied":                             {spec{revoking("f1")}, nothing, api, 0, v1alpha1.ReasonDeniedByAPIServer, api},
		"alone, and not denied":                         {spec{revoking("f1")}, nothing, bindings, 0, v1alpha1.ReasonNotDenied, bindings},
		"alone, not denied, and over":                   {spec{revoking("f1")}, nothing, bindings, 2 * time.Hour, v1alpha1.ReasonRevoked, bindings},
		"alone, of another CA or over for long":         {spec{revoking("f2")}, nothing, bindings, 0, v1alpha1.ReasonRevoked, bindings},
		"alone, maybe one that is not listed":           {spec{revoking("f2")}, others, bindings, 0, v1alpha1.ReasonNotDenied, bindings},
		"alone, and by time, too":                       {spec{revoking("f1"), revokedBefore, toCredential}, nothing, bindings, 0, v1alpha1.ReasonRevoked, bindings},
		"alone, newer than the revocation by time":      {spec{revoking("f1"), revokedBefore, toCredential}, asked, bindings, 0, v1alpha1.ReasonNotDenied, bindings},
	} {
		t.Run(name, func(t *testing.T) {
			before := marked()
			test.before(&before)
			status := Compute(Input{
				Identity: identity(test.spec...), Before: before, Now: start.Add(test.after), Reach: test.reach,
				Credential: Credential{SecretRef: before.SecretRef, Usable: true, UpToDate: true},
			})
			c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRevocationComplete)
			switch {
			case c == nil && test.want != "":
				t.Fatalf("says nothing, want %s", test.want)
			case c != nil && c.Reason != test.want:
				t.Errorf("%s: %s; want %s", c.Reason, c.Message, test.want)
			case c != nil && (c.Status == metav1.ConditionTrue) != (c.Reason == v1alpha1.ReasonRevoked || c.Reason == v1alpha1.ReasonDeniedByAPIServer):
				t.Errorf("%s is %s", c.Reason, c.Status)
			}
			if status.RevocationReach != test.says {
				t.Errorf("reaches %q, want %q", status.RevocationReach, test.says)
			}
		})
	}
}

func TestWhatTheStatusDoesNotListIsDeniedAsItWasIssued(t *testing.T) {
	for fingerprint, want := range map[string]string{"f1": "spec.revokedCertificates", "f2": "as they were issued"} {
		status := Compute(Input{
			Identity: identity(revoking(fingerprint)), Before: marked(), Now: start, Reach: v1alpha1.ReachAPIServer,
			Credential: Credential{Usable: true, UpToDate: true},
		})
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRevocationComplete)
		if c == nil || c.Reason != v1alpha1.ReasonDeniedByAPIServer || !strings.HasSuffix(c.Message, want) {
			t.Errorf("%s: %+v, want %q", fingerprint, c, want)
		}
	}
}

func TestABindingThatIsNotRevokedCountsMoreThanADenial(t *testing.T) {
	rights := &problem.Problem{Reason: v1alpha1.ReasonBindingNotRevoked, Message: "a binding"}
	status := Compute(Input{
		Identity: identity(revokedBefore, toCredential), Before: standing(), Now: start, Reach: v1alpha1.ReachAPIServer, Bindings: Bindings{Rights: rights},
	})
	c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRevocationComplete)
	if c == nil || c.Reason != v1alpha1.ReasonBindingNotRevoked || status.CompletedRevocation != nil {
		t.Errorf("%+v, completed %v", c, status.CompletedRevocation)
	}
}

func TestAWithdrawalSaysHowFarItReaches(t *testing.T) {
	for name, test := range map[string]struct {
		reach  v1alpha1.RevocationReach
		others *v1alpha1.OtherCertificates
		want   string
	}{
		"bindings":                 {v1alpha1.ReachBindings, nil, "are gone"},
		"the API server":           {v1alpha1.ReachAPIServer, nil, "are gone, and the API server denies every request with its certificates"},
		"those that it knows":      {v1alpha1.ReachAPIServer, &v1alpha1.OtherCertificates{NotAfter: at(time.Hour)}, "that carry its credential group"},
		"nobody has found out yet": {"", nil, "are gone"},
	} {
		t.Run(name, func(t *testing.T) {
			before := marked()
			before.ResidualAccess, before.OtherCertificates = nil, test.others
			status := ComputeWithdrawn(Withdrawal{
				Identity: identity(), Before: before, Ending: access.Ending{Reason: v1alpha1.ReasonWithdrawnByState}, SecretGone: true, CredentialGone: true, Done: true, Reach: test.reach, Now: start,
			})
			c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionWithdrawn)
			if c == nil || !strings.HasSuffix(c.Message, test.want) {
				t.Errorf("%+v, want %q", c, test.want)
			}
		})
	}
}
