// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/internal/certificate"
)

// pendingRequest is a certificate that this process has asked for and not published yet. It holds the only
// copy of the private key: a key reaches the API together with its certificate, or never.
type pendingRequest struct {
	csrName string
	csrUID  types.UID

	key     crypto.Signer
	subject certificate.Subject
	// request is the PKCS #10 request (PEM) in the CertificateSigningRequest.
	request []byte
	// signerName, requestedTTL and hash are what was asked for.
	signerName   string
	requestedTTL time.Duration
	hash         string
	issuedAt     time.Time
	// renewRequest is the value of the renew-requested-at annotation that this request answers.
	renewRequest string

	approved bool
	// notServing is set once the signer has let the request wait too long.
	notServing bool
	// issued is the certificate, once the API server has accepted it as a credential.
	issued *certificate.Issued
}

// pendingRequests are the open requests of this process, at most one for an identity.
type pendingRequests struct {
	mu    sync.Mutex
	byUID map[types.UID]*pendingRequest
	names map[string]types.UID
}

func newPendingRequests() *pendingRequests {
	return &pendingRequests{byUID: map[types.UID]*pendingRequest{}, names: map[string]types.UID{}}
}

// get returns the open request of an identity, or nil.
func (p *pendingRequests) get(uid types.UID) *pendingRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byUID[uid]
}

// put remembers the open request of an identity.
func (p *pendingRequests) put(name string, uid types.UID, request *pendingRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.names[name]; ok && old != uid {
		delete(p.byUID, old)
	}
	p.names[name] = uid
	p.byUID[uid] = request
}

// forget drops the open request of the identity of that name, and its key with it.
func (p *pendingRequests) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if uid, ok := p.names[name]; ok {
		delete(p.byUID, uid)
		delete(p.names, name)
	}
}
