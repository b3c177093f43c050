// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package holder is what the operator and the devices of holders (privateKey.source: Holder) agree on: what a request for a certificate
// says, how it is named, and who may make it. It is pure: values and the time in, decisions out.
package holder

import (
	"crypto/rand"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// randomLength is how many random characters end the name of a request.
const randomLength = 10

// RequestName returns a new name for a request of a device: <identity>.<device>.<random>. Nobody can change a name later, so it
// tells what a request is about, and labels only find it.
func RequestName(identity, device string) string {
	return identity + "." + device + "." + strings.ToLower(rand.Text()[:randomLength])
}

// ParseRequestName returns which identity and device a request is about; ok is false for a name of another form.
func ParseRequestName(name string) (identity, device string, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) < 3 || len(parts[len(parts)-1]) != randomLength {
		return "", "", false
	}
	identity, device = strings.Join(parts[:len(parts)-2], "."), parts[len(parts)-2]
	return identity, device, ValidDevice(device) == "" && identity != ""
}

// ValidDevice returns what is wrong with the name of a device, or "". It is a DNS label (RFC 1123): at most 63 lower-case letters,
// digits and dashes.
func ValidDevice(name string) string {
	return strings.Join(validation.IsDNS1123Label(name), "; ")
}

// ServiceAccountName returns the name of the ServiceAccount whose tokens are invitations for an identity.
func ServiceAccountName(identity string) string { return "clientidentity-" + identity + "-enrolment" }
