// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"slices"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/dependent"
)

func users(names ...string) []rbacv1.Subject {
	var all []rbacv1.Subject
	for _, name := range names {
		all = append(all, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name})
	}
	return all
}

func groups(names ...string) []rbacv1.Subject {
	all := users(names...)
	for i := range all {
		all[i].Kind = rbacv1.GroupKind
	}
	return all
}

// stranger returns a binding of nobody's.
func stranger(name string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: name}, Subjects: subjects}
}

// matched looks through bindings for questions.
func matched(batch []*inquiry, bindings ...client.Object) *match {
	m := newMatch(batch, false, 0, time.Unix(1, 0))
	for _, b := range bindings {
		m.visit(b)
	}
	return m
}

func TestALookFindsWhatIsOfAnIdentity(t *testing.T) {
	alice := someone(1)
	alice.Spec.BindTo, alice.Spec.RevokeIssuedBefore = v1alpha1.BindToCredential, &metav1.Time{Time: time.Unix(5, 0)}
	newest := access.WantedGroup(alice)
	older := newest[:len(newest)-1] + "4"
	want := access.Binding{
		Namespace: "dev", Name: "wanted", RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subject: groups(newest)[0],
	}
	own := func(changes ...func(*rbacv1.RoleBinding)) *rbacv1.RoleBinding {
		b := &rbacv1.RoleBinding{
			ObjectMeta: dependent.Meta(alice, client.ObjectKey{Namespace: "dev", Name: "wanted"}), RoleRef: want.RoleRef, Subjects: []rbacv1.Subject{want.Subject},
		}
		for _, change := range changes {
			change(b)
		}
		return b
	}
	decoys := make([]string, 30)
	for i := range decoys {
		decoys[i] = fmt.Sprintf("%sdecoy:%d", v1alpha1.CredentialGroupPrefix, i)
	}
	for name, tt := range map[string]struct {
		binding               *rbacv1.RoleBinding
		inOrder, found, owned bool
	}{
		"a wanted binding that is in order":      {binding: own(), inOrder: true, owned: true},
		"one of its own that is not wanted":      {binding: own(func(b *rbacv1.RoleBinding) { b.Name = "other" }), found: true, owned: true},
		"one that names somebody else, too":      {binding: own(func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, users("eve")...) }), found: true, owned: true},
		"one that lost its labels":               {binding: own(func(b *rbacv1.RoleBinding) { b.Labels = nil }), found: true, owned: true},
		"one that is being deleted":              {binding: own(func(b *rbacv1.RoleBinding) { b.DeletionTimestamp = &metav1.Time{} }), found: true, owned: true},
		"one of another role":                    {binding: own(func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "admin" }), found: true, owned: true},
		"one that was restored":                  {binding: own(func(b *rbacv1.RoleBinding) { b.OwnerReferences = nil }), found: true, owned: true},
		"one of an identity of its name, before": {binding: own(func(b *rbacv1.RoleBinding) { b.Name, b.OwnerReferences[0].UID = "other", "former" })},
		"a stranger's that has a wanted name":    {binding: stranger("wanted"), found: true},
		"a stranger's":                           {binding: stranger("strange", users("user-1")...)},
		"one that names its newest credential":   {binding: stranger("strange", groups(newest)...)},
		"one that names an earlier credential":   {binding: stranger("strange", groups(older)...), found: true},
		"one that hides that among many":         {binding: stranger("strange", append(groups(decoys...), groups(older)...)...), found: true},
		"one that names what looks like one":     {binding: stranger("strange", users(older)...)},
	} {
		t.Run(name, func(t *testing.T) {
			q := &inquiry{identity: alice, wanted: []access.Binding{want}}
			matched([]*inquiry{q, {identity: someone(2)}}, tt.binding)
			if q.answer.inOrder[0] != tt.inOrder || (len(q.answer.found) == 1) != tt.found || q.answer.ours != tt.owned {
				t.Errorf("in order %v, found %+v, owned %v", q.answer.inOrder, q.answer.found, q.answer.ours)
			}
			for _, have := range q.answer.found {
				if !tt.owned && tt.binding.Name == "strange" && !access.GrantsOlderCredential(alice, have.Subjects) {
					t.Errorf("what matters is not kept: %v", have.Subjects)
				}
			}
			rest, inOrder := q.answer.rest([]access.Binding{want})
			if (inOrder == 1) != tt.inOrder || (len(rest) == 0) != tt.inOrder {
				t.Errorf("%d in order, rest %v", inOrder, rest)
			}
			changed := want
			changed.Subject = users("alice")[0]
			if rest, inOrder := q.answer.rest([]access.Binding{changed}); inOrder != 0 || len(rest) != 1 {
				t.Errorf("of what is wanted by now, %d are in order, rest %v", inOrder, rest)
			}
		})
	}
}

func TestALookCountsWhatOthersGrant(t *testing.T) {
	alice, bob := someone(1), someone(2)
	alice.Spec.Groups, bob.Spec.Groups = []string{"team", "ops"}, []string{"team"}
	nobody := make([]string, 200)
	for i := range nobody {
		nobody[i] = fmt.Sprint("nobody-", i)
	}
	bindings := []client.Object{
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Subjects: groups("team")},
		stranger("none", users("user-3", "team")...),
		stranger("alice", users("user-1")...),
		stranger("twice", append(users("user-1"), groups("team", "ops", "team")...)...),
		stranger("among-many", append(users(nobody...), users("user-2")...)...),
		stranger("both", users("user-1", "user-2")...),
		&rbacv1.RoleBinding{ObjectMeta: dependent.Meta(someone(3), client.ObjectKey{Namespace: "dev", Name: "of-another"}), Subjects: groups("ops")},
	}
	ask := func(id *v1alpha1.ClientIdentity) *inquiry {
		holder := holderOf(id)
		return &inquiry{identity: id, holder: &holder}
	}
	a, b := ask(alice), ask(bob)
	matched([]*inquiry{a, b}, bindings...)
	for q, want := range map[*inquiry][]string{
		a: {"all", "alice", "twice", "both", "of-another"},
		b: {"all", "twice", "among-many", "both"},
	} {
		residual := q.answer.residual()
		var names []string
		for _, ref := range residual.Bindings {
			names = append(names, ref.Name)
		}
		if int(residual.Total) != len(want) || !slices.Equal(names, want) {
			t.Errorf("%s: %d bindings, %v, want %v", q.identity.Name, residual.Total, names, want)
		}
		if !residual.ObservedTime.Time.Equal(time.Unix(1, 0)) {
			t.Errorf("looked up at %v", residual.ObservedTime)
		}
	}
}

func TestWhatIsKeptForPassesIsBounded(t *testing.T) {
	alice, bob := someone(1), someone(2)
	for _, id := range []*v1alpha1.ClientIdentity{alice, bob} {
		id.Spec.BindTo, id.Spec.RevokeIssuedBefore = v1alpha1.BindToCredential, &metav1.Time{Time: time.Unix(5, 0)}
	}
	older := func(id *v1alpha1.ClientIdentity) []rbacv1.Subject { return groups(access.WantedGroup(id)[:40] + ":4") }
	planted := make([]client.Object, 0, 2*maxFound)
	for n := range 2 * maxFound {
		b := stranger(fmt.Sprint("planted-", n), older(alice)...)
		b.Subjects[0].Name = v1alpha1.CredentialGroupPrefix + "00000000000040008000000000000001:4"
		planted = append(planted, b)
	}
	last := stranger("last")
	last.Subjects = groups(v1alpha1.CredentialGroupPrefix + "00000000000040008000000000000002:4")
	a, b := &inquiry{identity: alice}, &inquiry{identity: bob}
	matched([]*inquiry{a, b}, append(planted, last)...)
	if len(a.answer.found) != maxFound || !a.answer.more {
		t.Errorf("%d are kept of those that were planted, and more: %v", len(a.answer.found), a.answer.more)
	}
	if len(b.answer.found) != 1 || b.answer.more {
		t.Errorf("%d are kept of another one", len(b.answer.found))
	}
	full := newMatch([]*inquiry{a}, false, maxKept, time.Unix(1, 0))
	for _, b := range planted {
		full.visit(b)
	}
	if len(a.answer.found) != fewFound || !a.answer.more {
		t.Errorf("%d are kept where much is kept for others", len(a.answer.found))
	}
}

// crowd returns questions of withdrawn and of revoked identities, and bindings: two of each, one of a stranger for every tenth, and
// one in a hundred for a group that all of them have.
func crowd(n int) (batch []*inquiry, bindings []client.Object) {
	for i := range n {
		id := someone(i)
		q := &inquiry{identity: id}
		if i%2 == 0 {
			holder := holderOf(id)
			q.holder = &holder
		} else {
			id.Spec.BindTo, id.Spec.RevokeIssuedBefore = v1alpha1.BindToCredential, &metav1.Time{Time: time.Unix(5, 0)}
			for _, name := range []string{"a", "b"} {
				roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
				want := access.Binding{
					Namespace: fmt.Sprint("ns-", i%13), Name: access.BindingName(id.Name, name, roleRef), RoleRef: roleRef, Subject: groups(access.WantedGroup(id))[0],
				}
				q.wanted = append(q.wanted, want)
				bindings = append(bindings, &rbacv1.RoleBinding{
					ObjectMeta: dependent.Meta(id, client.ObjectKey{Namespace: want.Namespace, Name: want.Name}), RoleRef: roleRef, Subjects: []rbacv1.Subject{want.Subject},
				})
			}
		}
		batch = append(batch, q)
		if i%10 == 0 {
			bindings = append(bindings, stranger(fmt.Sprint("stranger-", i), users(id.Spec.Username)...))
		}
		if i%100 == 0 {
			bindings = append(bindings, stranger(fmt.Sprint("team-", i), groups("team")...))
		}
	}
	return batch, bindings
}

func TestALookCostsWhatIsThereAndWhatIsFoundHoweverManyAsk(t *testing.T) {
	cost := func(n int) int {
		batch, bindings := crowd(n)
		m := matched(batch, bindings...)
		for _, q := range batch {
			if q.holder != nil && int(q.answer.residual().Total) < n/100 {
				t.Fatalf("%s: %+v", q.identity.Name, q.answer.residual())
			}
			if !slices.Equal(q.answer.inOrder, slices.Repeat([]bool{true}, len(q.wanted))) {
				t.Fatalf("%s: %v", q.identity.Name, q.answer.inOrder)
			}
		}
		return m.visited + m.found
	}
	few, many := cost(300), cost(3000)
	if many > 11*few {
		t.Errorf("ten times as many questions and bindings cost %d, and not about ten times %d", many, few)
	}
}

// go test -bench=Look ./internal/binding: the time for each binding is the same, however many ask.
func BenchmarkLook(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			batch, bindings := crowd(n)
			b.ReportAllocs()
			for b.Loop() {
				matched(batch, bindings...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(bindings)), "ns/binding")
		})
	}
}
