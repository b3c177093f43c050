// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

const (
	// maxRevoked is how many certificates spec.revokedCertificates has room for.
	maxRevoked = 64
	// fingerprintLength is that of a SHA-256 in hexadecimal; from leastFingerprint on its beginning is enough.
	fingerprintLength, leastFingerprint = 64, 8
)

// whatToRevoke is what somebody asks to be revoked: one of the three, or nothing.
type whatToRevoke struct {
	device, fingerprint string
	all                 bool
}

// revocation is what is to be revoked.
type revocation struct {
	// all revokes all certificates that were issued until now.
	all bool
	// device is the device that is revoked, where it is one.
	device string
	// fingerprints are those of the certificates that are revoked otherwise.
	fingerprints []string
	// what says for people what is revoked.
	what string
	// unlisted says that the status knows no such certificate.
	unlisted bool
}

// plan returns what is to be revoked of an identity; pure.
func (w whatToRevoke) plan(identity *v1alpha1.ClientIdentity, now time.Time) (revocation, error) {
	switch {
	case w.all:
		return revocation{all: true, what: "all certificates issued until now"}, nil
	case w.device != "":
		return planDevice(identity, w.device, now)
	case w.fingerprint != "":
		return planFingerprint(identity, w.fingerprint)
	}
	return planOnly(identity, now)
}

// planDevice revokes the certificates of a device since it was enrolled.
func planDevice(identity *v1alpha1.ClientIdentity, name string, now time.Time) (revocation, error) {
	i := slices.IndexFunc(identity.Status.Devices, func(d v1alpha1.Device) bool { return d.Name == name })
	if i < 0 {
		return revocation{}, fmt.Errorf("ClientIdentity %q has no device %q: %s", identity.Name, name, devicesText(identity, now))
	}
	r := revocation{device: name}
	device := &identity.Status.Devices[i]
	for j := range identity.Status.Certificates {
		c := &identity.Status.Certificates[j]
		if c.Device == name && c.Revision >= device.EnrolledRevision && timing.Value(c.NotAfter).After(now) {
			r.fingerprints = append(r.fingerprints, c.Fingerprint)
		}
	}
	// Its newest one counts, whatever the list had room for.
	if device.Fingerprint != "" && timing.Value(device.NotAfter).After(now) && !slices.Contains(r.fingerprints, device.Fingerprint) {
		r.fingerprints = append(r.fingerprints, device.Fingerprint)
	}
	if len(r.fingerprints) == 0 {
		return r, fmt.Errorf("device %q of ClientIdentity %q has no valid certificate: nothing is to be revoked", name, identity.Name)
	}
	r.what = fmt.Sprintf("device %s: %s", name, certificatesText(len(r.fingerprints)))
	return r, nil
}

func certificatesText(count int) string {
	if count == 1 {
		return "1 certificate"
	}
	return fmt.Sprintf("%d certificates", count)
}

// planFingerprint revokes one certificate, told by its fingerprint, or by the beginning of one that the status lists.
func planFingerprint(identity *v1alpha1.ClientIdentity, text string) (revocation, error) {
	fingerprint := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(text, "X509SHA256="), ":", ""))
	if len(fingerprint) < leastFingerprint || len(fingerprint) > fingerprintLength || strings.Trim(fingerprint, "0123456789abcdef") != "" {
		return revocation{}, fmt.Errorf("%q is no fingerprint: it is the SHA-256 of the certificate in %d digits of hexadecimal, as in status.certificates and in audit events, "+
			"or the first %d of them or more", text, fingerprintLength, leastFingerprint)
	}
	var found []*v1alpha1.IssuedCertificate
	for i := range identity.Status.Certificates {
		if strings.HasPrefix(identity.Status.Certificates[i].Fingerprint, fingerprint) {
			found = append(found, &identity.Status.Certificates[i])
		}
	}
	switch {
	case len(found) == 1:
		return revocation{fingerprints: []string{found[0].Fingerprint}, what: oneText(found[0])}, nil
	case len(found) > 1:
		return revocation{}, fmt.Errorf("%d certificates of ClientIdentity %q begin with %q: give more digits", len(found), identity.Name, text)
	case len(fingerprint) < fingerprintLength:
		return revocation{}, fmt.Errorf("no certificate in the status of ClientIdentity %q begins with %q: give all %d digits, or see kubectl clientidentity status %s",
			identity.Name, text, fingerprintLength, identity.Name)
	}
	return revocation{fingerprints: []string{fingerprint}, what: "certificate " + fingerprint[:12], unlisted: true}, nil
}

// oneText names a certificate.
func oneText(c *v1alpha1.IssuedCertificate) string {
	text := fmt.Sprintf("certificate %d (%.12s)", c.Revision, c.Fingerprint)
	if c.Device != "" {
		text += " of device " + c.Device
	}
	return text
}

// planOnly revokes what there is, where that is only one thing.
func planOnly(identity *v1alpha1.ClientIdentity, now time.Time) (revocation, error) {
	devices, others := standing(identity, now)
	switch {
	case moreValid(identity, now):
	case len(devices) == 1 && len(others) == 0:
		return planDevice(identity, devices[0], now)
	case len(devices) == 0 && len(others) == 1:
		// More than its fingerprint in the list: where bindings name the credential, that ends its rights on any cluster.
		return revocation{all: true, what: oneText(others[0]) + ", the only one"}, nil
	case len(devices) == 0 && len(others) == 0:
		return revocation{}, fmt.Errorf("ClientIdentity %q has no valid certificate that is not revoked", identity.Name)
	}
	return revocation{}, errors.New(threeWays(identity, now))
}

// standing returns the devices that have a valid certificate which is not revoked, and the certificates of that kind that no device has.
func standing(identity *v1alpha1.ClientIdentity, now time.Time) (devices []string, others []*v1alpha1.IssuedCertificate) {
	for i := range identity.Status.Certificates {
		c := &identity.Status.Certificates[i]
		switch {
		case !timing.Value(c.NotAfter).After(now), access.RevokedAlone(&identity.Spec, c.Fingerprint), access.RevokedSince(&identity.Spec, timing.Of(c.RevokeIssuedBefore)):
		case c.Device == "":
			others = append(others, c)
		case !slices.Contains(devices, c.Device):
			devices = append(devices, c.Device)
		}
	}
	slices.Sort(devices)
	return devices, others
}

// threeWays explains what can be revoked.
func threeWays(identity *v1alpha1.ClientIdentity, now time.Time) string {
	devices, others := standing(identity, now)
	var text strings.Builder
	fmt.Fprintf(&text, "ClientIdentity %q has more than one thing to revoke: say which.\n", identity.Name)
	fmt.Fprintf(&text, "  --all               all certificates that were issued until now, by time. With bindTo: Credential they lose what its role bindings grant on any cluster.\n")
	fmt.Fprintf(&text, "  --device NAME       the certificates of one device, which renews no more: %s\n", textOr(strings.Join(devices, ", "), "none has a valid one"))
	fmt.Fprintf(&text, "  --fingerprint TEXT  one certificate, where the API server asks the operator which ones to deny:")
	for _, c := range others {
		fmt.Fprintf(&text, "\n                      %s, valid until %s", oneText(c), timing.Stamp(timing.Value(c.NotAfter)))
	}
	if len(others) == 0 {
		text.WriteString(" see kubectl clientidentity status " + identity.Name)
	}
	return text.String()
}

func textOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// devicesText names the devices of an identity.
func devicesText(identity *v1alpha1.ClientIdentity, now time.Time) string {
	if identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder && len(identity.Status.Devices) == 0 {
		return "the operator makes its key (privateKey.source), so that it has none: use --all or --fingerprint"
	}
	var names []string
	for i := range identity.Status.Devices {
		if d := &identity.Status.Devices[i]; timing.Value(d.NotAfter).After(now) {
			names = append(names, d.Name)
		}
	}
	return "those with a valid certificate are: " + textOr(strings.Join(names, ", "), "none")
}

// list returns spec.revokedCertificates with what is to be revoked; nothing is taken out of it, and what stands there stays as it is. It fails
// where there is no room.
func (r revocation) list(identity *v1alpha1.ClientIdentity, reason string, now time.Time) (list []v1alpha1.RevokedCertificate, added int, err error) {
	list = slices.Clone(identity.Spec.RevokedCertificates)
	for _, fingerprint := range r.fingerprints {
		if !access.RevokedAlone(&identity.Spec, fingerprint) {
			list = append(list, v1alpha1.RevokedCertificate{Fingerprint: fingerprint, Reason: reason})
			added++
		}
	}
	if added == 0 || len(list) <= maxRevoked {
		return list, added, nil
	}
	return nil, 0, fmt.Errorf("spec.revokedCertificates of ClientIdentity %q has %d certificates, and there is room for %d: %s. "+
		"Or revoke all that were issued so far, which needs no room: kubectl clientidentity revoke %s --all",
		identity.Name, len(identity.Spec.RevokedCertificates), maxRevoked, endedText(identity, now), identity.Name)
}

// endedText says what may go from a full list.
func endedText(identity *v1alpha1.ClientIdentity, now time.Time) string {
	ended := 0
	for i := range identity.Spec.RevokedCertificates {
		listed := access.Listed(&identity.Status, identity.Spec.RevokedCertificates[i].Fingerprint)
		if listed == nil || !timing.Value(listed.NotAfter).After(now) {
			ended++
		}
	}
	switch {
	case ended == 0:
		return "all of them are valid, so that none can go"
	case moreValid(identity, now):
		return fmt.Sprintf("remove those that have ended, which are among the %d that status.certificates does not list (kubectl edit clientidentity %s)", ended, identity.Name)
	}
	return fmt.Sprintf("remove the %d that are not valid any more, which status.certificates does not list (kubectl edit clientidentity %s)", ended, identity.Name)
}
