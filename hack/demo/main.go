// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Demo shows the whole path of a ClientIdentity on a real control plane, checks every step, and cleans up. With -stay
// it makes the same set-up and stays until Ctrl-C, for somebody to play with.
//
// It is started by make demo and make run, which build what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(start()) }

// start returns the exit code.
func start() int {
	stay := flag.Bool("stay", false, "Make the set-up and stay until Ctrl-C, instead of showing the steps.")
	flag.Parse()

	// A terminal that closes, or a pipe that nobody reads any more, ends it in order too.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer cancel()
	go cancelWithParent(ctx, cancel)

	err := run(ctx, *stay)
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Println("\nInterrupted: everything is stopped and removed.")
		return 130
	case err == nil && *stay:
		fmt.Println("\nEverything is stopped and removed.")
		return 0
	case err == nil:
		return 0
	}
	fmt.Fprintf(os.Stderr, "\nFAILED: %v\n", err)
	return 1
}

var errInterrupted = errors.New("interrupted")

// run sets everything up, shows it or stays, and cleans up whatever happens.
func run(ctx context.Context, stay bool) (err error) {
	began := time.Now()
	s, err := newStage()
	if err != nil {
		return err
	}
	defer func() {
		if cleanupErr := s.close(); cleanupErr != nil {
			err = fmt.Errorf("clean up: %w (after: %v)", cleanupErr, err) //nolint:errorlint // this is what it ends with
		}
	}()
	if err := s.setUp(ctx); err != nil {
		return s.explain(ctx, err)
	}
	fmt.Printf("\nThe set-up took %s.\n", elapsed(began))
	if stay {
		return s.explain(ctx, s.stay(ctx))
	}
	steps := allSteps()
	for i, step := range steps {
		fmt.Printf("\n[%d/%d] %s\n", i+1, len(steps), step.title)
		if err := s.show(ctx, step); err != nil {
			return s.explain(ctx, fmt.Errorf("step %d of %d: %w", i+1, len(steps), err))
		}
	}
	fmt.Printf("\nAll %d steps are as they should be, after %s. To play with it yourself: make run\n", len(steps), elapsed(began))
	return nil
}

func elapsed(since time.Time) time.Duration { return time.Since(since).Round(time.Second) }

// cancelWithParent cancels when the parent process is gone: go run is ended by a SIGTERM that it does not pass on.
func cancelWithParent(ctx context.Context, cancel context.CancelFunc) {
	parent := os.Getppid()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}
}
