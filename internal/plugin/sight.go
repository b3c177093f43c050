// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/timing"
)

// sight is whom the API server sees in the holder of a certificate.
type sight struct {
	user string
	// groups are all; granting those that something may be bound to.
	groups, granting []string
	// fingerprint is that of the certificate; empty where none is issued.
	fingerprint string
	// note says something about it that people should know, or nothing.
	note string
}

// seenAs returns whom the API server sees in the holder of an identity's newest certificate, or that of a device.
func seenAs(id *v1alpha1.ClientIdentity, device string, now time.Time) (sight, error) {
	listed, err := newest(id, device, now)
	if err != nil {
		return sight{}, err
	}
	s := sight{user: id.Spec.Username}
	if listed != nil {
		s.groups, s.fingerprint = slices.Clone(listed.Groups), listed.Fingerprint
	} else {
		s.groups = certificate.SubjectFor(&id.Spec, id.UID).Groups
		s.note = "No certificate is issued: this is about the one that would be."
	}
	if end := access.End(id, now); end != nil {
		s.note = fmt.Sprintf("The identity has no access (%s): this is about what a copy of its certificate may.", end.Message)
	}
	for _, group := range s.groups {
		if !strings.HasPrefix(group, v1alpha1.CredentialGroupPrefix) || id.Spec.BindTo == v1alpha1.BindToCredential && !strings.HasPrefix(group, v1alpha1.CertificateGroupPrefix) {
			s.granting = append(s.granting, group)
		}
	}
	s.groups = append(s.groups, allAuthenticated)
	return s, nil
}

// newest returns the published certificate, or the newest one of the devices or of one of them; nil where there is none that is valid.
func newest(id *v1alpha1.ClientIdentity, device string, now time.Time) (*v1alpha1.IssuedCertificate, error) {
	if id.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		if device != "" {
			return nil, fmt.Errorf("the operator makes the keys of ClientIdentity %q: --device is for privateKey.source: Holder", id.Name)
		}
		if c := id.Status.Certificate; c != nil {
			return access.Listed(&id.Status, c.Fingerprint), nil
		}
		if len(id.Status.Certificates) > 0 {
			return &id.Status.Certificates[0], nil // of before a withdrawal
		}
		return nil, nil
	}
	var names []string
	var found *v1alpha1.IssuedCertificate
	known := false
	for i := range id.Status.Devices {
		d := &id.Status.Devices[i]
		names = append(names, d.Name)
		if device != "" && d.Name != device {
			continue
		}
		known = true
		listed := access.Listed(&id.Status, d.Fingerprint)
		if listed != nil && timing.Value(listed.NotAfter).After(now) && (found == nil || cmp.Compare(listed.Revision, found.Revision) > 0) {
			found = listed
		}
	}
	if device != "" && !known {
		return nil, fmt.Errorf("ClientIdentity %q has no device %q: its devices are %s", id.Name, device, orNone(strings.Join(names, ", ")))
	}
	return found, nil
}

// review returns who is asked about.
func (s sight) review() authorizationv1.SubjectAccessReviewSpec {
	spec := authorizationv1.SubjectAccessReviewSpec{User: s.user, Groups: s.groups}
	if s.fingerprint != "" {
		spec.Extra = map[string]authorizationv1.ExtraValue{holder.CredentialIDKey: {"X509SHA256=" + s.fingerprint}}
	}
	return spec
}

// impersonation explains an error of a request that was made as the holder: which permissions that takes, where one is missing.
func (s sight) impersonation(err error) error {
	missing, ok := MissingPermission(err)
	if !ok || !strings.HasPrefix(missing.Verb, "impersonate") {
		return err
	}
	advice := []string{fmt.Sprintf("Missing permission of user %q: impersonate the user and each of its groups. An administrator grants it with:", missing.User)}
	advice = append(advice, Permission{User: missing.User, Verb: "impersonate", Resource: "users", Name: s.user}.Grant())
	for _, group := range s.granting {
		advice = append(advice, Permission{User: missing.User, Verb: "impersonate", Resource: "groups", Name: group}.Grant())
	}
	return &explained{err, strings.Join(advice, "\n")}
}

// ruleRows returns rules as rows of a table: those about resources first, by name.
func ruleRows(status *authorizationv1.SubjectRulesReviewStatus) [][]Cell {
	var rows [][]Cell
	for i := range status.ResourceRules {
		rule := &status.ResourceRules[i]
		for _, resource := range rule.Resources {
			for _, group := range rule.APIGroups {
				name := resource
				if group != "" {
					name += "." + group
				}
				rows = append(rows, Cells(name, none, orNone(strings.Join(rule.ResourceNames, " ")), strings.Join(rule.Verbs, " ")))
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b []Cell) int {
		return cmp.Or(cmp.Compare(a[0].Text, b[0].Text), cmp.Compare(a[2].Text, b[2].Text))
	})
	rows = slices.CompactFunc(rows, slices.Equal[[]Cell])
	for i := range status.NonResourceRules {
		rule := &status.NonResourceRules[i]
		rows = append(rows, Cells(none, strings.Join(rule.NonResourceURLs, " "), none, strings.Join(rule.Verbs, " ")))
	}
	return rows
}
