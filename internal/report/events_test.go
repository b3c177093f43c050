// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/problem"
)

// story is an identity whose passes follow one another.
type story struct {
	t        *testing.T
	identity *v1alpha1.ClientIdentity
}

func newStory(t *testing.T) *story {
	return &story{t, identity(func(id *v1alpha1.ClientIdentity) {
		id.Status.SecretRef = &v1alpha1.SecretReference{Namespace: "team", Name: "alice"}
	})}
}

// writes writes a status, and returns type, reason and action of the events that it brings.
func (s *story) writes(status v1alpha1.ClientIdentityStatus) []string {
	var told []string
	for _, event := range Events(s.identity, &status) {
		told = append(told, event.Type+" "+event.Reason+" "+event.Action)
	}
	s.identity.Status = status
	return told
}

// passes expects the events of a pass.
func (s *story) passes(step string, given Input, want ...string) {
	s.t.Helper()
	given.Identity, given.Before = s.identity, s.identity.Status
	given.Credential.SecretRef = s.identity.Status.SecretRef
	if got := s.writes(Compute(given)); !slices.Equal(got, want) {
		s.t.Errorf("%s: events %q, want %q", step, got, want)
	}
}

// withdraws expects the events of a pass that takes everything away.
func (s *story) withdraws(step string, given Withdrawal, want ...string) {
	s.t.Helper()
	given.Identity, given.Before = s.identity, s.identity.Status
	given.Ending = access.Ending{Reason: v1alpha1.ReasonWithdrawnByState, Message: "spec.state is Withdrawn"}
	if got := s.writes(ComputeWithdrawn(given)); !slices.Equal(got, want) {
		s.t.Errorf("%s: events %q, want %q", step, got, want)
	}
}

func publishes(c *Certificate) func(*Input) { return func(in *Input) { in.Credential.Published = c } }

func bound(count int32) func(*Input) { return func(in *Input) { in.Bindings.Bound = count } }

func outOfTime(names ...string) func(*Input) {
	return func(in *Input) { in.Bindings.OutOfTime = names }
}

func TestOneEventForATransitionAndNoneWithout(t *testing.T) {
	s := newStory(t)
	s.passes("asked for", input(notPublished))
	s.passes("first certificate", input(publishes(published(t, 1, 0))), "Normal Issued Issue")
	s.passes("unchanged", input())
	s.passes("renewal fails", input(credentialProblem(failing5xx)), "Warning Unavailable Issue")
	s.passes("renewal fails again", input(credentialProblem(problem.NewTransient(v1alpha1.ReasonUnavailable, "attempt 2"))))
	s.passes("renewed", input(publishes(published(t, 2, 40*time.Minute))), "Normal Renewed Issue")
	s.passes("unchanged again", input())

	s.passes("may not bind", input(bindingProblem(problem.NewStalled(v1alpha1.ReasonBindingForbidden, "forbidden"))), "Warning BindingForbidden Bind")
	s.passes("bound again", input(), "Normal Bound Bind")
	s.identity.Generation++
	s.passes("a binding was added to the spec, until a time that has not come", input(bound(3)))
	s.passes("unchanged until then", input(bound(3)))
	s.passes("a binding whose time is over", input(outOfTime("night")), "Normal Bound Bind")
	s.passes("over still", input(outOfTime("night")))

	s.passes("nothing is issued any more before access ends",
		input(outOfTime("night"), credentialProblem(problem.NewWaiting(v1alpha1.ReasonAccessEnding, 0, "no certificate is requested"))), "Normal AccessEnding Issue")
	s.passes("denied", input(outOfTime("night"), credentialProblem(denied)), "Warning Denied Issue")

	s.identity.Generation++
	s.withdraws("being withdrawn", Withdrawal{})
	s.withdraws("withdrawn", Withdrawal{SecretGone: true, CredentialGone: true, Done: true}, "Normal StateWithdrawn Withdraw")
	s.withdraws("withdrawn still", Withdrawal{SecretGone: true, CredentialGone: true, Done: true})
	s.identity.Status.SecretRef = &v1alpha1.SecretReference{Namespace: "team", Name: "alice"}
	s.passes("active again", input(publishes(published(t, 3, 50*time.Minute))), "Normal Issued Issue")
}

func TestARevocationTellsWhatKeepsItAndThatItIsComplete(t *testing.T) {
	s := newStory(t)
	s.identity.Spec.BindTo = v1alpha1.BindToCredential
	s.passes("first certificate", input(publishes(published(t, 1, 0))), "Normal Issued Issue")
	rights := func(reason string) func(*Input) {
		return func(in *Input) { in.Bindings.Rights = problem.NewWaiting(reason, 0, "not yet") }
	}
	s.identity.Spec.RevokeIssuedBefore = at(time.Minute)
	s.passes("not known yet", input(rights(v1alpha1.ReasonPending)))
	s.passes("a binding stays", input(rights(v1alpha1.ReasonBindingNotRevoked)), "Warning BindingNotRevoked Revoke")
	s.passes("it stays still", input(rights(v1alpha1.ReasonBindingNotRevoked)))
	s.passes("complete", input(), "Normal Revoked Revoke")
	s.passes("complete still", input())
	s.identity.Spec.RevokeIssuedBefore = at(2 * time.Minute)
	s.passes("another one, at once", input(), "Normal Revoked Revoke")
}

func TestABatchOfEventsSaysWhatToDo(t *testing.T) {
	s := newStory(t)
	given := input(publishes(published(t, 0xabc, 0)), bindingProblem(conflict), credentialProblem(problem.NewWaiting(v1alpha1.ReasonServerUnknown, 0, "no server")))
	given.Identity, given.Credential.SecretRef = s.identity, s.identity.Status.SecretRef
	status := Compute(given)
	want := []Event{
		{"Normal", "Issued", "Issue", "Published certificate 0abc, valid until 2026-11-22T04:04:00Z, in Secret team/alice"},
		{"Warning", "ServerUnknown", "Issue", "no server (the published certificate is valid until 2026-11-22T04:04:00Z)"},
		{"Warning", "BindingConflict", "Bind", "RoleBinding exists"},
	}
	if diff := cmp.Diff(want, Events(s.identity, &status)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEventsFitTheAPI(t *testing.T) {
	long := problem.NewStalled(v1alpha1.ReasonDenied, "%s", strings.Repeat("no ü! ", 1000))
	for name, given := range map[string]Input{
		"denied at first":    input(notPublished, credentialProblem(long)),
		"a denied renewal":   input(credentialProblem(long), publishes(published(t, 1, 0))),
		"a denied binding":   input(bindingProblem(long)),
		"bindings of a year": input(outOfTime(strings.Repeat("ü", 3000))),
	} {
		status := Compute(given)
		for _, event := range Events(given.Identity, &status) {
			if len(event.Note) > 1024 || !utf8.ValidString(event.Note) {
				t.Errorf("%s: a note of %d bytes; the API server takes 1024: %s", name, len(event.Note), event.Note)
			}
		}
	}
}
