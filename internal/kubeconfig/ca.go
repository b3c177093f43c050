// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxCABytes bounds a CA bundle: it is copied into every kubeconfig, base64-encoded.
const maxCABytes = 256 << 10

// ValidateCA returns nil if a PEM bundle has at most 256 KiB and at least one certificate, and if all of
// its blocks are certificates that a client will really use. Clients skip what they cannot use without a
// word (x509.CertPool.AppendCertsFromPEM), and then fail with an unknown authority. Text around the
// blocks is allowed (RFC 7468, 5.2): bundles carry comments. Messages never quote the bundle, into which
// somebody may have pasted a key, and continue a field such as "certificateAuthorityData: ".
func ValidateCA(bundle []byte) error {
	if len(bundle) > maxCABytes {
		return fmt.Errorf("the CA bundle has %d bytes, at most %d are allowed: leave out the CAs that did not sign the server's certificate",
			len(bundle), maxCABytes)
	}
	begin := []byte("-----BEGIN ")
	count := 0
	for rest := bundle; ; count++ {
		block, after := pem.Decode(rest)
		if block == nil {
			if bytes.Contains(rest, begin) {
				return fmt.Errorf("block %d of the CA bundle is damaged: copy the certificate again, with its BEGIN and END lines", count+1)
			}
			break
		}
		if bytes.Count(rest[:len(rest)-len(after)], begin) != 1 {
			return fmt.Errorf("block %d of the CA bundle is damaged: copy the certificate again, with its BEGIN and END lines", count+1)
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			return fmt.Errorf("block %d of the CA bundle is not a plain CERTIFICATE: put only the certificates of CAs there, never a private key", count+1)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("block %d of the CA bundle is not a certificate that can be parsed: copy it again from its source", count+1)
		}
		rest = after
	}
	if count == 0 {
		return errors.New("the CA bundle has no certificate: set it to the PEM of the CA that signed the API server's certificate (\"-----BEGIN CERTIFICATE-----\" ...), base64-encoded once")
	}
	return nil
}
