// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

var (
	alice = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "alice@example.com"}
	other = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: credential}
	edit  = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"}
	view  = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
)

func wantIn(namespace string) Binding {
	return Binding{Namespace: namespace, Name: BindingName("alice", "dev", edit), SpecName: "dev", RoleRef: edit, Subject: alice}
}

// haveIn is the object of wantIn, ours and as it should be, changed by the options.
func haveIn(namespace string, options ...func(*Observed)) Observed {
	want := wantIn(namespace)
	o := Observed{Namespace: namespace, Name: want.Name, UID: "uid", ResourceVersion: "1", RoleRef: edit, Subjects: []rbacv1.Subject{alice}, Owned: true}
	for _, option := range options {
		option(&o)
	}
	return o
}

func orphan(o *Observed)       { o.Owned, o.Orphan = false, true }
func foreign(o *Observed)      { o.Owned = false }
func deleting(o *Observed)     { o.Deleting = true }
func finalizers(o *Observed)   { o.Finalizers = true }
func drift(o *Observed)        { o.MetadataDrift = true }
func empty(o *Observed)        { o.Subjects = nil }
func otherRole(o *Observed)    { o.RoleRef = view }
func otherSubject(o *Observed) { o.Subjects = []rbacv1.Subject{other} }
func twoSubjects(o *Observed)  { o.Subjects = []rbacv1.Subject{alice, other} }

func TestDiff(t *testing.T) {
	w := wantIn("dev")
	one := func(options ...func(*Observed)) []Observed { return []Observed{haveIn("dev", options...)} }
	change := func(options ...func(*Observed)) []Change { return []Change{{Want: w, Have: haveIn("dev", options...)}} }
	wait := func(options ...func(*Observed)) []Wait { return []Wait{{Want: w, Have: haveIn("dev", options...)}} }

	tests := map[string]struct {
		unwanted bool
		have     []Observed
		want     Plan
	}{
		"creates what does not exist":                    {want: Plan{Create: []Binding{w}}},
		"leaves alone what is as it should be":           {have: one(), want: Plan{Bound: 1}},
		"leaves finalizers of others alone":              {have: one(finalizers), want: Plan{Bound: 1}},
		"updates a changed subject once":                 {have: one(otherSubject), want: Plan{Update: change(otherSubject)}},
		"updates where somebody added a subject":         {have: one(twoSubjects), want: Plan{Update: change(twoSubjects)}},
		"updates where somebody removed the subject":     {have: one(empty), want: Plan{Update: change(empty)}},
		"updates where somebody changed the labels":      {have: one(drift), want: Plan{Update: change(drift)}},
		"replaces what somebody replaced with a role":    {have: one(otherRole), want: Plan{Replace: change(otherRole)}},
		"replaces an orphan, never updates it":           {have: one(orphan, otherSubject, drift), want: Plan{Replace: change(orphan, otherSubject, drift)}},
		"replaces an orphan that looks right":            {have: one(orphan), want: Plan{Replace: change(orphan)}},
		"reports a name that somebody else's object has": {have: one(foreign), want: Plan{Conflicts: []Conflict{{Want: w, Have: haveIn("dev", foreign)}}}},
		"reports it while that is being deleted":         {have: one(foreign, deleting), want: Plan{Conflicts: []Conflict{{Want: w, Have: haveIn("dev", foreign, deleting)}}}},
		"waits for its own that is being deleted":        {have: one(deleting), want: Plan{Waiting: wait(deleting)}},
		"changes the subject of one that a finalizer keeps": {have: one(deleting, finalizers, otherSubject),
			want: Plan{Update: change(deleting, finalizers, otherSubject), Waiting: wait(deleting, finalizers, otherSubject)}},
		"does not mind the labels of one that goes": {have: one(deleting, drift), want: Plan{Waiting: wait(deleting, drift)}},
		"empties one of another role that a finalizer keeps": {have: one(deleting, finalizers, otherRole),
			want: Plan{Empty: one(deleting, finalizers, otherRole), Waiting: wait(deleting, finalizers, otherRole)}},
		"empties an orphan that a finalizer keeps": {have: one(orphan, deleting, finalizers),
			want: Plan{Empty: one(orphan, deleting, finalizers), Waiting: wait(orphan, deleting, finalizers)}},
		"waits for an emptied orphan": {have: one(orphan, deleting, finalizers, empty), want: Plan{Waiting: wait(orphan, deleting, finalizers, empty)}},

		"deletes what is no longer wanted":            {unwanted: true, have: one(), want: Plan{Delete: one()}},
		"deletes a restored one that is not wanted":   {unwanted: true, have: one(orphan), want: Plan{Delete: one(orphan)}},
		"never touches what is somebody else's":       {unwanted: true, have: one(foreign, otherSubject, finalizers)},
		"nor while it is being deleted":               {unwanted: true, have: one(foreign, deleting, finalizers)},
		"empties one that is kept after its deletion": {unwanted: true, have: one(deleting, finalizers), want: Plan{Empty: one(deleting, finalizers)}},
		"sees an emptied one gone":                    {unwanted: true, have: one(deleting, finalizers, empty), want: Plan{Leaving: one(deleting, finalizers, empty)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			desired := []Binding{w}
			if test.unwanted {
				desired = nil
			}
			if diff := cmp.Diff(test.want, Diff(desired, test.have)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiffMakesANewBindingForAChangedRole(t *testing.T) {
	id := identity(in("data"))
	before := Desired(id, namespaces, protected, "", now).Bindings
	have := Observed{Namespace: "data", Name: before[0].Name, RoleRef: before[0].RoleRef, Subjects: []rbacv1.Subject{before[0].Subject}, Owned: true}
	id.Spec.RoleBindings[0].RoleRef.Name = "view"

	after := Desired(id, namespaces, protected, "", now).Bindings
	want := Plan{Create: after, Delete: []Observed{have}}
	if diff := cmp.Diff(want, Diff(after, []Observed{have})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDiffTellsTheKindsApart(t *testing.T) {
	inCluster := haveIn("")
	want := Plan{Create: []Binding{wantIn("dev")}, Delete: []Observed{inCluster}}
	if diff := cmp.Diff(want, Diff([]Binding{wantIn("dev")}, []Observed{inCluster})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDiffIsInOrder(t *testing.T) {
	desired := []Binding{wantIn("d"), wantIn("c"), wantIn("")}
	observed := []Observed{haveIn("z"), haveIn("y"), haveIn("d", otherSubject), haveIn("c", otherSubject), haveIn("x", deleting), haveIn("w", deleting)}
	want := Diff(desired, observed)
	sorted := Plan{
		Create: []Binding{wantIn("")},
		Update: []Change{{wantIn("c"), haveIn("c", otherSubject)}, {wantIn("d"), haveIn("d", otherSubject)}},
		Empty:  []Observed{haveIn("w", deleting), haveIn("x", deleting)},
		Delete: []Observed{haveIn("y"), haveIn("z")},
	}
	if diff := cmp.Diff(sorted, want); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	slices.Reverse(desired)
	slices.Reverse(observed)
	if diff := cmp.Diff(want, Diff(desired, observed)); diff != "" {
		t.Errorf("another order gives another plan (-want +got):\n%s", diff)
	}
}

func TestEmptyFirst(t *testing.T) {
	if haveIn("dev").EmptyFirst() {
		t.Error("empties one that goes at once")
	}
	if !haveIn("dev", finalizers).EmptyFirst() {
		t.Error("deletes one with a finalizer while it still grants")
	}
	if haveIn("dev", finalizers, empty).EmptyFirst() {
		t.Error("empties one that is empty")
	}
}

func TestPlanSaysWhatIsLeft(t *testing.T) {
	tests := map[string]struct {
		plan Plan
		gone bool
	}{
		"nothing":                  {gone: true},
		"in place":                 {plan: Plan{Bound: 2}, gone: true},
		"one to create":            {plan: Plan{Create: make([]Binding, 1)}, gone: true},
		"one to update":            {plan: Plan{Update: make([]Change, 1)}, gone: true},
		"one to replace":           {plan: Plan{Replace: make([]Change, 1)}},
		"one to empty":             {plan: Plan{Empty: make([]Observed, 1)}},
		"one to delete":            {plan: Plan{Delete: make([]Observed, 1)}},
		"one that is still there":  {plan: Plan{Leaving: make([]Observed, 1)}},
		"a name that is taken":     {plan: Plan{Conflicts: make([]Conflict, 1)}, gone: true},
		"a name that is not free ": {plan: Plan{Waiting: make([]Wait, 1)}, gone: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.plan.Gone(); got != test.gone {
				t.Errorf("gone %t, want %t", got, test.gone)
			}
		})
	}
}

func TestNarrowingGivesNobodyAnything(t *testing.T) {
	revoked := wantIn("revoked")
	revoked.Subject = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "clientidentity.dev:uid:1"}
	plan := Diff([]Binding{wantIn("new"), wantIn("subject"), wantIn("labels"), wantIn("role"), wantIn("right"), revoked}, []Observed{
		haveIn("subject", otherSubject), haveIn("labels", drift), haveIn("role", otherRole), haveIn("right"), haveIn("revoked"),
		haveIn("gone"), haveIn("going", deleting),
	})
	narrow := plan.Narrowing()
	if len(narrow.Create)+len(narrow.Replace) > 0 {
		t.Errorf("makes %v %v", narrow.Create, narrow.Replace)
	}
	var updated []string
	for _, change := range narrow.Update {
		updated = append(updated, change.Want.Namespace)
	}
	if diff := cmp.Diff([]string{"labels", "revoked"}, updated); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
	if len(narrow.Delete) != 1 || len(narrow.Empty) != 1 || narrow.Bound != 1 || len(plan.Update) != 3 {
		t.Errorf("got %+v of %+v", narrow, plan)
	}
}
