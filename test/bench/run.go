// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientidentity/operator/test/bench/result"
)

// warmUp is how many identities each subject makes before anything is measured of it: nobody is to be the first on a cold server, nor
// is a process measured that was just started.
const warmUp = 50

// repeated are the phases that are measured in every round: those that are compared. One round tells enough of the others.
var repeated = []result.Phase{result.Issue, result.Delete}

// run measures, prints a table of what was measured, however far it came, and leaves the numbers in a file.
func run(ctx context.Context, s settings) (err error) {
	w, err := newWorld(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	err = w.measureAll(ctx, newSubjects(w))
	if len(w.document.Phases) == 0 {
		return err
	}
	fmt.Print(table(w.document))
	w.say("the numbers are in %s", w.json)
	return err
}

func (w *world) measureAll(ctx context.Context, subjects []subject) error {
	w.say("warming up")
	for _, s := range subjects {
		if err := working(ctx, s, func() error { return w.warmUp(ctx, s) }); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	for round := 1; round <= w.Rounds; round++ {
		for _, s := range subjects {
			if !slices.ContainsFunc(s.phases(), func(p result.Phase) bool { return w.due(p, s, round) }) {
				continue
			}
			if err := working(ctx, s, func() error { return w.turn(ctx, s, round) }); err != nil {
				return fmt.Errorf("round %d, %s: %w", round, s.name(), err)
			}
		}
		slices.Reverse(subjects) // who goes first may have an advantage
	}
	return nil
}

// warmUp lets a subject work without being measured.
func (w *world) warmUp(ctx context.Context, s subject) error {
	b := w.batch("warm-"+string(s.name()), warmUp)
	b.stopwatch = newStopwatch(b.count, time.Now)
	if err := w.carryOut(ctx, s, result.Issue, b); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	return w.clear(ctx, s, b)
}

// working calls do while a subject is at work.
func working(ctx context.Context, s subject, do func() error) (err error) {
	defer func() { err = errors.Join(err, s.stop(context.WithoutCancel(ctx))) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	return do()
}

// turn measures all phases of one subject.
func (w *world) turn(ctx context.Context, s subject, round int) error {
	if err := w.warmUp(ctx, s); err != nil {
		return err
	}
	prefix := fmt.Sprintf("%s-%d", s.name(), round)
	if w.due(result.Alone, s, round) {
		b := w.batch(prefix+"-alone", w.alone)
		b.workers = 1
		if err := w.measure(ctx, s, result.Alone, b, round); err != nil {
			return err
		}
		if err := w.clear(ctx, s, b); err != nil {
			return err
		}
	}
	b := w.batch(prefix, w.Identities)
	for _, phase := range s.phases() {
		if phase != result.Alone && w.due(phase, s, round) {
			if err := w.measure(ctx, s, phase, b, round); err != nil {
				return fmt.Errorf("%s: %w", phase, err)
			}
		}
	}
	return w.clear(ctx, s, b)
}

// due says whether a phase is measured in a round. Nothing comes before the issue, so that is.
func (w *world) due(phase result.Phase, s subject, round int) bool {
	switch {
	case !slices.Contains(s.phases(), phase) || (round > 1 && !slices.Contains(repeated, phase)):
		return false
	case round > 1 && s.name() == result.Floor: // it is for orientation
		return false
	case phase == result.Issue:
		return slices.ContainsFunc(w.only, func(p result.Phase) bool { return p != result.Alone })
	case phase == result.Withdraw && w.asked(result.Activate): // what is active cannot be activated
		return true
	}
	return w.asked(phase)
}

// clear removes a batch, and waits until nobody works on that any more.
func (w *world) clear(ctx context.Context, s subject, b *batch) error {
	b.stopwatch = nil
	if err := s.clear(ctx, b); err != nil {
		return err
	}
	_, err := w.settle(ctx, s)
	return err
}
