// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package look

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const (
	byName       = v1alpha1.BindToUsername
	byCredential = v1alpha1.BindToCredential
)

// namesakeOf returns an identity that was created so many seconds after others of its username.
func namesakeOf(seconds int, bindTo v1alpha1.BindTo) *v1alpha1.ClientIdentity {
	name := fmt.Sprintf("id-%04d", seconds)
	return &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-of-" + name), CreationTimestamp: metav1.Time{Time: time.Unix(1_800_000_000+int64(seconds), 0)},
		},
		Spec: v1alpha1.ClientIdentitySpec{Username: "shared", BindTo: bindTo},
	}
}

// fleet is a cache with identities of one username, which counts those that are read.
type fleet struct {
	*Namesakes
	client.WithWatch
	read int
}

func newFleet(t *testing.T, identities ...*v1alpha1.ClientIdentity) *fleet {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).
		WithIndex(&v1alpha1.ClientIdentity{}, IndexUsername, UsernameOf).WithIndex(&v1alpha1.ClientIdentity{}, IndexBoundByName, BoundByName)
	for _, identity := range identities {
		builder = builder.WithObjects(identity)
	}
	f := &fleet{}
	f.WithWatch = interceptor.NewClient(builder.Build(), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, list, opts...)
			f.read += len(list.(*v1alpha1.ClientIdentityList).Items)
			return err
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			f.read++
			return c.Get(ctx, key, object, opts...)
		},
	})
	f.Namesakes = &Namesakes{Reader: f.WithWatch}
	return f
}

func (f *fleet) older(t *testing.T, identity *v1alpha1.ClientIdentity) string {
	t.Helper()
	older, err := f.Older(t.Context(), identity)
	if err != nil {
		t.Fatal(err)
	}
	if older == nil {
		return ""
	}
	return older.Name
}

func TestTheOldestIsRememberedForAsLongAsItIsThat(t *testing.T) {
	first, second, third := namesakeOf(0, byName), namesakeOf(1, byName), namesakeOf(2, byName)
	f := newFleet(t, first, second, third)
	for range 2 {
		if f.older(t, first) != "" || f.older(t, second) != first.Name || f.older(t, third) != first.Name {
			t.Fatal("they do not wait for the first")
		}
	}
	first.Spec.BindTo = byCredential
	third.Spec.BindTo = byCredential
	for _, changed := range []client.Object{first, third} {
		if err := f.Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
	}
	if f.older(t, first) != "" || f.older(t, second) != first.Name || f.older(t, third) != second.Name {
		t.Error("two that are bound to their credentials touch each other, or one of them and one that is not do not")
	}
	if err := f.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if f.older(t, second) != "" || f.older(t, third) != second.Name {
		t.Error("they wait for one that is gone")
	}
	moved := second.DeepCopy()
	moved.Spec.Username = "another"
	if err := f.Update(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if f.older(t, third) != "" {
		t.Error("it waits for one of another username")
	}
}

func TestWhoIsAskedForWhereANamesakeComesOrGoes(t *testing.T) {
	for name, tt := range map[string]struct {
		there                   []*v1alpha1.ClientIdentity
		changed                 *v1alpha1.ClientIdentity
		created, rebound, freed []string
	}{
		"nobody where it is alone":                    {nil, namesakeOf(1, byName), nil, nil, nil},
		"the younger of the first, or the next":       {[]*v1alpha1.ClientIdentity{namesakeOf(2, byName), namesakeOf(3, byCredential)}, namesakeOf(1, byName), []string{"id-0002", "id-0003"}, []string{"id-0002", "id-0003"}, []string{"id-0002"}},
		"nobody where an older one is bound by name":  {[]*v1alpha1.ClientIdentity{namesakeOf(0, byName), namesakeOf(2, byName)}, namesakeOf(1, byName), nil, nil, nil},
		"nobody of those bound to credentials, by it": {[]*v1alpha1.ClientIdentity{namesakeOf(0, byCredential), namesakeOf(2, byCredential)}, namesakeOf(1, byCredential), nil, []string{"id-0002"}, nil},
		"one by name of one bound to its credential":  {[]*v1alpha1.ClientIdentity{namesakeOf(2, byName)}, namesakeOf(1, byCredential), []string{"id-0002"}, []string{"id-0002"}, []string{"id-0002"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, append(tt.there, tt.changed)...)
			created, err := f.Created(t.Context(), tt.changed)
			rebound, err2 := f.Rebound(t.Context(), tt.changed)
			if err3 := f.Delete(t.Context(), tt.changed); err != nil || err2 != nil || err3 != nil {
				t.Fatal(err, err2, err3)
			}
			freed, err := f.Freed(t.Context(), tt.changed)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(created, tt.created) || !slices.Equal(rebound, tt.rebound) || !slices.Equal(freed, tt.freed) {
				t.Errorf("created asks for %q, rebound for %q, its end for %q", created, rebound, freed)
			}
		})
	}
}

// However many have one username, each of them looks at few.
func TestManyOfOneUsernameCostAFewEach(t *testing.T) {
	const many = 50
	for name, bindTo := range map[string]v1alpha1.BindTo{"that are bound to their credentials": byCredential, "that all wait for the first": byName} {
		t.Run(name, func(t *testing.T) {
			all := make([]*v1alpha1.ClientIdentity, many)
			for n := range all {
				all[n] = namesakeOf(n, bindTo)
			}
			f := newFleet(t, all...)
			for _, identity := range all[1:] {
				if _, err := f.Created(t.Context(), identity); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					f.older(t, identity)
				}
			}
			for n := many - 1; n > 0; n-- {
				if err := f.WithWatch.Delete(t.Context(), all[n]); err != nil {
					t.Fatal(err)
				}
				if _, err := f.Freed(t.Context(), all[n]); err != nil {
					t.Fatal(err)
				}
			}
			if f.read > 10*many {
				t.Errorf("%d read %d identities", many, f.read)
			}
		})
	}
}
