// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// readSecret reads the standard input: all of it, or, from a terminal, one line that is asked for and not shown.
func readSecret(ctx context.Context, env *Env, prompt string) ([]byte, error) {
	file, ok := env.In.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return io.ReadAll(io.LimitReader(env.In, maxInput))
	}
	before, err := term.GetState(int(file.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprint(env.ErrOut, prompt)
	defer fmt.Fprintln(env.ErrOut)
	type result struct {
		line []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // nothing but a line ends it
		line, err := term.ReadPassword(int(file.Fd()))
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), term.Restore(int(file.Fd()), before))
	}
}
