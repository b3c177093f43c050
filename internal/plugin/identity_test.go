// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestANameThatIsWrongIsMetWithTheRightOne(t *testing.T) {
	alice, bob := identity("alice"), identity("team-bob")
	c := fake.NewClientBuilder().WithScheme(scheme()).WithObjects(&alice, &bob).Build()
	for given, want := range map[string]string{
		"alcie":                "did you mean alice?",
		"bob":                  "did you mean team-bob?",
		"team-bob-x":           "did you mean team-bob?",
		"team-bob@example.com": "it is the user of team-bob",
		"zarathustra":          "kubectl clientidentity list",
	} {
		_, err := Identity(t.Context(), c, given)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", given, err, want)
		}
	}
	if found, err := Identity(t.Context(), c, "alice"); err != nil || found.Name != "alice" {
		t.Errorf("alice was not found: %v", err)
	}
	if _, err := Identity(t.Context(), fake.NewClientBuilder().WithScheme(scheme()).Build(), "alice"); err == nil || !strings.Contains(err.Error(), "--context") {
		t.Errorf("in an empty cluster: %v", err)
	}
}

func TestANameThatIsWrongIsNotFoundForWhoMayNotList(t *testing.T) {
	c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme()).Build(), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "clientidentities"}, "", nil)
		},
	})
	if _, err := Identity(t.Context(), c, "alice"); !apierrors.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}
