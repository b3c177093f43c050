// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
)

const (
	// keys of the Secret, beside tls.crt and tls.key.
	caCertKey = corev1.ServiceAccountRootCAKey
	caKeyKey  = "ca.key"

	authorityName = "client-identity-operator-webhook-ca"

	authorityLifetime   = 10 * 365 * 24 * time.Hour
	certificateLifetime = 365 * 24 * time.Hour
	// renewBefore is how long before its end a CA or certificate is replaced.
	renewBefore = 90 * 24 * time.Hour
	// backdated is how long before now it begins, for API servers whose clocks are behind.
	backdated = time.Hour
)

// maker makes CAs and certificates, and says which are still good.
type maker struct {
	rotator rotator.CertRotator
}

func newMaker(names []string) *maker {
	return &maker{rotator.CertRotator{
		CAName:         authorityName,
		CAOrganization: "client-identity-operator",
		DNSName:        names[0],
		ExtraDNSNames:  names[1:],
		ExtKeyUsages:   &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}}
}

// authority returns the CA in a Secret, or why it must be replaced.
func (m *maker) authority(data map[string][]byte, now time.Time) (*rotator.KeyPairArtifacts, error) {
	for _, at := range when(now) {
		if _, err := rotator.ValidCert(data[caCertKey], data[caCertKey], data[caKeyKey], authorityName, nil, at); err != nil {
			return nil, err
		}
	}
	block, _ := pem.Decode(data[caCertKey])
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	if block, _ = pem.Decode(data[caKeyKey]); block == nil {
		return nil, errors.New("its key is not PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its key cannot be read")
	}
	if !cert.IsCA {
		return nil, errors.New("it is no CA")
	}
	return &rotator.KeyPairArtifacts{Cert: cert, Key: key}, nil
}

// good says whether the certificate in a Secret is one of its CA, and not to be renewed yet.
func (m *maker) good(data map[string][]byte, now time.Time) bool {
	return !slices.ContainsFunc(when(now), func(at time.Time) bool {
		_, err := rotator.ValidCert(data[caCertKey], data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey], m.rotator.DNSName, m.rotator.ExtKeyUsages, at)
		return err != nil
	})
}

// when is at what times a CA or certificate has to be valid: now, too, where it was made by a clock that was ahead.
func when(now time.Time) []time.Time { return []time.Time{now, now.Add(renewBefore)} }

// newAuthority puts a new CA into the data of a Secret.
func (m *maker) newAuthority(data map[string][]byte, now time.Time) (*rotator.KeyPairArtifacts, error) {
	ca, err := m.rotator.CreateCACert(now.Add(-backdated), now.Add(authorityLifetime))
	if err != nil {
		return nil, fmt.Errorf("make a CA for the webhook's certificate: %w", err)
	}
	data[caCertKey], data[caKeyKey] = ca.CertPEM, ca.KeyPEM
	return ca, nil
}

// newCertificate puts a new certificate into the data of a Secret.
func (m *maker) newCertificate(data map[string][]byte, ca *rotator.KeyPairArtifacts, now time.Time) error {
	cert, key, err := m.rotator.CreateCertPEM(ca, now.Add(-backdated), now.Add(certificateLifetime))
	if err != nil {
		return fmt.Errorf("make the webhook's certificate: %w", err)
	}
	data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey] = cert, key
	return nil
}
