// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"hash/fnv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// issuerKey identifies a CA: by its name and its key, since a rotated CA mostly keeps its name.
type issuerKey struct {
	name, keyID string
}

func (k issuerKey) compare(other issuerKey) int {
	return cmp.Or(cmp.Compare(k.name, other.name), cmp.Compare(k.keyID, other.keyID))
}

func issuerOf(c *v1alpha1.CertificateStatus) issuerKey {
	return issuerKey{name: c.Issuer, keyID: c.AuthorityKeyID}
}

// issuers is what this process knows of the CAs that certificates come from.
type issuers struct {
	mu sync.Mutex
	// refused says since when the API server does not accept the certificates of a CA.
	refused map[issuerKey]time.Time
	// newest is, for each signer, the newest certificate that was seen.
	newest map[string]newestIssue
	// changed is told when something here changed that concerns all identities.
	changed func()
}

type newestIssue struct {
	issuer   issuerKey
	issuedAt time.Time
	// since is when the signer was seen to use this issuer.
	since time.Time
}

func newIssuers(changed func()) *issuers {
	return &issuers{refused: map[issuerKey]time.Time{}, newest: map[string]newestIssue{}, changed: changed}
}

// seen notes that a signer issued a certificate.
func (i *issuers) seen(signer string, c *v1alpha1.CertificateStatus, now time.Time) {
	if c.IssuedAt == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	last, known := i.newest[signer]
	if known && !c.IssuedAt.After(last.issuedAt) {
		return
	}
	next := newestIssue{issuer: issuerOf(c), issuedAt: c.IssuedAt.Time, since: now}
	if known && last.issuer == next.issuer {
		next.since = last.since
	}
	i.newest[signer] = next
	if known && last.issuer != next.issuer {
		i.changed()
	}
}

// superseded says since when the signer of a certificate is seen to use another CA than the one that issued it; the
// zero time where it still uses that.
func (i *issuers) superseded(signer string, c *v1alpha1.CertificateStatus) time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	newest, known := i.newest[signer]
	if !known || newest.issuer == issuerOf(c) || c.IssuedAt == nil || !newest.issuedAt.After(c.IssuedAt.Time) {
		return time.Time{}
	}
	return newest.since
}

// refuse notes that the API server does not accept the certificates that a CA has issued until now.
func (i *issuers) refuse(issuer issuerKey, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refused[issuer] = now
	i.changed()
}

// refusedSince says since when the issuer of a certificate is not accepted any more; the zero time where it is, or
// where the certificate is younger: each certificate is issued again once, whatever the CA does next.
func (i *issuers) refusedSince(c *v1alpha1.CertificateStatus) time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	since, known := i.refused[issuerOf(c)]
	if !known || (c.IssuedAt != nil && !c.IssuedAt.Time.Before(since.Truncate(time.Second))) {
		return time.Time{}
	}
	return since
}

// spreadOver returns a moment in the window after since that depends on the identity alone, so that a fleet does
// not act in one burst.
func spreadOver(since time.Time, window time.Duration, uid types.UID) time.Time {
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid))
	return since.Add(window / 1024 * time.Duration(h.Sum32()%1024)).Truncate(time.Second)
}
