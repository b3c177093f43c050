// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package issuer knows which CAs certificates come from: which one a signer uses by now, and which ones the API server does
// not accept any more. It reads identities from a cache, and touches no dependent.
package issuer

import (
	"cmp"
	"sync"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// key identifies a CA: by its name and its key, since a rotated CA mostly keeps its name.
type key struct {
	name, keyID string
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.name, other.name), cmp.Compare(k.keyID, other.keyID))
}

func keyOf(c *v1alpha1.CertificateStatus) key {
	return key{name: c.Issuer, keyID: c.AuthorityKeyID}
}

// Registry is what this process knows of the CAs that certificates come from.
type Registry struct {
	mu sync.Mutex
	// refused says since when the API server does not accept the certificates of a CA.
	refused map[key]time.Time
	// newest is, for each signer, the newest certificate that was seen.
	bySigner map[string]newest
	// changed is told when something here changed that concerns all identities.
	changed func()
}

type newest struct {
	issuer      key
	requestTime time.Time
	// since is when the signer was seen to use this issuer.
	since time.Time
}

// NewRegistry returns a registry of which nothing is known. Changed is called, under a lock, when something changed that
// concerns all identities: it must not block.
func NewRegistry(changed func()) *Registry {
	return &Registry{refused: map[key]time.Time{}, bySigner: map[string]newest{}, changed: changed}
}

// Seen notes that a signer issued a certificate.
func (r *Registry) Seen(signer string, c *v1alpha1.CertificateStatus, now time.Time) {
	if c.RequestTime == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.bySigner[signer]
	if known && !c.RequestTime.After(last.requestTime) {
		return
	}
	next := newest{issuer: keyOf(c), requestTime: c.RequestTime.Time, since: now}
	if known && last.issuer == next.issuer {
		next.since = last.since
	}
	r.bySigner[signer] = next
	if known && last.issuer != next.issuer {
		r.changed()
	}
}

// Superseded says since when the signer of a certificate is seen to use another CA than the one that issued it; the
// zero time where it still uses that.
func (r *Registry) Superseded(signer string, c *v1alpha1.CertificateStatus) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.bySigner[signer]
	if !known || last.issuer == keyOf(c) || c.RequestTime == nil || !last.requestTime.After(c.RequestTime.Time) {
		return time.Time{}
	}
	return last.since
}

// refuse notes that the API server does not accept the certificates that a CA has issued until now.
func (r *Registry) refuse(issuer key, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused[issuer] = now
	r.changed()
}

// RefusedSince says since when the issuer of a certificate is not accepted any more; the zero time where it is, or
// where the certificate is younger: each certificate is issued again once, whatever the CA does next.
func (r *Registry) RefusedSince(c *v1alpha1.CertificateStatus) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, known := r.refused[keyOf(c)]
	if !known || (c.RequestTime != nil && !c.RequestTime.Time.Before(since.Truncate(time.Second))) {
		return time.Time{}
	}
	return since
}
