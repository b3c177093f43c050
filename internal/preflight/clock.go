// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"time"

	"github.com/clientidentity/operator/internal/timing"
)

// noticed is from which difference of the clocks on somebody should know.
const noticed = 10 * time.Second

// lookAtClock compares the clocks. It has been asked already.
func (p *probe) lookAtClock(context.Context) Finding {
	skew, known := p.server.skew()
	if known {
		seconds := skew.Seconds()
		p.report.Facts.ClockSkewSeconds = &seconds
	}
	return judgeClock(skew, known)
}

// skew returns how far the API server's clock is ahead of ours, zero where the answer leaves that open: it tells whole seconds, and was
// on its way for a while.
func (l serverLook) skew() (time.Duration, bool) {
	if l.date.IsZero() {
		return 0, false
	}
	switch {
	case l.date.After(l.answered): // the earliest that it can have been
		return l.date.Sub(l.answered), true
	case l.date.Add(time.Second).Before(l.asked): // the latest
		return l.date.Add(time.Second).Sub(l.asked), true
	}
	return 0, true
}

func judgeClock(skew time.Duration, known bool) Finding {
	if !known {
		return skip("the API server tells no time (the header Date is missing)")
	}
	ahead := "ahead of"
	if skew < 0 {
		ahead = "behind"
	}
	apart := skew.Abs().Round(100 * time.Millisecond)
	switch {
	case apart > timing.ClockSkew:
		return fail("the API server's clock is %s %s the one here: certificates seem not to be valid yet, or to end at another time", apart, ahead).
			fix("set the clocks by NTP, on the nodes of the control plane and where the operator runs")
	case apart > noticed:
		return warn("the API server's clock is %s %s the one here", apart, ahead).fix("set the clocks by NTP: from %s on, new certificates may be refused", timing.ClockSkew)
	}
	return ok("the API server's clock and the one here agree")
}
