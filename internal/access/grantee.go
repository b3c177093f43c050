// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/timing"
)

// WantedGroup returns the credential group that certificates of an identity carry from now on; empty with bindTo: Username.
func WantedGroup(id *v1alpha1.ClientIdentity) string {
	if id.Spec.BindTo != v1alpha1.BindToCredential {
		return ""
	}
	return certificate.CredentialGroup(string(id.UID), timing.Of(id.Spec.RevokeIssuedBefore))
}

// BoundGroup returns the group that the bindings of an identity name now, or "" where they name the user or a group of the
// spec. Published are the groups in the published certificate: nil where none is published, empty where it has none.
//
// It is WantedGroup, with one exception: an identity that has just been switched to bindTo: Credential. Its bindings keep
// naming the user until the published certificate carries the group, so that its holder is not interrupted. A revocation
// does interrupt: what counts is the group in the certificate, not when anything was issued.
func BoundGroup(id *v1alpha1.ClientIdentity, published []string) string {
	group := WantedGroup(id)
	switched := published != nil && !slices.ContainsFunc(published, isOwnCredentialGroup(id))
	if switched && id.Spec.RevokeIssuedBefore == nil {
		return ""
	}
	return group
}

// isOwnCredentialGroup returns whether a group is one of the identity's own, of any revocation.
func isOwnCredentialGroup(id *v1alpha1.ClientIdentity) func(string) bool {
	prefix := certificate.CredentialGroupPrefix(string(id.UID))
	return func(group string) bool { return strings.HasPrefix(group, prefix) && group != prefix }
}

// Revoked says whether a published certificate was issued before the revocation that the spec asks for. Published are the
// groups in it. What counts is what the certificate was asked with, not when: a leak may be noticed late, and clocks differ.
func Revoked(id *v1alpha1.ClientIdentity, current *v1alpha1.CertificateStatus, published []string) bool {
	revoke := id.Spec.RevokeIssuedBefore
	if revoke == nil {
		return false
	}
	if group := WantedGroup(id); group != "" {
		return !slices.Contains(published, group)
	}
	return current == nil || RevokedSince(&id.Spec, timing.Of(current.RevokeIssuedBefore))
}

// RevokedSince says whether a certificate was asked for with another revokeIssuedBefore than the spec has.
func RevokedSince(spec *v1alpha1.ClientIdentitySpec, askedWith *time.Time) bool {
	revoke := spec.RevokeIssuedBefore
	return revoke != nil && (askedWith == nil || askedWith.Unix() != revoke.Unix())
}

// RevokedAlone says whether spec.revokedCertificates has a fingerprint.
func RevokedAlone(spec *v1alpha1.ClientIdentitySpec, fingerprint string) bool {
	return slices.ContainsFunc(spec.RevokedCertificates, func(c v1alpha1.RevokedCertificate) bool { return c.Fingerprint == fingerprint })
}

// Listed returns the certificate of that fingerprint that a status lists, or nil.
func Listed(status *v1alpha1.ClientIdentityStatus, fingerprint string) *v1alpha1.IssuedCertificate {
	for i := range status.Certificates {
		if status.Certificates[i].Fingerprint == fingerprint {
			return &status.Certificates[i]
		}
	}
	return nil
}

// GrantsOlderCredential says whether subjects of a binding that is not (any more) an identity's own name an earlier credential of
// it, while that is revoked: somebody took owner and labels off, or put the group there.
func GrantsOlderCredential(id *v1alpha1.ClientIdentity, subjects []rbacv1.Subject) bool {
	wanted, own := WantedGroup(id), isOwnCredentialGroup(id)
	return wanted != "" && id.Spec.RevokeIssuedBefore != nil && slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.GroupKind && s.Name != wanted && own(s.Name)
	})
}

// GrantsNewerCredential says whether subjects of a binding name a later credential of an identity than its spec asks for: somebody
// knows a newer spec, or a revocation that was ahead of its time was followed by an earlier one.
func GrantsNewerCredential(id *v1alpha1.ClientIdentity, subjects []rbacv1.Subject) bool {
	wanted := int64(0)
	if id.Spec.RevokeIssuedBefore != nil {
		wanted = id.Spec.RevokeIssuedBefore.Unix()
	}
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		uid, seconds, ok := certificate.ParseCredentialGroup(s.Name)
		return ok && uid == certificate.UIDKey(string(id.UID)) && s.Kind == rbacv1.GroupKind && seconds > wanted
	})
}

// GrantsOthers says whether subjects of a binding of an identity are more than its newest credential, where a revocation is to
// take everything from all others. ServiceAccounts have no certificates: the schema lets no identity have such a username.
func GrantsOthers(id *v1alpha1.ClientIdentity, subjects []rbacv1.Subject) bool {
	if WantedGroup(id) == "" || id.Spec.RevokeIssuedBefore == nil {
		return false
	}
	holders := slices.DeleteFunc(slices.Clone(subjects), func(s rbacv1.Subject) bool { return s.Kind == rbacv1.ServiceAccountKind })
	newest := len(holders) == 1 && holders[0].Kind == rbacv1.GroupKind && holders[0].Name == WantedGroup(id)
	return len(holders) > 0 && !newest
}

// GrantsRevoked says whether subjects of a binding of an identity give something to certificates that a revocation is meant
// for: they name another credential group of it than the wanted one, or the user or a group that those certificates carry, too.
func GrantsRevoked(id *v1alpha1.ClientIdentity, subjects []rbacv1.Subject) bool {
	wanted := WantedGroup(id)
	if wanted == "" || id.Spec.RevokeIssuedBefore == nil {
		return false
	}
	// Groups that the spec has no more are in certificates that the status tells of.
	own, who := isOwnCredentialGroup(id), HolderOf(id, &id.Status)
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		newest := s.Kind == rbacv1.GroupKind && s.Name == wanted
		return !newest && (s.Kind == rbacv1.GroupKind && own(s.Name) || who.Among([]rbacv1.Subject{s}))
	})
}
