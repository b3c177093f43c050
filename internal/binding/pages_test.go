// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pages is an API server with numbered bindings. It notes how many are asked for at a time, and refuses answers that have the
// large one.
type pages struct {
	client.Reader
	there, large int
	sizes        *[]int64
}

func (p pages) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	from, _ := strconv.Atoi(options.Continue)
	to := min(from+int(options.Limit), p.there)
	*p.sizes = append(*p.sizes, options.Limit)
	if from <= p.large && p.large < to {
		return errors.New("large")
	}
	found, ok := list.(*rbacv1.RoleBindingList)
	if !ok {
		return nil
	}
	*found = rbacv1.RoleBindingList{}
	for i := range to - from {
		found.Items = append(found.Items, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(from + i)}})
	}
	if to < p.there {
		found.Continue = strconv.Itoa(to)
	}
	return nil
}

func TestBindingsAreReadInLargePagesWhileTheyAreSmall(t *testing.T) {
	const none = -1
	for name, tt := range map[string]struct {
		there, large int
		want         []int64
	}{
		"where there are none":         {there: 0, large: none, want: []int64{64}},
		"where all are small":          {there: 150, large: none, want: []int64{64, 64, 64}},
		"until one of them is large":   {there: 90, large: 70, want: []int64{64, 64, 8, 8, 8, 8}},
		"not where the first is large": {there: 20, large: 0, want: []int64{64, 8, 8, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			var sizes []int64
			w := &Writer{Live: pages{there: tt.there, large: none, sizes: &sizes}, Small: pages{there: tt.there, large: tt.large, sizes: &sizes}}
			var seen []string
			list := &rbacv1.RoleBindingList{}
			if err := w.eachPage(t.Context(), list, func() {
				for i := range list.Items {
					seen = append(seen, list.Items[i].Name)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sizes, tt.want) {
				t.Errorf("asked for %v at a time, want %v", sizes, tt.want)
			}
			for i := range tt.there {
				if i >= len(seen) || seen[i] != fmt.Sprint(i) {
					t.Fatalf("saw %v", seen)
				}
			}
			if len(seen) != tt.there {
				t.Errorf("saw %d bindings, want %d", len(seen), tt.there)
			}
		})
	}
}

func TestAListThatFailsIsNotTakenForEmpty(t *testing.T) {
	var sizes []int64
	failing := pages{there: 1, large: 0, sizes: &sizes}
	w := &Writer{Live: failing, Small: failing}
	if err := w.eachPage(t.Context(), &rbacv1.RoleBindingList{}, func() { t.Error("visited") }); err == nil {
		t.Error("no error")
	}
}
