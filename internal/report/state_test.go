// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/problem"
)

func TestStateSumsTheConditionsUp(t *testing.T) {
	withdrawal := func(done bool, p *problem.Problem) v1alpha1.ClientIdentityStatus {
		return ComputeWithdrawn(Withdrawal{
			Identity: identity(), Before: standing(), Ending: access.Ending{Reason: v1alpha1.ReasonAccessEnded, Message: "over"}, Done: done, Problem: p,
		})
	}
	with := func(changes ...func(*Input)) v1alpha1.ClientIdentityStatus {
		in := input(changes...)
		in.Before.Certificate = issued(time.Hour)
		return Compute(in)
	}
	for name, test := range map[string]struct {
		status v1alpha1.ClientIdentityStatus
		state  v1alpha1.ObservedState
		reason string
	}{
		"all is as asked for":                            {with(), "Ready", "Issued"},
		"with a shorter lifetime than asked for":         {with(asking(2 * time.Hour)), "Ready", "TTLShortened"},
		"in the last minutes before its end":             {with(credentialProblem(problem.NewWaiting(v1alpha1.ReasonAccessEnding, 0, "soon over"))), "Ready", "AccessEnding"},
		"a renewal fails, and the certificate is valid":  {with(credentialProblem(failing5xx)), "AtRisk", "Unavailable"},
		"the CA of the certificate is being replaced":    {with(superseded), "AtRisk", "IssuerSuperseded"},
		"a renewal was denied":                           {with(credentialProblem(denied)), "Stalled", "Denied"},
		"the first request was denied":                   {with(notPublished, credentialProblem(denied)), "Stalled", "Denied"},
		"a certificate is being issued":                  {with(notPublished), "Pending", "Pending"},
		"a new certificate is being issued":              {with(outdated), "Pending", "Pending"},
		"a request waits for its signer for long":        {with(notPublished, credentialProblem(problem.NewWaiting(v1alpha1.ReasonSignerNotServing, 0, "nobody signs"))), "Waiting", "SignerNotServing"},
		"a binding is in conflict":                       {with(bindingProblem(conflict)), "Waiting", "BindingConflict"},
		"the certificate has ended":                      {with(after(2 * time.Hour)), "Waiting", "Expired"},
		"access is being taken away":                     {withdrawal(false, nil), "Withdrawing", "Withdrawing"},
		"a finalizer keeps access from being taken away": {withdrawal(false, problem.NewWaiting(v1alpha1.ReasonBindingTerminating, 0, "held")), "Withdrawing", "BindingTerminating"},
		"access is taken away":                           {withdrawal(true, nil), "Withdrawn", "AccessEnded"},
		"nothing has been said yet":                      {v1alpha1.ClientIdentityStatus{State: "Pending"}, "Pending", ""},
	} {
		if test.status.State != test.state || test.status.StateReason != test.reason {
			t.Errorf("%s: %s (%s), want %s (%s)", name, test.status.State, test.status.StateReason, test.state, test.reason)
		}
		if state, reason := StateOf(test.status.Conditions); state != test.state || reason != test.reason {
			t.Errorf("%s: the conditions alone say %s (%s)", name, state, reason)
		}
	}
}
