// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// check says what is wrong with the output of a command, or nil.
type check func(output string) error

// hasLine accepts an output with this line; the width of its columns does not matter.
func hasLine(want string) check {
	return func(output string) error {
		for line := range strings.Lines(output) {
			if strings.Join(strings.Fields(line), " ") == want {
				return nil
			}
		}
		return fmt.Errorf("no line %q in the output", want)
	}
}

// has accepts an output that contains this.
func has(want string) check {
	return func(output string) error {
		if !strings.Contains(output, want) {
			return fmt.Errorf("no %q in the output", want)
		}
		return nil
	}
}

// oneRow accepts a table of one object: its header and a row.
func oneRow(output string) error {
	if lines := len(slices.Collect(strings.Lines(output))); lines != 2 {
		return fmt.Errorf("the output has %d lines instead of a header and a row", lines)
	}
	return nil
}

// keep accepts every output that is not empty, and keeps it for a later check.
func keep(output *string) check {
	return func(got string) error {
		if strings.TrimSpace(got) == "" {
			return errors.New("the output is empty")
		}
		*output = got
		return nil
	}
}

// field accepts an output where the last line has another value in this column (from 0) than an earlier output, or the
// same one.
func field(column int, earlier *string, same bool) check {
	return func(output string) error {
		before, err := lastField(*earlier, column)
		if err != nil {
			return err
		}
		after, err := lastField(output, column)
		switch {
		case err != nil:
			return err
		case same && before != after:
			return fmt.Errorf("%q is not %q any more", after, before)
		case !same && before == after:
			return fmt.Errorf("it is still %q", before)
		}
		return nil
	}
}

// changes accepts an output where the last line has another value in this column than an earlier output.
func changes(column int, earlier *string) check { return field(column, earlier, false) }

// stays accepts an output where the last line has the same value in this column as an earlier output.
func stays(column int, earlier *string) check { return field(column, earlier, true) }

func lastField(output string, column int) (string, error) {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if column >= len(fields) {
		return "", fmt.Errorf("the last line of the output has %d columns only", len(fields))
	}
	return fields[column], nil
}
