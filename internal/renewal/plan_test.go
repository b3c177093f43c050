// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// What a plan says of a reason to issue.
var (
	first   = Plan{Reason: SecretMissing, Message: "No usable credential is published"}
	other   = Plan{Reason: RequestChanged, Message: "The spec asks for another certificate than the published one", Schedule: regular, Next: renewsAt}
	onDue   = Plan{Reason: RenewalDue, Message: "The certificate is due for renewal since 2026-12-01T23:10:33Z and valid until 2026-12-02T07:55:00Z", Schedule: regular, UpToDate: true, Next: endsAt}
	onAsk   = Plan{Reason: RenewRequested, Message: "A renewal was requested with the annotation clientidentity.dev/renew-requested-at", Schedule: regular, UpToDate: true, Next: renewsAt}
	content = Plan{Schedule: regular, UpToDate: true, Next: renewsAt}

	regular = Schedule{RenewalTime: renewsAt}
	capped  = Schedule{RenewalTime: asked.Add(11*time.Hour + 57*time.Minute + 30*time.Second), Capped: true}
)

// to returns what is done about it.
func (p Plan) to(verdict Verdict, changes ...func(*Plan)) Plan {
	p.Verdict = verdict
	for _, apply := range changes {
		apply(&p)
	}
	return p
}

func ttl(d time.Duration) func(*Plan)           { return func(p *Plan) { p.TTL = d } }
func next(at time.Time) func(*Plan)             { return func(p *Plan) { p.Next = at } }
func telling(what *problem.Problem) func(*Plan) { return func(p *Plan) { p.Problem = what } }
func scheduled(s Schedule) func(*Plan)          { return func(p *Plan) { p.Schedule = s } }
func closed(gate string) func(*Plan)            { return func(p *Plan) { p.Gate = gate } }
func forgetting(p *Plan)                        { p.Forget = true }
func notUpToDate(p *Plan)                       { p.UpToDate = false }
func superseded(p *Plan)                        { p.Superseded = true }

func TestPlanFor(t *testing.T) {
	inAnHour := asked.Add(2 * time.Hour)
	notAccepted := problem.NewTransient(v1alpha1.ReasonIssuerNotTrusted,
		`the API server no longer accepts certificates of "CN=old": a new one is issued at 2026-12-01T09:05:00Z`)
	untrusted := Plan{Reason: Untrusted, Message: "The API server no longer accepts the issuer of the certificate", Schedule: regular, Next: renewsAt}

	for name, test := range map[string]struct {
		given Input
		want  Plan
	}{
		// Keep
		"keeps what is in order until its renewal":           {wellKept(), content.to(Keep, forgetting)},
		"keeps it until the last moment before":              {wellKept(now(renewsAt.Add(-1))), content.to(Keep, forgetting)},
		"keeps it although no certificate could be made now": {wellKept(placeMissing, rightsLeft, signedBy("other")), content.to(Keep, forgetting)},
		"keeps it, and tells that nobody knows the server":   {wellKept(targetUnknown), content.to(Keep, forgetting, notUpToDate, telling(noServer))},
		"keeps it where access ends long after it":           {wellKept(accessUntil(endsAt.Add(day))), content.to(Keep, forgetting)},
		"keeps it to the end of the access that it reaches":  {wellKept(accessUntil(endsAt)), content.to(Keep, forgetting, scheduled(Schedule{Capped: true}), next(endsAt))},
		"keeps it once a renew request is answered":          {wellKept(renewRequest("now"), renewRequestDone("now")), content.to(Keep, forgetting)},
		"keeps it with a failure that is over":               {wellKept(failed(time.Second)), content.to(Keep, forgetting)},
		"keeps it until its turn where its CA is not accepted": {wellKept(refusedIn(5 * time.Minute)),
			content.to(Keep, forgetting, notUpToDate, next(asked.Add(65*time.Minute)), telling(notAccepted))},
		"keeps it then, and tells first that nobody knows the server": {wellKept(refusedIn(5*time.Minute), targetUnknown),
			content.to(Keep, forgetting, notUpToDate, next(asked.Add(65*time.Minute)), telling(noServer))},
		"keeps it where its signer is to use another CA": {wellKept(supersededIn(time.Hour)), content.to(Keep, forgetting, next(inAnHour))},
		"keeps it, and says that its signer does":        {wellKept(supersededIn(0)), content.to(Keep, forgetting, superseded)},
		"keeps a capped one until half of it is over":    {wellKept(endsTogetherWithTheLastOne), content.to(Keep, forgetting, scheduled(capped), next(capped.RenewalTime))},
		"keeps a capped one whose signer is to use another CA until its turn": {wellKept(endsTogetherWithTheLastOne, supersededIn(time.Hour)),
			content.to(Keep, forgetting, scheduled(Schedule{RenewalTime: inAnHour}), next(inAnHour))},

		// Drop
		"drops a request for something else":              {wellKept(nothingPublished, open, outdated), first.to(Drop)},
		"drops it although nobody knows whether it is":    {wellKept(requestChanges, unsubmitted, outdated, failed(time.Second)), other.to(Drop)},
		"drops a proven certificate for something else":   {wellKept(nothingPublished, proven, outdated), first.to(Drop)},
		"drops one that ended before it had a place":      {wellKept(nothingPublished, proven, placeMissing, now(asked.Add(2*day+1))), first.to(Drop)},
		"drops one that outlives the access by now":       {wellKept(nothingPublished, proven, accessUntil(asked.Add(2*day-1))), first.to(Drop, next(asked.Add(2*day-1)))},
		"drops a proven one that nothing is wanted for":   {wellKept(proven), content.to(Drop)},
		"drops one that is for nothing, and for the past": {wellKept(open, outdated), content.to(Drop)},

		// Follow
		"follows an open request":                          {wellKept(nothingPublished, open), first.to(Follow)},
		"follows it though nothing is wanted any more":     {wellKept(open), content.to(Follow)},
		"follows it whatever is in the way of another one": {wellKept(nothingPublished, open, failed(0), targetUnknown, placeMissing, signedBy("other")), first.to(Follow)},
		"follows it after a denial":                        {wellKept(now(renewsAt), open, denied), onDue.to(Follow)},
		"follows one of which nobody knows whether it is":  {wellKept(nothingPublished, unsubmitted), first.to(Follow)},
		"follows that for a changed spec, with new tries":  {wellKept(nothingPublished, unsubmitted, failed(0), sinceChanged), first.to(Follow, forgetting)},

		// Publish
		"publishes a proven certificate":                 {wellKept(nothingPublished, proven), first.to(Publish)},
		"publishes it after any failure":                 {wellKept(now(renewsAt), proven, failed(0)), onDue.to(Publish)},
		"publishes it at its very end":                   {wellKept(nothingPublished, proven, now(asked.Add(2*day))), first.to(Publish)},
		"publishes it where access ends with it":         {wellKept(nothingPublished, proven, accessUntil(asked.Add(2*day))), first.to(Publish, next(asked.Add(2*day)))},
		"publishes it though its signer is not allowed":  {wellKept(nothingPublished, proven, allowed()), first.to(Publish)},
		"publishes it though no other would be made now": {wellKept(nothingPublished, proven, issuedOften(10)), first.to(Publish)},

		// Request
		"requests the first one":                      {wellKept(nothingPublished), first.to(Request, ttl(day))},
		"requests no longer one than is allowed":      {wellKept(nothingPublished, maxTTL(time.Hour)), first.to(Request, ttl(time.Hour))},
		"requests one up to the end of the access":    {wellKept(nothingPublished, accessEndsIn(time.Hour)), first.to(Request, ttl(59*time.Minute), next(inAnHour))},
		"requests one for a damaged Secret":           {wellKept(damaged), Plan{Reason: SecretDamaged, Message: "The published credential is damaged: no key", Schedule: regular, Next: renewsAt}.to(Request, ttl(day))},
		"requests one for a changed spec":             {wellKept(requestChanges), other.to(Request, ttl(day))},
		"requests one after the end":                  {wellKept(now(endsAt)), Plan{Reason: Expired, Message: "The certificate expired at 2026-12-02T07:55:00Z", Schedule: regular}.to(Request, ttl(day))},
		"requests one where the CA is not accepted":   {wellKept(refusedIn(0)), untrusted.to(Request, ttl(day))},
		"requests one when asked to":                  {wellKept(renewRequest("now")), onAsk.to(Request, ttl(day))},
		"requests one when the renewal time has come": {wellKept(now(renewsAt)), onDue.to(Request, ttl(day))},
		"requests one at once after a changed spec":   {wellKept(requestChanges, failed(0), sinceChanged), other.to(Request, ttl(day), forgetting)},
		"requests one that ends earlier with the access": {wellKept(accessUntil(inAnHour)), Plan{
			Reason:   AccessEndsEarlier,
			Message:  "The certificate is valid until 2026-12-02T07:55:00Z, which is after accessUntil, 2026-12-01T10:00:00Z",
			Schedule: Schedule{Capped: true}, Next: inAnHour,
		}.to(Request, ttl(59*time.Minute))},
		"requests one when half of a capped one is over": {wellKept(endsTogetherWithTheLastOne, now(capped.RenewalTime)), Plan{
			Reason: RenewalDue, Message: "The certificate is due for renewal since 2026-12-01T19:57:30Z and valid until 2026-12-02T07:55:00Z",
			Schedule: capped, UpToDate: true, Next: endsAt,
		}.to(Request, ttl(day))},
		"requests one for a capped one once its signer uses another CA": {wellKept(endsTogetherWithTheLastOne, supersededIn(0)), Plan{
			Reason: RenewalDue, Message: "The certificate is due for renewal since 2026-12-01T09:00:00Z and valid until 2026-12-02T07:55:00Z",
			Schedule: Schedule{RenewalTime: asked.Add(time.Hour)}, UpToDate: true, Next: endsAt,
		}.to(Request, ttl(day), superseded)},

		// Wait: each of the gates is in TestGates.
		"waits where the first gate is closed":                                              {wellKept(nothingPublished, targetUnknown), first.to(Wait, closed("target"), telling(noServer))},
		"waits with a renewal, too, and says that the credential is not where it should be": {wellKept(now(renewsAt), targetUnknown), onDue.to(Wait, notUpToDate, closed("target"), telling(noServer))},
		"waits with a certificate that is proven":                                           {wellKept(now(renewsAt), proven, placeMissing), onDue.to(Wait, closed("place"), telling(noNamespace))},
		"waits until a gate opens, or the certificate is renewed":                           {wellKept(requestChanges, later(-time.Hour), issuedOften(10), supersededIn(time.Second)), other.to(Wait, closed("issued-too-often"), next(asked.Add(time.Second)), telling(tooOften("2026-12-01T08:04:50Z")))},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, PlanFor(test.given)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
