// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// requestHashVersion begins every request hash. Change it with the encoding: hashes of other versions
// count as unchanged, so that an upgrade of the operator does not re-issue a whole fleet.
const requestHashVersion = "v1:"

// defaultTTL is the default of spec.ttl. The schema fills it in; here it keeps an object that was made
// without a schema from looking like another request.
const defaultTTL = 2160 * time.Hour

// Inputs is all of a spec that a certificate depends on. What is not in it (renewal, bindings, the
// Secret, rotationPolicy) can change without a new certificate.
type Inputs struct {
	Username           string
	Groups             []string // a set
	TTL                time.Duration
	Key                v1alpha1.PrivateKey // algorithm and size
	SignerName         string
	RevokeIssuedBefore *time.Time
	// CredentialUID is the UID of the identity where bindTo is Credential, empty otherwise.
	CredentialUID types.UID
}

// RequestHash returns "v1:" and 32 hexadecimal digits that identify what was asked for. It does not
// depend on the order of the groups, on whether a default is written out, or on fractions of a second,
// which a CertificateSigningRequest cannot ask for.
func RequestHash(in Inputs) string {
	algorithm, size := explicit(in.Key)
	// The names and the order of the fields are the encoding: changing them changes every hash.
	encoding := struct {
		Username           string   `json:"username"`
		Groups             []string `json:"groups"`
		TTLSeconds         int64    `json:"ttlSeconds"`
		KeyAlgorithm       string   `json:"keyAlgorithm"`
		KeySize            int      `json:"keySize"`
		SignerName         string   `json:"signerName"`
		RevokeIssuedBefore int64    `json:"revokeIssuedBefore"`
		CredentialUID      string   `json:"credentialUID"`
	}{
		Username:           in.Username,
		Groups:             append([]string{}, set(in.Groups)...), // never null
		TTLSeconds:         int64(in.TTL / time.Second),
		KeyAlgorithm:       string(algorithm),
		KeySize:            size,
		SignerName:         in.SignerName,
		RevokeIssuedBefore: unixSeconds(in.RevokeIssuedBefore),
		CredentialUID:      string(in.CredentialUID),
	}
	if in.TTL == 0 {
		encoding.TTLSeconds = int64(defaultTTL / time.Second)
	}
	if in.SignerName == "" {
		encoding.SignerName = certificatesv1.KubeAPIServerClientSignerName
	}
	// Strings and numbers always marshal.
	data, _ := json.Marshal(encoding)
	sum := sha256.Sum256(data)
	return requestHashVersion + hex.EncodeToString(sum[:16])
}

// RequestHashOf returns the request hash of a spec and the UID of its identity.
func RequestHashOf(spec *v1alpha1.ClientIdentitySpec, uid types.UID) string {
	in := Inputs{
		Username:           spec.Username,
		Groups:             spec.Groups,
		TTL:                spec.TTL.Duration,
		Key:                spec.PrivateKey,
		SignerName:         spec.SignerName,
		RevokeIssuedBefore: timing.Of(spec.RevokeIssuedBefore),
	}
	// Only then is the UID in the certificate: a restored identity has another UID and needs another one.
	if spec.BindTo == v1alpha1.BindToCredential {
		in.CredentialUID = uid
	}
	return RequestHash(in)
}

// SameRequest says whether the hash recorded beside a certificate stands for the request wanted now.
// Nothing recorded is another request: then nobody knows what was asked for. A hash of an unknown version
// is the same one, so that neither an upgrade nor a downgrade of the operator re-issues everything.
func SameRequest(recorded, wanted string) bool {
	if recorded == "" {
		return false
	}
	return recorded == wanted || !strings.HasPrefix(recorded, requestHashVersion)
}
