// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	certificatesv1 "k8s.io/api/certificates/v1"
)

// deny is a signer's place taken by a person who denies.
func deny(csr *certificatesv1.CertificateSigningRequest) {
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{
		{Type: certificatesv1.CertificateDenied, Status: "True", Reason: "NoThanks", Message: "not on my watch"},
	}
}
