// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/history"
	"github.com/clientidentity/operator/internal/timing"
)

// setRevocation says whether what the spec revokes is dead: certificates from before spec.revokeIssuedBefore, and those of
// spec.revokedCertificates.
func setRevocation(status *v1alpha1.ClientIdentityStatus, in Input) {
	spec := &in.Identity.Spec
	status.CompletedRevocation = nil
	if spec.RevokeIssuedBefore == nil && len(spec.RevokedCertificates) == 0 {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionRevocationComplete)
		status.RevocationReach = ""
		return
	}
	setReach(status, in.Reach)
	c := revocation(status, in)
	c.Type, c.ObservedGeneration = v1alpha1.ConditionRevocationComplete, in.Identity.Generation
	// With bindTo: Username the bindings name the user: it has to be carried out again, whatever came of it.
	if revoke := spec.RevokeIssuedBefore; revoke != nil && spec.BindTo == v1alpha1.BindToCredential && in.Bindings.Rights == nil {
		status.CompletedRevocation = &metav1.Time{Time: revoke.Rfc3339Copy().Time}
	}
	meta.SetStatusCondition(&status.Conditions, c)
}

func revocation(status *v1alpha1.ClientIdentityStatus, in Input) metav1.Condition {
	spec := &in.Identity.Spec
	no := func(reason, format string, args ...any) metav1.Condition {
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	yes := func(reason, format string, args ...any) metav1.Condition {
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	if rights := in.Bindings.Rights; rights != nil {
		return no(rights.Reason, "%s", rights.Message)
	}
	denied := status.RevocationReach == v1alpha1.ReachAPIServer
	if until := aloneUntil(spec, status, in.Now, denied); !until.IsZero() {
		why := "the API server is not known to ask the operator which certificates to deny (docs/guides/deny.md), so that spec.revokedCertificates ends nothing"
		if denied {
			why = "the API server denies what is in spec.revokedCertificates as it was issued, but its holder can encode a certificate from before it began to ask in another way"
		}
		return no(v1alpha1.ReasonNotDenied, "%s for what is valid until %s: raise spec.revokeIssuedBefore to revoke all that were issued so far", why, timing.Stamp(until))
	}
	if spec.RevokeIssuedBefore == nil {
		if denied {
			return yes(v1alpha1.ReasonDeniedByAPIServer, "The API server denies every request with the certificates in spec.revokedCertificates%s", unlisted(spec, status))
		}
		return yes(v1alpha1.ReasonRevoked, "No certificate that was issued for this identity and is in spec.revokedCertificates is valid any more")
	}
	when := timing.Stamp(spec.RevokeIssuedBefore.Time)
	until := unrevokedUntil(spec, status, in.Now)
	switch {
	case denied && recognizable(in.Identity, status, in.Now):
		return yes(v1alpha1.ReasonDeniedByAPIServer, "The API server denies every request with certificates issued before %s, whoever granted them something", when)
	case spec.BindTo == v1alpha1.BindToCredential:
		return yes(v1alpha1.ReasonRevoked, "Certificates issued before %s have nothing that the role bindings of this identity grant; "+
			"what others granted to the user or its groups is theirs to take away", when)
	case !until.IsZero():
		return no(v1alpha1.ReasonOlderCertificatesValid, "bindings name the user, so that certificates issued before %s keep what it is granted, "+
			"until %s: set bindTo: Credential to end that at once", when, timing.Stamp(until))
	}
	return yes(v1alpha1.ReasonRevoked, "No certificate issued before %s is valid any more", when)
}

// setReach says how far a revocation reaches: as was said before, while nobody has found out.
func setReach(status *v1alpha1.ClientIdentityStatus, reach v1alpha1.RevocationReach) {
	status.RevocationReach = cmp.Or(reach, status.RevocationReach, v1alpha1.ReachBindings)
}

// unlisted continues what is said of spec.revokedCertificates, where the status does not tell by which group one is known.
func unlisted(spec *v1alpha1.ClientIdentitySpec, status *v1alpha1.ClientIdentityStatus) string {
	for i := range spec.RevokedCertificates {
		if access.Listed(status, spec.RevokedCertificates[i].Fingerprint) == nil {
			return "; those that status.certificates does not list, as they were issued"
		}
	}
	return ""
}

// recognizable says whether the API server knows all valid certificates of an identity by a group in them, which their holder cannot
// change: those that were issued before it asked may be without.
func recognizable(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, now time.Time) bool {
	prefix := certificate.CredentialGroupPrefix(string(identity.UID))
	return !othersValid(status, now) && !slices.ContainsFunc(status.Certificates, func(c v1alpha1.IssuedCertificate) bool {
		return !history.Over(c.NotAfter, now) && !hasPrefix(c.Groups, prefix)
	})
}

func hasPrefix(groups []string, prefix string) bool {
	return slices.ContainsFunc(groups, func(group string) bool { return strings.HasPrefix(group, prefix) })
}

// aloneUntil returns until when certificates in spec.revokedCertificates are valid and have rights all the same; the zero time where
// there is none. Where they are denied, that is those without a group of their own: their holder can change the fingerprint.
func aloneUntil(spec *v1alpha1.ClientIdentitySpec, status *v1alpha1.ClientIdentityStatus, now time.Time, denied bool) time.Time {
	var until time.Time
	for i := range spec.RevokedCertificates {
		listed := access.Listed(status, spec.RevokedCertificates[i].Fingerprint)
		var end *metav1.Time
		switch {
		case listed != nil && denied && hasPrefix(listed.Groups, v1alpha1.CertificateGroupPrefix):
		case listed != nil && !olderHere(spec, listed):
			end = listed.NotAfter
		case listed == nil && status.OtherCertificates != nil:
			end = status.OtherCertificates.NotAfter // whether it is one of them is not known
		}
		if !history.Over(end, now) && end.After(until) {
			until = end.Time
		}
	}
	return until
}

// olderHere says whether a revocation by time has taken the rights of a certificate already.
func olderHere(spec *v1alpha1.ClientIdentitySpec, c *v1alpha1.IssuedCertificate) bool {
	return spec.BindTo == v1alpha1.BindToCredential && access.RevokedSince(spec, timing.Of(c.RevokeIssuedBefore))
}

// othersValid says whether there are valid certificates that the status does not list one by one.
func othersValid(status *v1alpha1.ClientIdentityStatus, now time.Time) bool {
	return status.OtherCertificates != nil && !history.Over(status.OtherCertificates.NotAfter, now)
}
