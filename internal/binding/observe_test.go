// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestOfAnObjectLittleIsKeptAndWhetherItIsHeld(t *testing.T) {
	own := rbacv1.Subject{Kind: "Group", Name: v1alpha1.CredentialGroupPrefix + "0123:0"}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
		Namespace: "dev", Name: "b", UID: "u", ResourceVersion: "7", Finalizers: []string{"example.com/held", "another"},
		Annotations: map[string]string{"note": strings.Repeat("x", 100_000)},
	}}
	for range 1000 {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: "User", Name: strings.Repeat("s", 10_000)})
	}
	binding.Subjects = append(binding.Subjects, own)
	found := asObserved(binding, &v1alpha1.ClientIdentity{})
	kept, ok := found.object.(*rbacv1.RoleBinding)
	if !ok || kept.UID != "u" || kept.ResourceVersion != "7" || len(kept.Finalizers) != 1 || kept.Size() > 500 {
		t.Errorf("kept is %+v", kept)
	}
	if len(found.Subjects) != someSubjects || found.Subjects[0] != own {
		t.Error("the subject that matters is lost among others")
	}
}
