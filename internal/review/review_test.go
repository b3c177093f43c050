// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestActingTakesTheCredentialGroupWhereBindingsNameIt(t *testing.T) {
	identity := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{UID: "c9f3b3e4-0000-4000-8000-000000000000"},
		Spec:       v1alpha1.ClientIdentitySpec{Username: "alice", Groups: []string{"developers"}, RevokeIssuedBefore: &metav1.Time{Time: time.Unix(7, 0)}},
	}
	want := []Permission{{Verb: "impersonate", Resource: "users", Name: "alice"}, {Verb: "impersonate", Resource: "groups", Name: "developers"}}
	if got := Acting(identity); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	identity.Spec.BindTo = v1alpha1.BindToCredential
	want = append(want, Permission{Verb: "impersonate", Resource: "groups", Name: "clientidentity.dev:c9f3b3e4000040008000000000000000:7"})
	if got := Acting(identity); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
