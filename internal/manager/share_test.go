// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func slimmed(t *testing.T, identity *v1alpha1.ClientIdentity) *v1alpha1.ClientIdentity {
	t.Helper()
	kept, err := slimIdentity(identity)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(*v1alpha1.ClientIdentity)
}

func TestTheCacheKeepsAllOfAnIdentityButAnnotations(t *testing.T) {
	full := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", Labels: map[string]string{"team": "a"}}}
	full.Spec = v1alpha1.ClientIdentitySpec{
		Username: "alice@example.com", Groups: []string{"developers", "team-a"}, SignerName: "example.com/signer", BindTo: v1alpha1.BindToCredential,
		State: v1alpha1.StateWithdrawn, PrivateKey: v1alpha1.PrivateKey{Source: v1alpha1.SourceHolder, Algorithm: v1alpha1.RSA, RotationPolicy: v1alpha1.RotationNever},
		RoleBindings:        []v1alpha1.RoleBinding{{Name: "view", Namespace: "dev", Group: "team-a", RoleRef: v1alpha1.RoleRef{Kind: "Role", Name: "deployer"}}},
		ClusterRoleBindings: []v1alpha1.ClusterRoleBinding{{Name: "read", Group: "developers", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}},
		Secret:              v1alpha1.SecretTemplate{Namespace: "keys", Name: "alice", KubeconfigKey: "config", Format: v1alpha1.FormatKubeconfig},
	}
	full.Status = someStatus(1, &v1alpha1.SecretReference{Namespace: "keys", Name: "alice"})
	full.Status.GroupList, full.Status.RevocationReach = "developers,team-a", v1alpha1.ReachBindings
	for name, identity := range map[string]*v1alpha1.ClientIdentity{"all": full, "nothing": {}} {
		want := identity.DeepCopy()
		want.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "now"}
		identity.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "now", corev1.LastAppliedConfigAnnotation: strings.Repeat("x", 1000)}
		identity.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
		if kept := slimmed(t, identity); !reflect.DeepEqual(kept, want) {
			t.Errorf("of %s\ngot  %#v\nwant %#v", name, kept, want)
		}
	}
}

func TestIdentitiesShareWhatTheyHaveAlike(t *testing.T) {
	of := func(name string) *v1alpha1.ClientIdentity {
		identity := &v1alpha1.ClientIdentity{Status: someStatus(1, &v1alpha1.SecretReference{})}
		identity.Name = name
		identity.Status.Conditions[2].Message = strings.Clone(identity.Status.Conditions[2].Message)
		identity.Status.Certificates = append(make([]v1alpha1.IssuedCertificate, 0, 4), identity.Status.Certificates...)
		return slimmed(t, identity)
	}
	alice, bob := of("alice"), of("bob")
	if unsafe.StringData(alice.Status.Conditions[2].Message) != unsafe.StringData(bob.Status.Conditions[2].Message) {
		t.Error("each has its own copy of a message")
	}
	if n := cap(alice.Status.Certificates); n != len(alice.Status.Certificates) {
		t.Errorf("there is room for %d certificates", n)
	}
}
