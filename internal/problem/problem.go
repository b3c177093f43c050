// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package problem has the type of what stands between a spec and its fulfilment. Whoever finds a problem says who can fix
// it, how to fix it, and when to look again; only the report turns it into conditions.
package problem

import (
	"errors"
	"fmt"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/text"
)

// Class says who can fix a problem.
type Class int

const (
	// Transient problems may be gone at the next try.
	Transient Class = iota
	// Waiting problems end when something else happens, mostly seen by watch.
	Waiting
	// Stalled problems need a person to change something.
	Stalled
)

// MaxMessage bounds messages, in bytes: they may quote what others wrote.
const MaxMessage = 1024

// Problem is something that stands between a spec and its fulfilment. Its text goes into status and events: it says
// what, which object, and what to do, and never holds key material.
type Problem struct {
	Class   Class
	Reason  string
	Message string
	// Retry is when to look again; zero where a watch tells.
	Retry time.Duration
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// NewTransient returns a problem that may be gone at the next try.
func NewTransient(reason, format string, args ...any) *Problem {
	return &Problem{Class: Transient, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// NewWaiting returns a problem that ends when something else happens; retry is zero where a watch tells.
func NewWaiting(reason string, retry time.Duration, format string, args ...any) *Problem {
	return &Problem{Class: Waiting, Reason: reason, Retry: retry, Message: fmt.Sprintf(format, args...)}
}

// NewStalled returns a problem that needs a person to change something.
func NewStalled(reason, format string, args ...any) *Problem {
	return &Problem{Class: Stalled, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Again makes a problem that no watch tells the end of be looked at again after that time.
func (p *Problem) Again(after time.Duration) *Problem {
	p.Retry = after
	return p
}

// As returns the problem in err's chain, or nil: err is then nil, or an error of the API server or the network that
// nothing more is known of.
func As(err error) *Problem {
	var found *Problem
	if errors.As(err, &found) {
		return found
	}
	return nil
}

// Of returns what to say of an error: the problem that it is, or that the API server was not to be had; nil for nil.
func Of(err error) *Problem {
	if err == nil {
		return nil
	}
	if known := As(err); known != nil {
		return known
	}
	return NewTransient(v1alpha1.ReasonUnavailable, "%s", text.Shorten(err.Error(), MaxMessage))
}

// ErrStale says that a cache is behind what the API server has: another look follows soon.
var ErrStale = errors.New("the cache is behind the API server")

// staleRetry is when to look again where a cache was behind.
const staleRetry = time.Second

// Join returns one of several errors that stand in the way, the most telling first; nil where none does. An error that nothing
// more is known of is told before problems: it is tried again, and they would hide it. Of several problems the first is told,
// to be looked at again as soon as any of them asks for.
func Join(errs ...error) error {
	var first *Problem
	var retry time.Duration
	stale := false
	sooner := func(after time.Duration) {
		if after > 0 && (retry == 0 || after < retry) {
			retry = after
		}
	}
	for _, err := range errs {
		switch known := As(err); {
		case err == nil:
		case errors.Is(err, ErrStale):
			stale = true
			sooner(staleRetry)
		case known == nil:
			return err
		default:
			if first == nil {
				first = known
			}
			sooner(known.Retry)
		}
	}
	switch {
	case first != nil:
		told := *first
		told.Retry = retry
		return &told
	case stale:
		return ErrStale
	}
	return nil
}
