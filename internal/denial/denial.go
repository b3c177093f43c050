// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package denial decides which client certificates the API server is to deny: those of identities that were deleted, withdrawn or
// have ended, those that were revoked, and those with a group that their identity has no more. Of everything else it has no
// opinion. It is pure.
package denial

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/timing"
)

// Subject is who sends a request, as the API server has authenticated them.
type Subject struct {
	Username string
	Groups   []string
	// Fingerprints are the SHA-256 of client certificates in hexadecimal: one, or none where the request came with something else.
	Fingerprints []string
}

// Identities finds identities. What is returned is not changed.
type Identities interface {
	// ByUID returns the identity with a UID, which is written without dashes as in credential groups; nil where there is none.
	ByUID(uid string) (*v1alpha1.ClientIdentity, error)
	// ByFingerprint returns the identities whose status lists a certificate, or whose spec revokes it.
	ByFingerprint(fingerprint string) ([]*v1alpha1.ClientIdentity, error)
}

// Reason is why a certificate is denied, in one word.
type Reason string

// Why a certificate is denied.
const (
	// IdentityDeleted means that the identity that the certificate was issued for does not exist any more.
	IdentityDeleted Reason = "IdentityDeleted"
	// AccessEnded means that the identity was withdrawn, is dormant, or has reached its accessUntil.
	AccessEnded Reason = "AccessEnded"
	// CertificateRevoked means that spec.revokedCertificates has the certificate.
	CertificateRevoked Reason = "CertificateRevoked"
	// IssuedBeforeRevocation means that the certificate is older than spec.revokeIssuedBefore.
	IssuedBeforeRevocation Reason = "IssuedBeforeRevocation"
	// GroupRemoved means that the certificate carries a group that the identity has no more.
	GroupRemoved Reason = "GroupRemoved"
)

// Reasons are all of them.
var Reasons = []Reason{IdentityDeleted, AccessEnded, CertificateRevoked, IssuedBeforeRevocation, GroupRemoved}

// Denial says why a certificate is denied, to its holder too.
type Denial struct {
	Reason  Reason
	Message string
	// Identity is the name of the identity; empty where it is gone.
	Identity string
}

// A certificate with this user and this group is always denied: it is how one finds out whether the API server asks.
const (
	CheckUser  = v1alpha1.CredentialGroupPrefix + "denial-check"
	CheckGroup = v1alpha1.CredentialGroupPrefix + "denial-check:0"
)

// DeletedMessage is what the holder of a certificate of a deleted identity is told.
const DeletedMessage = "its ClientIdentity is not known: it was deleted, so ask an administrator of this cluster, or it is so new that you only have to try again"

// Groups and users that Kubernetes is run with. Who has one is never denied: a mistake must not lock a cluster.
const (
	mastersGroup         = "system:masters"
	nodesGroup           = "system:nodes"
	authenticatedGroup   = "system:authenticated"
	serviceAccountPrefix = "system:serviceaccount:"
	nodePrefix           = "system:node:"
)

// Decide returns why a request is to be denied at now, or nil where there is no opinion of it.
func Decide(s Subject, known Identities, now time.Time) (*Denial, error) {
	if !concerned(s) {
		return nil, nil
	}
	for _, group := range s.Groups {
		uid, revocation, ok := certificate.ParseCredentialGroup(group)
		if !ok {
			continue
		}
		identity, err := known.ByUID(uid)
		if err != nil {
			return nil, err
		}
		if identity == nil {
			return &Denial{Reason: IdentityDeleted, Message: DeletedMessage}, nil
		}
		if denial := judge(s, identity, olderThan(identity, revocation), now); denial != nil {
			return denial, nil
		}
	}
	for _, fingerprint := range s.Fingerprints {
		identities, err := known.ByFingerprint(fingerprint)
		if err != nil {
			return nil, err
		}
		// Where one of them has issued it, the others of that user have no say.
		if lists := slices.IndexFunc(identities, func(identity *v1alpha1.ClientIdentity) bool {
			return access.Listed(&identity.Status, fingerprint) != nil
		}); lists >= 0 {
			identities = identities[lists : lists+1]
		}
		for _, identity := range identities {
			if denial := byFingerprint(s, identity, fingerprint, now); denial != nil {
				return denial, nil
			}
		}
	}
	return nil, nil
}

// concerned says whether a request is one with a client certificate that the operator may have issued.
func concerned(s Subject) bool {
	return len(s.Fingerprints) > 0 &&
		!strings.HasPrefix(s.Username, serviceAccountPrefix) && !strings.HasPrefix(s.Username, nodePrefix) &&
		!slices.Contains(s.Groups, mastersGroup) && !slices.Contains(s.Groups, nodesGroup)
}

// byFingerprint judges a certificate by the identity that lists it. Only that of its own user: whoever may write an identity must
// not deny somebody else.
func byFingerprint(s Subject, identity *v1alpha1.ClientIdentity, fingerprint string, now time.Time) *Denial {
	if s.Username != identity.Spec.Username {
		return nil
	}
	if c := access.Listed(&identity.Status, fingerprint); c != nil {
		return judge(s, identity, access.RevokedSince(&identity.Spec, timing.Of(c.RevokeIssuedBefore)), now)
	}
	return revokedAlone(s, identity)
}

// judge judges a certificate that was issued for an identity, and says in what order of reasons: the first is what its holder is told.
func judge(s Subject, identity *v1alpha1.ClientIdentity, older bool, now time.Time) *Denial {
	about := func(reason Reason, format string, args ...any) *Denial {
		return &Denial{Reason: reason, Identity: identity.Name, Message: fmt.Sprintf("ClientIdentity %q ", identity.Name) + fmt.Sprintf(format, args...)}
	}
	if end := access.End(identity, now); end != nil {
		return about(AccessEnded, "has no access any more (%s): ask an administrator of this cluster", end.Reason)
	}
	if denial := revokedAlone(s, identity); denial != nil {
		return denial
	}
	if older {
		return about(IssuedBeforeRevocation, "has revoked the certificates issued before %s, and this one is among them: get the new kubeconfig",
			timing.Stamp(identity.Spec.RevokeIssuedBefore.Time))
	}
	if group, has := foreignGroup(s.Groups, identity); has {
		return about(GroupRemoved, "is not in group %q, which this certificate has: get the new kubeconfig, or try again if the group is new", group)
	}
	return nil
}

// revokedAlone denies a certificate that the spec of an identity revokes by its fingerprint. Its holder can encode the certificate in
// another way, which has another fingerprint: so where the status lists it, the group counts that no other certificate has.
func revokedAlone(s Subject, identity *v1alpha1.ClientIdentity) *Denial {
	revokes := func(entry v1alpha1.RevokedCertificate) bool {
		return slices.Contains(s.Fingerprints, entry.Fingerprint) || carriesGroupOf(s, access.Listed(&identity.Status, entry.Fingerprint))
	}
	i := slices.IndexFunc(identity.Spec.RevokedCertificates, revokes)
	if i < 0 {
		return nil
	}
	revoked := identity.Spec.RevokedCertificates[i]
	message := fmt.Sprintf("ClientIdentity %q has revoked this certificate", identity.Name)
	if revoked.Reason != "" {
		message += " (" + revoked.Reason + ")"
	}
	return &Denial{Reason: CertificateRevoked, Identity: identity.Name, Message: message + ": get the new kubeconfig, or ask an administrator of this cluster"}
}

// carriesGroupOf says whether a request came with the group that no other certificate than that one has; nil is none.
func carriesGroupOf(s Subject, c *v1alpha1.IssuedCertificate) bool {
	return c != nil && slices.ContainsFunc(c.Groups, func(group string) bool {
		return strings.HasPrefix(group, v1alpha1.CertificateGroupPrefix) && slices.Contains(s.Groups, group)
	})
}

// foreignGroup returns a group in a certificate that its identity does not have.
func foreignGroup(groups []string, identity *v1alpha1.ClientIdentity) (string, bool) {
	for _, group := range groups {
		if group != authenticatedGroup && !strings.HasPrefix(group, v1alpha1.CredentialGroupPrefix) && !slices.Contains(identity.Spec.Groups, group) {
			return group, true
		}
	}
	return "", false
}

// olderThan says whether a certificate with the credential group of a revocation is older than the one that an identity asks
// for. A newer one is not: this cache may not have heard of it yet.
func olderThan(identity *v1alpha1.ClientIdentity, revocation int64) bool {
	return identity.Spec.RevokeIssuedBefore != nil && revocation < identity.Spec.RevokeIssuedBefore.Unix()
}

// UIDKey returns a UID as Identities.ByUID takes it.
func UIDKey(identity *v1alpha1.ClientIdentity) string {
	return certificate.UIDKey(string(identity.UID))
}

// FingerprintKeys returns the fingerprints by which Identities.ByFingerprint finds an identity.
func FingerprintKeys(identity *v1alpha1.ClientIdentity) []string {
	var keys []string
	for i := range identity.Status.Certificates {
		keys = append(keys, identity.Status.Certificates[i].Fingerprint)
	}
	for i := range identity.Spec.RevokedCertificates {
		keys = append(keys, identity.Spec.RevokedCertificates[i].Fingerprint)
	}
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(key string) bool { return key == "" })
}
