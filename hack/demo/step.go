// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	commandTimeout = 90 * time.Second
	pollInterval   = 200 * time.Millisecond
)

// step is one thing that the demo shows.
type step struct {
	title    string
	commands []command
	// note is said at the end of the step.
	note string
}

// command is a command line with what it should answer.
type command struct {
	line string
	// on is the machine that it is run on; empty is the administrator's.
	on string
	// checks must all accept the output.
	checks []check
	// refused is set where the command must fail.
	refused bool
	// within is how long it may take until the answer is right. The command is then repeated, and its last
	// answer shown. Zero means at once.
	within time.Duration
}

// show runs the commands of a step, prints them with their real output, and returns what is not as it should be.
func (s *stage) show(ctx context.Context, step step) error {
	for _, c := range step.commands {
		fmt.Println("  " + c.on + "$ " + c.line)
		output, err := s.answer(ctx, c)
		if strings.Contains(output, "PRIVATE KEY") || strings.Contains(output, "LS0tLS1CRUdJTi") { // -----BEGIN in base64
			return fmt.Errorf("%s: the output holds key material: it is not shown", c.line)
		}
		fmt.Print(indent(output))
		if err != nil {
			return fmt.Errorf("%s: %w", c.line, err)
		}
	}
	if step.note != "" {
		fmt.Println("  # " + step.note)
	}
	return nil
}

// answer runs a command until its answer is right or its time is up. It returns the last output, and what is wrong.
func (s *stage) answer(ctx context.Context, c command) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	deadline := time.Now().Add(c.within)
	for {
		output, runErr := s.shell.on(c.on).run(ctx, c.line)
		err := c.verdict(output, runErr)
		if err == nil || ctx.Err() != nil {
			return output, err
		}
		if time.Now().After(deadline) {
			if c.within > 0 {
				err = fmt.Errorf("%w, also after %s", err, c.within)
			}
			return output, err
		}
		select {
		case <-s.operator.ended:
			return output, fmt.Errorf("the operator ended: %w", s.operator.exit())
		case <-ctx.Done():
			return output, ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

// verdict says what is wrong with an answer.
func (c *command) verdict(output string, err error) error {
	switch {
	case err != nil && !c.refused:
		return fmt.Errorf("the command failed: %w", err)
	case err == nil && c.refused:
		return errors.New("the command should have been refused")
	}
	for _, check := range c.checks {
		if err := check(output); err != nil {
			return err
		}
	}
	return nil
}
