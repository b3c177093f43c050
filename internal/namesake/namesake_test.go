// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package namesake

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// identity returns one that was created so many seconds after the others.
func identity(name string, seconds int64, bindTo v1alpha1.BindTo) v1alpha1.ClientIdentity {
	return v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-of-" + name), CreationTimestamp: metav1.Time{Time: time.Unix(1_800_000_000+seconds, 0)}},
		Spec:       v1alpha1.ClientIdentitySpec{Username: "shared", BindTo: bindTo},
	}
}

const (
	byName       = v1alpha1.BindToUsername
	byCredential = v1alpha1.BindToCredential
)

func TestOlder(t *testing.T) {
	first, second, twin := identity("b", 0, byName), identity("a", 1, byName), identity("a", 0, byName)
	if !Older(&first, &second) || Older(&second, &first) {
		t.Error("the one that was created first is not the older one")
	}
	if !Older(&twin, &first) || Older(&first, &twin) {
		t.Error("of two created in one second, the name does not tell")
	}
	if Older(&first, &first) {
		t.Error("one is older than itself")
	}
}

func TestTheOldestKeepsTheOthersWaiting(t *testing.T) {
	for name, test := range map[string]struct {
		of   v1alpha1.ClientIdentity
		same []v1alpha1.ClientIdentity
		want string
	}{
		"nobody where it is alone":              {identity("a", 0, byName), nil, ""},
		"nobody where it is the oldest":         {identity("a", 0, byName), []v1alpha1.ClientIdentity{identity("b", 1, byName)}, ""},
		"the oldest of several, in any order":   {identity("c", 2, byName), []v1alpha1.ClientIdentity{identity("b", 1, byName), identity("a", 0, byName)}, "a"},
		"not another one bound to credentials":  {identity("b", 1, byCredential), []v1alpha1.ClientIdentity{identity("a", 0, byCredential)}, ""},
		"one by name, of one bound to its own":  {identity("b", 1, byCredential), []v1alpha1.ClientIdentity{identity("a", 0, byName)}, "a"},
		"one bound to its own, of one by name":  {identity("b", 1, byName), []v1alpha1.ClientIdentity{identity("a", 0, byCredential)}, "a"},
		"the oldest that counts, of both kinds": {identity("c", 2, byCredential), []v1alpha1.ClientIdentity{identity("a", 0, byCredential), identity("b", 1, byName)}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if first := First(&test.of, append(test.same, test.of)); first != nil {
				got = first.Name
			}
			if got != test.want {
				t.Errorf("waits for %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheYoungerAreAskedWhereAUsernameIsTaken(t *testing.T) {
	taken := identity("b", 1, byName)
	same := []v1alpha1.ClientIdentity{identity("a", 0, byName), taken, identity("c", 2, byName), identity("d", 3, byCredential)}
	if got := Younger(&taken, same); !slices.Equal(got, []string{"c", "d"}) {
		t.Errorf("asks for %q, want those after it", got)
	}
}

func TestWhoeverFreesAUsernameAsksForThoseWhoseTurnItIs(t *testing.T) {
	for name, test := range map[string]struct {
		gone v1alpha1.ClientIdentity
		left []v1alpha1.ClientIdentity
		want []string
	}{
		"the oldest of those that are bound by name": {
			identity("a", 0, byName), []v1alpha1.ClientIdentity{identity("c", 2, byName), identity("b", 1, byName), identity("d", 3, byName)}, []string{"b"},
		},
		"all that are bound to their credentials": {
			identity("a", 0, byName), []v1alpha1.ClientIdentity{identity("b", 1, byCredential), identity("c", 2, byCredential)}, []string{"b", "c"},
		},
		"those before the next one by name": {
			identity("a", 0, byName), []v1alpha1.ClientIdentity{identity("b", 1, byCredential), identity("c", 2, byName), identity("d", 3, byCredential)}, []string{"b"},
		},
		"nobody who did not wait for it": {
			identity("a", 0, byCredential), []v1alpha1.ClientIdentity{identity("b", 1, byCredential), identity("c", 2, byCredential)}, nil,
		},
		"nobody who waits for an older one": {
			identity("b", 1, byName), []v1alpha1.ClientIdentity{identity("a", 0, byName), identity("c", 2, byName)}, nil,
		},
		"one by name, of one bound to its own": {
			identity("a", 0, byCredential), []v1alpha1.ClientIdentity{identity("b", 1, byName), identity("c", 2, byCredential)}, []string{"b"},
		},
		"nobody where nobody is left": {identity("a", 0, byName), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Freed(&test.gone, test.left); !slices.Equal(got, test.want) {
				t.Errorf("asks for %q, want %q", got, test.want)
			}
		})
	}
}
