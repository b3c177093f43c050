// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"fmt"
	"time"
)

// class says who can make a problem go away. It decides what the status tells and when to look again.
type class int

const (
	// transient problems may be gone at the next try.
	transient class = iota
	// waiting problems end when something else happens, mostly seen by watch.
	waiting
	// stalled problems need a person to change something.
	stalled
)

// problem is something that stands between a spec and its fulfilment. Its text goes into status and events:
// it says what, which object, and what to do, and never holds key material.
type problem struct {
	class   class
	reason  string
	message string
	// retry is when to look again; zero where a watch tells.
	retry time.Duration
}

func (p *problem) Error() string { return p.message }

// defaultSlowLook is the default of Options.SlowLook.
const defaultSlowLook = time.Minute

func transientProblem(reason, format string, args ...any) *problem {
	return &problem{class: transient, reason: reason, message: fmt.Sprintf(format, args...)}
}

func waitingProblem(reason string, retry time.Duration, format string, args ...any) *problem {
	return &problem{class: waiting, reason: reason, retry: retry, message: fmt.Sprintf(format, args...)}
}

func stalledProblem(reason, format string, args ...any) *problem {
	return &problem{class: stalled, reason: reason, message: fmt.Sprintf(format, args...)}
}

// again makes a problem that no watch tells the end of be looked at again after that time.
func (p *problem) again(after time.Duration) *problem {
	p.retry = after
	return p
}

// asProblem returns the problem in err's chain, or nil: err is then nil, or an error of the API server
// or the network that nothing more is known of.
func asProblem(err error) *problem {
	var found *problem
	if errors.As(err, &found) {
		return found
	}
	return nil
}
