// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/internal/certificate"
)

const (
	// defaultTTL is what an identity asks for that says nothing.
	defaultTTL = 90 * 24 * time.Hour
	// tolerance is what a signer may add to the lifetime that was asked for.
	tolerance = time.Minute
	// wantedBackdating is what covers most differences of clocks.
	wantedBackdating = time.Minute
)

// lookAtSigner asks for the shortest certificate that can be asked for: it is the one to try with.
func (p *probe) lookAtSigner(ctx context.Context) Finding {
	p.report.Facts.Signer.Name = p.settings.Signer
	s := p.sign(ctx, shortest)
	finding := s.judgeSigner()
	p.report.Facts.Signer.Signs = ptr.To(finding.Result != Fail)
	if finding.Result == Fail {
		return finding
	}
	key, err := certificate.EncodeKey(s.key)
	if err != nil {
		return fail("the key cannot be encoded: %v", err)
	}
	p.credential = &credential{chain: s.issued.ChainPEM, key: key, issued: s.issued}
	p.short = s
	p.report.Facts.Signer.Issuer = foreign(s.issued.Issuer())
	return finding
}

// judgeSigner says whether somebody signs.
func (s signing) judgeSigner() Finding {
	const notThis = "set --signer to one that signs certificates for clients of this API server (the operator's --allowed-signers), and see docs/clusters.md"
	switch s.stage {
	case notCreated:
		f := fail("a request to signer %q cannot be made: %v", s.signer, s.err)
		if apierrors.IsForbidden(s.err) {
			return f.fix("give the caller create, get, list, watch and delete on certificatesigningrequests.certificates.k8s.io")
		}
		return f
	case notApproved:
		f := fail("a request to signer %q cannot be approved: %v", s.signer, s.err)
		if apierrors.IsForbidden(s.err) {
			return f.fix("give the caller update on certificatesigningrequests/approval and approve on the signer: "+
				"{apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [%s], verbs: [approve]}", s.signer)
		}
		return f
	case denied:
		return fail("somebody denied the request to signer %q (%s): %s", s.signer, s.reason, s.message).
			fix("have the controller or policy that denies it let the operator's requests through: those of its ServiceAccount")
	case failed:
		return fail("signer %q refused the request (%s): %s", s.signer, s.reason, s.message).fix(notThis)
	case gone:
		return fail("somebody deleted the request to signer %q before it was signed", s.signer).
			fix("have the controller that deletes it leave the operator's requests alone")
	case unfinished:
		if apierrors.IsForbidden(s.err) {
			return fail("the request to signer %q cannot be followed: %v", s.signer, s.err).fix("give the caller get on certificatesigningrequests.certificates.k8s.io")
		}
		return fail("nobody signs for %q: the request was approved, and had no certificate after %s (EKS never signs for kubernetes.io/kube-apiserver-client)", s.signer, s.patience).
			fix(notThis)
	}
	if s.unlike != nil {
		return fail("signer %q issued another certificate than was asked for: %v", s.signer, s.unlike).fix(notThis)
	}
	if s.approver != "" {
		return warn("signer %q signs; somebody else approved the request first (%s), so requests need no approval of the operator", s.signer, s.approver).
			fix("find out what approves requests for client certificates: whoever may make one can be anybody whom it approves")
	}
	return ok("%q signs; issuer %q", s.signer, s.issued.Issuer())
}

// lookAtShortest judges the certificate that is there already.
func (p *probe) lookAtShortest(context.Context) Finding {
	p.report.Facts.Signer.MinLifetimeSeconds = int64(p.short.lifetime().Seconds())
	p.report.Facts.Signer.BackdatedSeconds = ptr.To(int64(p.short.backdated().Seconds()))
	return p.short.judgeShortest()
}

// lifetime is how long the certificate can be used from its request on, backdated how long before that it begins.
func (s signing) lifetime() time.Duration  { return s.issued.NotAfter().Sub(s.created) }
func (s signing) backdated() time.Duration { return s.created.Sub(s.issued.NotBefore()) }

// judgeShortest says whether the signer heeds the lifetime that it is asked for.
func (s signing) judgeShortest() Finding {
	if over := s.lifetime() - s.asked; over > tolerance {
		return warn("asked for %s, issued %s: the signer does not heed the lifetime that is asked for, so certificates live longer than ttl says, "+
			"and none is published that outlives accessUntil", spell(s.asked), spell(s.lifetime())).fix("choose another signer, or do without accessUntil and short ttls")
	}
	if s.backdated() < wantedBackdating {
		return warn("asked for %s, issued %s, valid from %s before the request: clients whose clock is behind have to wait", spell(s.asked), spell(s.lifetime()),
			s.backdated().Round(time.Second))
	}
	return ok("asked for %s, issued %s, valid from %s before the request", spell(s.asked), spell(s.lifetime()), spell(s.backdated()))
}

// lookAtLongest asks for a certificate of ten years. Nobody uses it: its key is forgotten at once.
func (p *probe) lookAtLongest(ctx context.Context) Finding {
	s := p.sign(ctx, far)
	if s.stage == issued && s.unlike == nil {
		p.report.Facts.Signer.MaxLifetimeSeconds = int64(s.lifetime().Seconds())
	}
	return s.judgeLongest()
}

// judgeLongest says how long certificates live at most.
func (s signing) judgeLongest() Finding {
	if f := s.judgeSigner(); f.Result == Fail {
		return warn("not known: asked for %s, %s", spell(s.asked), f.Message)
	}
	lifetime := s.lifetime()
	switch {
	case lifetime < shortest:
		return fail("asked for %s, issued %s: no identity can ask for less than %s", spell(s.asked), spell(lifetime), spell(shortest)).
			fix("raise what bounds it: docs/clusters.md has the setting for each kind of cluster")
	case lifetime+s.backdated() < defaultTTL-tolerance:
		return warn("asked for %s, issued %s: that is less than the default ttl of %s, so identities say TTLShortened", spell(s.asked), spell(lifetime), spell(defaultTTL)).
			fix("start the operator with --max-ttl=%s, or raise what bounds it: docs/clusters.md has the setting for each kind of cluster", flagOf(lifetime+s.backdated()))
	}
	return ok("asked for %s, issued %s", spell(s.asked), spell(lifetime))
}

// spell writes a lifetime as people do. Less than a day is exact to the minute, more to the hour.
func spell(d time.Duration) string {
	const day = 24 * time.Hour
	if d < day {
		return short(d.Round(time.Minute))
	}
	d = d.Round(time.Hour)
	if d%day == 0 {
		return plural(int(d/day), "day")
	}
	return plural(int(d/day), "day") + " " + short(d%day)
}

// short leaves out zeros at the end: 1h30m, 2h, 10m.
func short(d time.Duration) string {
	hours, minutes := int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case hours == 0:
		return fmt.Sprintf("%dm", minutes)
	case minutes == 0:
		return fmt.Sprintf("%dh", hours)
	}
	return fmt.Sprintf("%dh%dm", hours, minutes)
}

// flagOf writes a lifetime for a flag, cut to whole hours or minutes.
func flagOf(d time.Duration) string {
	if d >= time.Hour {
		return short(d.Truncate(time.Hour))
	}
	return short(d.Truncate(time.Minute))
}
