// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// passage is where gates stand: before what step, and in what order.
type passage struct {
	gates []gate
	// verdict is given where all of them are open, and given brings an identity there.
	verdict Verdict
	given   change
	names   []string
}

var passages = map[string]passage{
	"request": {requestGates, Request, nothingPublished, []string{
		"target", "access-ending", "signer-not-allowed", "place", "renewed-just-now", "renew-turn", "issued-too-often", "last-failure",
	}},
	"submit":  {submitGates, Follow, func(in *Input) { nothingPublished(in); unsubmitted(in) }, []string{"last-failure"}},
	"publish": {publishGates, Publish, func(in *Input) { nothingPublished(in); proven(in) }, []string{"target", "place", "rights", "api-servers-behind"}},
}

func tooOften(until string) *problem.Problem {
	return problem.NewWaiting(v1alpha1.ReasonIssuedTooOften, 0, "10 certificates were issued within 5m0s, the next one is at %s: "+
		"find out what deletes the Secret, or changes the spec, again and again", until)
}

// gateRow closes a gate of a passage, or leaves it open.
type gateRow struct {
	passage, gate string
	given         []change
	closed        bool
	// tells is what is said of it, and next when the plan changes: after now, zero = never.
	tells *problem.Problem
	next  time.Duration
}

func gateRows() map[string]gateRow {
	// A renew request is made for a credential that stands: its plan changes at the renewal as well.
	asks := func(in *Input) { *in = wellKept(renewRequest("now")) }
	noSigner := problem.NewStalled(v1alpha1.ReasonSignerNotAllowed,
		`the operator may not ask signer "other" for certificates, only kubernetes.io/kube-apiserver-client, example.com/ca: `+
			"set spec.signerName to one of them, or add it to --allowed-signers")
	ending := problem.NewWaiting(v1alpha1.ReasonAccessEnding, 0,
		"no certificate is requested in the last ten minutes before accessUntil (2026-12-01T09:09:59Z)")
	retry := problem.NewTransient(v1alpha1.ReasonSignerFailed, "no luck; attempt 3 failed at 2026-12-01T08:59:21Z, the next one is at 2026-12-01T09:00:01Z")
	refusal := problem.NewStalled(v1alpha1.ReasonDenied, "no")
	untilRenewal := renewsAt.Sub(wellKept().Now)

	return map[string]gateRow{
		"nobody knows the server":                  {"request", "target", []change{targetUnknown}, true, noServer, 0},
		"somebody knows the server":                {"request", "target", nil, false, nil, 0},
		"access ends in less than ten minutes":     {"request", "access-ending", []change{accessEndsIn(10*time.Minute - time.Second)}, true, ending, 10*time.Minute - time.Second},
		"access ends in ten minutes":               {"request", "access-ending", []change{accessEndsIn(10 * time.Minute)}, false, nil, 10 * time.Minute},
		"access does not end":                      {"request", "access-ending", nil, false, nil, 0},
		"the signer is not allowed":                {"request", "signer-not-allowed", []change{signedBy("other"), allowed(signer, "example.com/ca")}, true, noSigner, 0},
		"the signer is one of those allowed":       {"request", "signer-not-allowed", []change{signedBy("other"), allowed(signer, "other")}, false, nil, 0},
		"the namespace of the Secret is missing":   {"request", "place", []change{placeMissing}, true, noNamespace, 0},
		"the namespace of the Secret is there":     {"request", "place", nil, false, nil, 0},
		"asked to renew nine seconds after":        {"request", "renewed-just-now", []change{asks, askedFor(9 * time.Second)}, true, nil, time.Second},
		"asked to renew ten seconds after":         {"request", "renewed-just-now", []change{asks, askedFor(10 * time.Second)}, false, nil, untilRenewal},
		"asked to renew before it was issued":      {"request", "renewed-just-now", []change{asks, askedFor(-time.Second)}, false, nil, untilRenewal},
		"asked to renew, and nobody knows when":    {"request", "renewed-just-now", []change{asks, func(in *Input) { in.RequestTime = time.Time{} }}, false, nil, untilRenewal},
		"deleted nine seconds after":               {"request", "renewed-just-now", []change{askedFor(9 * time.Second)}, false, nil, 0},
		"asked to renew before its turn":           {"request", "renew-turn", []change{asks, turnIn(time.Second)}, true, nil, time.Second},
		"asked to renew in its turn":               {"request", "renew-turn", []change{asks, turnIn(0)}, false, nil, untilRenewal},
		"deleted before its turn":                  {"request", "renew-turn", []change{turnIn(time.Second)}, false, nil, 0},
		"ten were issued just now":                 {"request", "issued-too-often", []change{issuedOften(10)}, true, tooOften("2026-12-01T09:04:50Z"), 4*time.Minute + 50*time.Second},
		"ten were issued on request":               {"request", "issued-too-often", []change{asks, issuedOften(10), askedFor(11 * time.Second)}, true, nil, 4*time.Minute + 40*time.Second},
		"nine were issued just now":                {"request", "issued-too-often", []change{issuedOften(9)}, false, nil, 0},
		"ten were issued five minutes ago":         {"request", "issued-too-often", []change{issuedOften(10), later(4*time.Minute + 50*time.Second)}, false, nil, 0},
		"ten were issued with a clock ahead":       {"request", "issued-too-often", []change{issuedOften(10), askedFor(-day)}, false, nil, 0},
		"the last attempt failed just now":         {"request", "last-failure", []change{failed(39 * time.Second)}, true, retry, time.Second},
		"the last attempt failed a while ago":      {"request", "last-failure", []change{failed(40 * time.Second)}, false, nil, 0},
		"the last attempt failed in the future":    {"request", "last-failure", []change{failed(-time.Second)}, false, nil, 0},
		"the spec changed since the last attempt":  {"request", "last-failure", []change{failed(0), sinceChanged}, false, nil, 0},
		"a person denied it":                       {"request", "last-failure", []change{denied}, true, refusal, 0},
		"a person denied what has changed since":   {"request", "last-failure", []change{denied, sinceChanged}, false, nil, 0},
		"the request was not answered just now":    {"submit", "last-failure", []change{failed(39 * time.Second)}, true, retry, time.Second},
		"the request was not answered a while ago": {"submit", "last-failure", []change{failed(40 * time.Second)}, false, nil, 0},
		"the request was not answered tomorrow":    {"submit", "last-failure", []change{failed(-day)}, false, nil, 0},
		"nobody knows the server by now":           {"publish", "target", []change{targetUnknown}, true, noServer, 0},
		"somebody knows the server still":          {"publish", "target", nil, false, nil, 0},
		"the namespace of the Secret is gone":      {"publish", "place", []change{placeMissing}, true, noNamespace, 0},
		"the namespace of the Secret is there yet": {"publish", "place", nil, false, nil, 0},
		"a revoked copy still has rights":          {"publish", "rights", []change{rightsLeft}, true, stillBound, 0},
		"no revoked copy has rights":               {"publish", "rights", nil, false, nil, 0},
		"an API server may be behind":              {"publish", "api-servers-behind", []change{publishedIn(time.Second)}, true, nil, time.Second},
		"every API server has heard of it by now":  {"publish", "api-servers-behind", []change{publishedIn(0)}, false, nil, 0},
	}
}

func TestGates(t *testing.T) {
	for name, row := range gateRows() {
		t.Run(name, func(t *testing.T) {
			passage := passages[row.passage]
			in := wellKept(slices.Concat([]change{passage.given}, row.given)...)
			plan := PlanFor(in)
			verdict, gate := passage.verdict, ""
			if row.closed {
				verdict, gate = Wait, row.gate
			}
			if plan.Verdict != verdict || plan.Gate != gate {
				t.Errorf("the verdict is %s at gate %q, want %s at %q", plan.Verdict, plan.Gate, verdict, gate)
			}
			if diff := cmp.Diff(row.tells, plan.Problem); diff != "" {
				t.Errorf("tells (-want +got):\n%s", diff)
			}
			if (row.next == 0) != plan.Next.IsZero() || (row.next != 0 && !plan.Next.Equal(in.Now.Add(row.next))) {
				t.Errorf("changes at %s, want %s after %s", plan.Next, row.next, in.Now)
			}
			if (plan.TTL != 0) != (verdict == Request) {
				t.Errorf("asks for a lifetime of %s with the verdict %s", plan.TTL, plan.Verdict)
			}
		})
	}
}

// Whoever adds a gate adds its rows, and says where it stands.
func TestEveryGateHasItsRows(t *testing.T) {
	type side struct {
		passage, gate string
		closed        bool
	}
	tested := map[side]bool{}
	for name, row := range gateRows() {
		if !slices.Contains(passages[row.passage].names, row.gate) {
			t.Errorf("%s: there is no gate %q before %q", name, row.gate, row.passage)
		}
		tested[side{row.passage, row.gate, row.closed}] = true
	}
	for name, passage := range passages {
		var names []string
		for _, g := range passage.gates {
			names = append(names, g.name)
			for _, closed := range []bool{true, false} {
				if !tested[side{name, g.name, closed}] {
					t.Errorf("gate %q before %q has no row in which closed is %t", g.name, name, closed)
				}
			}
		}
		if diff := cmp.Diff(passage.names, names); diff != "" {
			t.Errorf("the gates before %q (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheFirstClosedGateIsTheOneThatIsSeen(t *testing.T) {
	for name, test := range map[string]struct {
		passage string
		given   []change
		// open opens the gates in their order.
		open []change
	}{
		"before a request": {
			"request",
			[]change{
				func(in *Input) { in.Published.NotAfter = in.Now.Add(5 * time.Minute) }, renewRequest("now"),
				targetUnknown, accessEndsIn(9 * time.Minute), signedBy("other"), placeMissing, turnIn(time.Minute), issuedOften(10), failed(0),
			},
			[]change{
				func(in *Input) { in.Target = nil },
				func(in *Input) { in.AccessUntil = nil },
				signedBy(signer),
				func(in *Input) { in.Place = nil },
				later(10 * time.Second),
				turnIn(0),
				func(in *Input) { in.Issued = nil },
				func(in *Input) { in.Failure = nil },
			},
		},
		"before a request is sent again": {"submit", []change{passages["submit"].given, failed(0)}, []change{func(in *Input) { in.Failure = nil }}},
		"before a certificate is published": {
			"publish",
			[]change{passages["publish"].given, targetUnknown, placeMissing, rightsLeft, publishedIn(time.Second)},
			[]change{func(in *Input) { in.Target = nil }, func(in *Input) { in.Place = nil }, func(in *Input) { in.Rights = nil }, publishedIn(0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			passage := passages[test.passage]
			in := wellKept(test.given...)
			for i, want := range passage.names {
				if plan := PlanFor(in); plan.Verdict != Wait || plan.Gate != want {
					t.Fatalf("the verdict is %s at gate %q, want Wait at %q", plan.Verdict, plan.Gate, want)
				}
				test.open[i](&in)
			}
			if plan := PlanFor(in); plan.Verdict != passage.verdict || plan.Gate != "" {
				t.Errorf("with all gates open the verdict is %s at gate %q", plan.Verdict, plan.Gate)
			}
		})
	}
}
