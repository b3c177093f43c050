// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// flooded is metadata as somebody plants it who wants the operator to run out of memory.
func flooded() metav1.ObjectMeta {
	const long = 200_000
	m := metav1.ObjectMeta{
		Name:        "planted",
		Labels:      map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: "alice"},
		Annotations: map[string]string{"note": strings.Repeat("x", long)},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "ConfigMap", Name: strings.Repeat("n", long), UID: types.UID(strings.Repeat("u", long)), Controller: ptr.To(true),
		}},
	}
	for i := range 1000 {
		m.Labels[fmt.Sprint("label-", i)] = strings.Repeat("v", 63)
		m.Finalizers = append(m.Finalizers, fmt.Sprintf("example.com/%d", i))
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{Kind: "Pod", Name: fmt.Sprint(i), UID: types.UID(fmt.Sprint(i))})
	}
	return m
}

func TestTheCacheKeepsLittleOfPlantedObjects(t *testing.T) {
	var subjects []rbacv1.Subject
	for range 1000 {
		subjects = append(subjects, rbacv1.Subject{Kind: "User", Name: strings.Repeat("s", 10_000)})
	}
	rules := []rbacv1.PolicyRule{{ResourceNames: make([]string, 1000)}}
	for i := range 1000 {
		rules[0].ResourceNames[i] = strings.Repeat("n", 1000)
		rules = append(rules, rbacv1.PolicyRule{Verbs: []string{strings.Repeat("v", 1000)}})
	}
	for name, object := range map[string]any{
		"a RoleBinding":            &rbacv1.RoleBinding{ObjectMeta: flooded(), Subjects: subjects, RoleRef: rbacv1.RoleRef{Name: strings.Repeat("r", 100_000)}},
		"a ClusterRoleBinding":     &rbacv1.ClusterRoleBinding{ObjectMeta: flooded(), Subjects: subjects},
		"a Role":                   &rbacv1.Role{ObjectMeta: flooded(), Rules: rules},
		"the metadata of a Secret": &metav1.PartialObjectMetadata{ObjectMeta: flooded()},
		"that of a ServiceAccount": &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: "ServiceAccount", APIVersion: "v1"}, ObjectMeta: flooded()},
		"a request": &certificatesv1.CertificateSigningRequest{ObjectMeta: flooded(), Spec: certificatesv1.CertificateSigningRequestSpec{
			Extra: map[string]certificatesv1.ExtraValue{"x": {strings.Repeat("e", 100_000)}}, Groups: []string{strings.Repeat("g", 100_000)},
		}, Status: certificatesv1.CertificateSigningRequestStatus{
			Conditions: []certificatesv1.CertificateSigningRequestCondition{{Type: "Denied", Message: strings.Repeat("m", 100_000)}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			kept, err := slimDependent(object)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(kept)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > 20_000 {
				t.Errorf("%d bytes are kept", len(data))
			}
			meta := kept.(metav1.Object)
			if len(meta.GetFinalizers()) != 1 || metav1.GetControllerOf(meta) == nil || meta.GetLabels()[v1alpha1.IdentityLabel] != "alice" {
				t.Errorf("what the operator looks at is gone: %s", data)
			}
		})
	}
}

func TestTheCacheKeepsOfAHoldersRequestWhatSaysWhoseItIs(t *testing.T) {
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "alice.laptop.abcdefghij", UID: "1", Labels: map[string]string{v1alpha1.IdentityLabel: "alice"}},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: make([]byte, 60_000), SignerName: "example.com/signer", Username: "alice@example.com", Extra: map[string]certificatesv1.ExtraValue{"x": {"y"}},
		},
		Status: certificatesv1.CertificateSigningRequestStatus{Certificate: []byte("certificate")},
	}
	want := csr.DeepCopy()
	want.Spec.Request, want.Spec.Extra = nil, nil
	kept, err := slimDependent(csr)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(kept, want) {
		t.Errorf("got  %#v\nwant %#v", kept, want)
	}
}

func TestTheCacheKeepsAllThatMattersOfOurOwn(t *testing.T) {
	meta := metav1.ObjectMeta{
		Name: "clientidentity:alice:dev:0a1b2c3d4e", Namespace: "dev", UID: "1", ResourceVersion: "2",
		Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: "alice"},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: "alice", UID: "3", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(false),
		}},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "alice"}},
	}
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: meta,
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: []byte("request"), SignerName: "example.com/signer", ExpirationSeconds: ptr.To[int32](600),
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
		Status: certificatesv1.CertificateSigningRequestStatus{
			Conditions: []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: "True", Reason: "r", Message: "m"}},
		},
	}
	signed := csr.DeepCopy()
	signed.Status.Certificate = []byte("certificate")
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"alice-kubeconfig"}, Verbs: []string{"get"},
	}}}
	for _, object := range []any{binding.DeepCopy(), csr.DeepCopy(), signed.DeepCopy(), role.DeepCopy()} {
		kept, err := slimDependent(object)
		if err != nil {
			t.Fatal(err)
		}
		var want any = binding
		switch object := kept.(type) {
		case *certificatesv1.CertificateSigningRequest:
			want = csr
			if len(object.Status.Certificate) > 0 {
				// The rest was compared when it was approved.
				signed.Spec = certificatesv1.CertificateSigningRequestSpec{SignerName: signed.Spec.SignerName}
				signed.Labels = nil
				signed.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{}
				want = signed
			}
		case *rbacv1.Role:
			want = role
		}
		if !reflect.DeepEqual(kept, want) {
			t.Errorf("got  %#v\nwant %#v", kept, want)
		}
	}
}
