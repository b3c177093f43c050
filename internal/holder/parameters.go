// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/timing"
)

// parametersVersion is the version of the encoding. A device that does not know it is to be updated.
const parametersVersion = "v1"

// maxParameters bounds, in bytes, parameters that are read.
const maxParameters = 64 << 10

// Parameters tell a device what to ask for, and when to renew. They stand in the published Secret under v1alpha1.RequestKey, and in
// invitations; nothing in them is secret.
type Parameters struct {
	// Version is "v1".
	Version string `json:"version"`
	// Identity and UID name the identity.
	Identity string    `json:"identity"`
	UID      types.UID `json:"uid"`
	// Username and Groups are the subject, without the groups that each certificate has of its own.
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`
	// Revocation is spec.revokeIssuedBefore: it is in the credential group.
	Revocation *metav1.Time `json:"revokeIssuedBefore,omitempty"`
	SignerName string       `json:"signerName"`
	// TTL is the lifetime to ask for, at most; AccessUntil the end of what may be asked for.
	TTL         metav1.Duration `json:"ttl"`
	AccessUntil *metav1.Time    `json:"accessUntil,omitempty"`
	// Algorithm and Size are those of the key: the size is the least one.
	Algorithm v1alpha1.KeyAlgorithm `json:"algorithm"`
	Size      int32                 `json:"size,omitempty"`
	// RenewBefore and RenewBeforePercentage say when to renew, as in the spec.
	RenewBefore           *metav1.Duration `json:"renewBefore,omitempty"`
	RenewBeforePercentage *int32           `json:"renewBeforePercentage,omitempty"`
}

// ParametersFor returns what devices of an identity are to ask for; maxTTL bounds the lifetime, zero does not.
func ParametersFor(identity *v1alpha1.ClientIdentity, maxTTL time.Duration) Parameters {
	spec := &identity.Spec
	ttl := spec.TTL
	if maxTTL > 0 && ttl.Duration > maxTTL {
		ttl.Duration = maxTTL
	}
	return Parameters{
		Version: parametersVersion, Identity: identity.Name, UID: identity.UID,
		Username: spec.Username, Groups: spec.Groups, Revocation: spec.RevokeIssuedBefore,
		SignerName: spec.SignerName, TTL: ttl, AccessUntil: spec.AccessUntil,
		Algorithm: spec.PrivateKey.Algorithm, Size: spec.PrivateKey.Size,
		RenewBefore: spec.RenewBefore, RenewBeforePercentage: spec.RenewBeforePercentage,
	}
}

// Subject returns the subject to ask for: user and groups, the credential group, and a group that no other certificate has. All
// certificates of devices carry both, so that each of them can be revoked wherever the API server asks.
func (p Parameters) Subject() certificate.Subject {
	return certificate.Subject{Username: p.Username, Groups: p.Groups}.Deniable(p.UID, timing.Of(p.Revocation))
}

// PrivateKey returns the key to make.
func (p Parameters) PrivateKey() v1alpha1.PrivateKey {
	return v1alpha1.PrivateKey{Algorithm: p.Algorithm, Size: p.Size}
}

// Encode returns parameters as they are published: the same ones give the same bytes.
func (p Parameters) Encode() ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode what devices are to ask for: %w", err)
	}
	return data, nil
}

// ParseParameters reads published parameters. It fails for those of a later version, and where something is missing.
func ParseParameters(data []byte) (Parameters, error) {
	var p Parameters
	if len(data) > maxParameters {
		return p, fmt.Errorf("%s has more than %d bytes", v1alpha1.RequestKey, maxParameters)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%s cannot be read: %w", v1alpha1.RequestKey, err)
	}
	switch {
	case p.Version != parametersVersion:
		return p, fmt.Errorf("%s has the version %q, and this program knows %q: update kubectl-clientidentity", v1alpha1.RequestKey, p.Version, parametersVersion)
	case p.Identity == "" || p.UID == "" || p.Username == "" || p.SignerName == "":
		return p, errors.New(v1alpha1.RequestKey + " lacks the identity, its UID, its user or its signer")
	}
	return p, nil
}
