// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/clientidentity/operator/test/bench/result"
)

// subject is one of those that are measured side by side. To add one: its name in package result, its row in newSubjects.
type subject interface {
	name() result.Subject
	// start returns when it is ready for work, and stop when nothing of it runs any more: one subject works at a time.
	start(ctx context.Context) error
	stop(ctx context.Context) error
	// cpu is the time of the processor that its process has used so far, and memory what it has, at its most and alive: nothing
	// where it works in this one.
	cpu() time.Duration
	memory(ctx context.Context) (memory, error)
	// phases are those that it can be measured in, in the order that they follow each other.
	phases() []result.Phase
	// carryOut does one of them. It tells the batch when each identity is changed, and when that had its effect; the time is that between
	// the first and the last of these or, where it tells of none, its own.
	carryOut(ctx context.Context, phase result.Phase, b *batch) error
	// clear removes a batch and all that belongs to it.
	clear(ctx context.Context, b *batch) error
}

// memory is what a process has, in bytes.
type memory struct{ live, resident, peak int64 }

// batch is a number of identities that are treated alike.
type batch struct {
	prefix  string
	count   int
	workers int
	*stopwatch
}

// nameOf returns the name of the i-th.
func (b *batch) nameOf(i int) string { return fmt.Sprintf("%s-%d", b.prefix, i) }

// newSubjects returns those that are asked for, in the order in which they are measured in the first round.
func newSubjects(w *world) []subject {
	all := []subject{newBare(w), newFloor(w), newOurs(w), newCertManager(w)}
	return slices.DeleteFunc(all, func(s subject) bool { return !slices.Contains(w.who, s.name()) })
}

// inParallel calls do for 0 to count-1 with that many workers, until one fails, and returns its error.
func inParallel(workers, count int, do func(int) error) error {
	var (
		wait  sync.WaitGroup
		once  sync.Once
		first error
		ended = make(chan struct{})
		work  = make(chan int)
	)
	for range workers {
		wait.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					once.Do(func() { first = err; close(ended) })
				}
			}
		})
	}
	for i := range count {
		select {
		case work <- i:
			continue
		case <-ended:
		}
		break
	}
	close(work)
	wait.Wait()
	return first
}

// pause waits, or returns why the run ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// until asks again and again whether something is so.
func until(ctx context.Context, every, bound time.Duration, what string, is func() (bool, error)) error {
	end := time.Now().Add(bound)
	for {
		switch done, err := is(); {
		case done && err == nil:
			return nil
		case time.Now().After(end):
			return errors.Join(fmt.Errorf("%s: not within %s", what, bound), err)
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}
