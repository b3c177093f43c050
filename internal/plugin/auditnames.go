// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// known says how a certificate is known.
type known string

const (
	// knownListed means that the status of an identity lists it.
	knownListed known = "Listed"
	// knownReencoded means that it carries the group of a certificate that is listed, and has another fingerprint: its holder has encoded it in another way,
	// which does not happen by accident.
	knownReencoded known = "Reencoded"
	// knownByGroup means that it carries the credential group of an identity, which does not list it (any more): it has ended, there was no room for it, or its
	// holder encoded it in another way.
	knownByGroup known = "ByGroup"
	// knownNot means that no identity is known to have it.
	knownNot known = "Unknown"
)

// named is whose a certificate is.
type named struct {
	Known    known  `json:"known"`
	Identity string `json:"identity,omitempty"`
	Device   string `json:"device,omitempty"`
	Revision int64  `json:"revision,omitempty"`
}

// names finds whose certificates are.
type names struct {
	listed  map[string]named
	byGroup map[string]named // by the group that no other certificate has
	byUID   map[string]string
}

// newNames indexes the certificates of all identities.
func newNames(all []v1alpha1.ClientIdentity) *names {
	n := &names{listed: map[string]named{}, byGroup: map[string]named{}, byUID: map[string]string{}}
	for i := range all {
		id := &all[i]
		n.byUID[certificate.UIDKey(string(id.UID))] = id.Name
		for j := range id.Status.Devices {
			d := &id.Status.Devices[j]
			n.listed[d.Fingerprint] = named{knownListed, id.Name, d.Name, d.Revision}
		}
		for j := range id.Status.Certificates {
			c := &id.Status.Certificates[j]
			n.listed[c.Fingerprint] = named{knownListed, id.Name, c.Device, c.Revision}
			for _, group := range c.Groups {
				if strings.HasPrefix(group, v1alpha1.CertificateGroupPrefix) {
					n.byGroup[group] = named{knownReencoded, id.Name, c.Device, c.Revision}
				}
			}
		}
	}
	delete(n.listed, "")
	return n
}

// of returns whose the certificate of an event is. The groups are those that the CA signed.
func (n *names) of(e *auditEvent) named {
	if found, ok := n.listed[e.fingerprint()]; ok {
		return found
	}
	for _, group := range e.User.Groups {
		if found, ok := n.byGroup[group]; ok {
			return found
		}
	}
	for _, group := range e.User.Groups {
		uid, _, ok := certificate.ParseCredentialGroup(group)
		if name := n.byUID[uid]; ok && name != "" {
			return named{Known: knownByGroup, Identity: name}
		}
	}
	return named{Known: knownNot}
}
