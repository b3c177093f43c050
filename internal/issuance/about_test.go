// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"slices"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestWhomARequestIsAbout(t *testing.T) {
	owned := []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: "alice", UID: "1", Controller: ptr.To(true)}}
	label := func(name string) map[string]string { return map[string]string{v1alpha1.IdentityLabel: name} }
	for name, test := range map[string]struct {
		given metav1.ObjectMeta
		want  []string
	}{
		"whom the label names":                       {metav1.ObjectMeta{Name: "alice-abcdefghij", Labels: label("alice"), OwnerReferences: owned}, []string{"alice"}},
		"its owner, without a label":                 {metav1.ObjectMeta{Name: "alice-abcdefghij", OwnerReferences: owned}, []string{"alice"}},
		"both, where somebody moved the label":       {metav1.ObjectMeta{Name: "alice-abcdefghij", Labels: label("bob"), OwnerReferences: owned}, []string{"bob", "alice"}},
		"whom a holder's name of a request names":    {metav1.ObjectMeta{Name: "alice.laptop.abcdefghij", Labels: label("alice")}, []string{"alice"}},
		"that one too, where somebody moved a label": {metav1.ObjectMeta{Name: "alice.laptop.abcdefghij", Labels: label("bob")}, []string{"bob", "alice"}},
		"nobody": {metav1.ObjectMeta{Name: "request"}, nil},
	} {
		if got := About(&certificatesv1.CertificateSigningRequest{ObjectMeta: test.given}); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
