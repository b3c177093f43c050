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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pages is an API server with numbered bindings. It notes how many are asked for at a time, refuses answers that have the
// large one, and forgets the state that is listed where it is asked for the binding of that number the first time.
type pages struct {
	client.Reader
	there, large int
	sizes        *[]int64
	forgets      *int
}

func (p pages) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	from, _ := strconv.Atoi(options.Continue)
	to := min(from+int(options.Limit), p.there)
	*p.sizes = append(*p.sizes, options.Limit)
	if p.forgets != nil && from > 0 && from == *p.forgets {
		*p.forgets = 0
		expired := apierrors.NewResourceExpired("too old")
		expired.ErrStatus.Continue = options.Continue
		return expired
	}
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
		"where there are none":         {there: 0, large: none, want: []int64{512}},
		"where all are small":          {there: 1200, large: none, want: []int64{512, 512, 512}},
		"but for one that is large":    {there: 900, large: 600, want: slices.Concat([]int64{512, 512, 64, 64}, slices.Repeat([]int64{8}, 8), slices.Repeat([]int64{64}, 5))},
		"not where the first is large": {there: 20, large: 0, want: []int64{512, 64, 8, 8, 8}},
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

func TestAListGoesOnWhereTheStateOfItsBeginningIsForgotten(t *testing.T) {
	var sizes []int64
	forgets := 512
	api := pages{there: 1000, large: -1, sizes: &sizes, forgets: &forgets}
	w := &Writer{Live: api, Small: api}
	seen := 0
	list := &rbacv1.RoleBindingList{}
	if err := w.eachPage(t.Context(), list, func() { seen += len(list.Items) }); err != nil || seen != 1000 {
		t.Errorf("saw %d (%v)", seen, err)
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
