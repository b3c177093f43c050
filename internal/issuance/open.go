// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"crypto"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// Open is a certificate that this process has asked for and not published yet. It holds the only
// copy of the private key: a key reaches the API together with its certificate, or never. It is not changed: each step
// puts another one in its place.
type Open struct {
	Order
	// Key is the private key.
	Key crypto.Signer
	// RequestTime is when it was asked for.
	RequestTime time.Time
	// Issued is the certificate, once the API server has accepted it as a credential.
	Issued *certificate.Issued

	csrName string
	csrUID  types.UID
	// request is the PKCS #10 request (PEM) in the CertificateSigningRequest.
	request  []byte
	approved bool
	// notServing is set once the signer has let the request wait too long.
	notServing bool
}

// Submitted says whether the API server is known to have the request.
func (o *Open) Submitted() bool { return o.csrUID != "" }

// Name is the name of the CertificateSigningRequest.
func (o *Open) Name() string { return o.csrName }

// openRequests are the open requests of this process, at most one for an identity.
type openRequests struct {
	mu    sync.Mutex
	byUID map[types.UID]*Open
	names map[string]types.UID
}

func newOpenRequests() *openRequests {
	return &openRequests{byUID: map[types.UID]*Open{}, names: map[string]types.UID{}}
}

// get returns the open request of an identity, or nil.
func (o *openRequests) get(uid types.UID) *Open {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byUID[uid]
}

// put remembers the open request of an identity.
func (o *openRequests) put(name string, uid types.UID, request *Open) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if old, ok := o.names[name]; ok && old != uid {
		delete(o.byUID, old)
	}
	o.names[name] = uid
	o.byUID[uid] = request
}

// step puts another Open in the place of one, with something more known of it, and returns it.
func (o *openRequests) step(identity *v1alpha1.ClientIdentity, request *Open, learn func(*Open)) *Open {
	next := *request
	learn(&next)
	o.put(identity.Name, identity.UID, &next)
	return &next
}

// forget drops the open request of the identity of that name, and its key with it.
func (o *openRequests) forget(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if uid, ok := o.names[name]; ok {
		delete(o.byUID, uid)
		delete(o.names, name)
	}
}
