// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"testing"
)

func TestRevokedCertificates(t *testing.T) {
	const form = "must be the SHA-256 of the certificate in 64 digits of lower-case hexadecimal without colons, as in status.certificates"
	digits := func(digit string) string { return strings.Repeat(digit, 64) }
	one := func(fingerprint, more string) string {
		return `revokedCertificates: [{fingerprint: "` + fingerprint + `"` + more + `}]`
	}
	var many []string
	for n := range 65 {
		many = append(many, fmt.Sprintf(`{fingerprint: "%064x"}`, n))
	}
	list := func(count int) string { return `revokedCertificates: [` + strings.Join(many[:count], ", ") + `]` }
	rules{
		"a fingerprint":         {one(digits("a"), ``), nil},
		"with a reason":         {one(digits("0"), `, reason: "laptop stolen – ask 1st level"`), nil},
		"the longest reason":    {one(digits("0"), `, reason: "`+strings.Repeat("é", 256)+`"`), nil},
		"64 of them":            {list(64), nil},
		"65 of them":            {list(65), want{`spec.revokedCertificates: Too many: 65: must have at most 64 items`}},
		"capitals":              {one(digits("A"), ``), want{invalid("spec.revokedCertificates[0].fingerprint", digits("A"), form)}},
		"with colons":           {one("ab:cd", ``), want{invalid("spec.revokedCertificates[0].fingerprint", "ab:cd", form)}},
		"nothing":               {one("", ``), want{invalid("spec.revokedCertificates[0].fingerprint", "", form)}},
		"a reason in two lines": {one(digits("a"), `, reason: "a\nb"`), want{invalid("spec.revokedCertificates[0].reason", "a\nb", printable)}},
	}.check(t)
}
