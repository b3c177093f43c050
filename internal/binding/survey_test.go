// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// slow is an API server that tells of each look that begins, and answers when it is told what comes of it: an error, nil, or a panic
// with anything else. It has one cluster-wide binding.
type slow struct {
	client.Reader
	begun chan struct{}
	goOn  chan any
}

func (s slow) List(ctx context.Context, list client.ObjectList, _ ...client.ListOption) error {
	found, ok := list.(*rbacv1.ClusterRoleBindingList)
	if !ok {
		return nil
	}
	var comes any
	select {
	case s.begun <- struct{}{}:
		comes = <-s.goOn
	case <-ctx.Done():
		return ctx.Err()
	}
	fails, ok := comes.(error)
	if comes != nil && !ok {
		panic(comes)
	}
	found.Items = []rbacv1.ClusterRoleBinding{{
		ObjectMeta: metav1.ObjectMeta{Name: "all"}, Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: "team"}},
	}}
	return fails
}

// office is a survey at work, and whom it has told.
type office struct {
	*Writer
	api  slow
	tell chan string
}

// open returns a survey that has looked once, when it began.
func open(t *testing.T) *office {
	t.Helper()
	o := &office{api: slow{begun: make(chan struct{}), goOn: make(chan any)}, tell: make(chan string, 10_000)}
	o.Writer = &Writer{Live: o.api}
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		o.Look(ctx, clocktesting.NewFakePassiveClock(time.Unix(1, 0)), func(name string) { o.tell <- name })
	}()
	t.Cleanup(func() { stop(); <-ended })
	<-o.api.begun
	o.api.goOn <- nil
	return o
}

// someone returns an identity of that number.
func someone(n int) *v1alpha1.ClientIdentity {
	return &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("id-%d", n), UID: types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n)), Generation: 1},
		Spec:       v1alpha1.ClientIdentitySpec{Username: fmt.Sprintf("user-%d", n), Groups: []string{"team"}},
	}
}

// holderOf returns the holder of an identity without certificates.
func holderOf(identity *v1alpha1.ClientIdentity) access.Holder {
	return access.HolderOf(identity, &identity.Status)
}

// residual asks what is granted to somebody, and waits for no answer.
func (o *office) residual(t *testing.T, identity *v1alpha1.ClientIdentity) (*v1alpha1.ResidualAccess, Outcome) {
	t.Helper()
	ended, end := context.WithCancel(t.Context())
	end()
	return o.ResidualAccess(ended, Wanted{Identity: identity}, holderOf(identity))
}

func TestAThousandWhoAskAtOnceAreAnsweredByOneLook(t *testing.T) {
	const many = 1000
	o := open(t)
	o.AskResidual(someone(0), holderOf(someone(0)))
	<-o.api.begun
	for n := range many {
		if residual, done := o.residual(t, someone(1+n)); residual != nil || !done.Waits {
			t.Fatalf("%d got %+v, %+v of a look that had begun", n, residual, done)
		}
	}
	o.api.goOn <- nil // the one that had begun when they came
	<-o.api.begun
	o.api.goOn <- nil // theirs
	told := map[string]bool{}
	for range 1 + many {
		told[<-o.tell] = true
	}
	for n := range many {
		residual, done := o.residual(t, someone(1+n))
		if residual == nil || done.Waits || residual.Total != 1 || residual.Bindings[0].Name != "all" || !told[someone(1+n).Name] {
			t.Fatalf("%d got %+v, %+v, told: %v", n, residual, done, told[someone(1+n).Name])
		}
	}
	select {
	case <-o.api.begun:
		t.Error("somebody has looked again")
	default:
	}
}

func TestALookThatFailsIsToldToAllWhoWaitForIt(t *testing.T) {
	for name, fails := range map[string]any{"because the API server does": errors.New("away"), "because of what somebody planted": "planted"} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			for n := range 3 {
				o.AskResidual(someone(n), holderOf(someone(n)))
				if n == 0 {
					<-o.api.begun
				}
			}
			o.api.goOn <- nil
			<-o.api.begun
			o.api.goOn <- fails
			told := []string{<-o.tell, <-o.tell, <-o.tell}
			slices.Sort(told)
			if !slices.Equal(told, []string{"id-0", "id-1", "id-2"}) {
				t.Errorf("told %v", told)
			}
			for n := range 3 {
				residual, done := o.residual(t, someone(n))
				if failed := n > 0; failed != (done.Err != nil) || failed != (residual == nil) || done.Waits {
					t.Errorf("%d got %+v, %+v", n, residual, done)
				}
			}
		})
	}
}

func TestAnAnswerIsOneToTheQuestionThatIsAsked(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.ClientIdentity){
		"and not of another generation": func(id *v1alpha1.ClientIdentity) { id.Generation++ },
		"and not of a namesake":         func(id *v1alpha1.ClientIdentity) { id.UID = "another" },
		"and not of other groups":       func(id *v1alpha1.ClientIdentity) { id.Spec.Groups = nil },
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			o.AskResidual(someone(1), holderOf(someone(1)))
			<-o.api.begun
			o.api.goOn <- nil
			<-o.tell
			changed := someone(1)
			change(changed)
			if residual, done := o.residual(t, changed); residual != nil || !done.Waits {
				t.Errorf("got %+v, %+v", residual, done)
			}
			<-o.api.begun
			o.api.goOn <- nil
			<-o.tell
			if residual, _ := o.residual(t, changed); residual == nil || int(residual.Total) != len(changed.Spec.Groups) {
				t.Errorf("got %+v", residual)
			}
		})
	}
}

func TestNobodyIsToldWhatNobodyWantsToKnowAnyMore(t *testing.T) {
	o := open(t)
	for n := range 2 {
		o.AskResidual(someone(n), holderOf(someone(n)))
		if n == 0 {
			<-o.api.begun
		}
	}
	o.Forget(someone(0).Name)
	o.Forget(someone(1).Name)
	o.AskResidual(someone(2), holderOf(someone(2)))
	o.api.goOn <- nil
	<-o.api.begun
	o.api.goOn <- nil
	if told := <-o.tell; told != someone(2).Name {
		t.Errorf("told %s", told)
	}
	if len(o.survey.open) != 1 {
		t.Errorf("%d questions are kept", len(o.survey.open))
	}
}

func TestWhoAsksAloneIsAnsweredByTheSamePass(t *testing.T) {
	o := open(t)
	go func() {
		<-o.api.begun
		o.api.goOn <- nil
	}()
	identity := someone(1)
	residual, done := o.ResidualAccess(t.Context(), Wanted{Identity: identity}, holderOf(identity))
	if residual == nil || done.Waits || !residual.ObservedTime.Time.Equal(time.Unix(1, 0)) {
		t.Errorf("got %+v, %+v", residual, done)
	}
	select {
	case name := <-o.tell:
		t.Errorf("told %s, too", name)
	default:
	}
}

func TestNobodyLooksForThreeTimesAsLongAsALookTook(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(1, 0))
	for name, tt := range map[string]struct {
		took  time.Duration
		fails error
		want  time.Duration
	}{
		"where it took long":         {took: 2 * time.Second, want: 6 * time.Second},
		"which is nothing, mostly":   {took: 0, want: 0},
		"and longer where it failed": {took: time.Millisecond, fails: errors.New("away"), want: time.Second},
		"but not for minutes":        {took: time.Minute, fails: errors.New("away"), want: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Writer{Live: timed{took: tt.took, fails: tt.fails, clock: clock}}
			if rest, _ := w.look(t.Context(), clock, func(string) {}); rest != tt.want {
				t.Errorf("rests for %v, want %v", rest, tt.want)
			}
		})
	}
}

// timed is an API server that takes a while.
type timed struct {
	client.Reader
	took  time.Duration
	fails error
	clock *clocktesting.FakePassiveClock
}

func (s timed) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if _, ok := list.(*rbacv1.ClusterRoleBindingList); ok {
		s.clock.SetTime(s.clock.Now().Add(s.took))
	}
	return s.fails
}

func TestOnlyARevocationWaitsForWhatLostItsLabelsBefore(t *testing.T) {
	revoked := someone(1)
	revoked.Spec.BindTo, revoked.Spec.RevokeIssuedBefore = v1alpha1.BindToCredential, &metav1.Time{Time: time.Unix(5, 0)}
	stripped := rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "b", OwnerReferences: []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: "id-2", UID: someone(2).UID, Controller: new(bool),
	}}}}
	*stripped.OwnerReferences[0].Controller = true
	w := &Writer{Live: listed{stripped}}
	if w.survey.suspects(someone(2)) || !w.survey.suspects(revoked) {
		t.Error("it is not known yet")
	}
	var told []string
	if _, err := w.look(t.Context(), clocktesting.NewFakePassiveClock(time.Unix(1, 0)), func(name string) { told = append(told, name) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []string{"id-2"}) || !w.survey.suspects(someone(2)) || w.survey.suspects(revoked) {
		t.Errorf("told %v", told)
	}
	w.survey.clear(someone(2).UID)
	if w.survey.suspects(someone(2)) {
		t.Error("it is suspected for ever")
	}
}

// listed are the role bindings that there are.
type listed []rbacv1.RoleBinding

func (l listed) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("nobody asks for one")
}

func (l listed) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if found, ok := list.(*rbacv1.RoleBindingList); ok {
		found.Items = l
	}
	return nil
}
