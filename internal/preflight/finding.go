// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"

	"github.com/clientidentity/operator/internal/text"
)

// Result is what came of a check.
type Result string

// What comes of checks.
const (
	// OK means that it works.
	OK Result = "ok"
	// Warn means that it works, and that somebody should know something.
	Warn Result = "warn"
	// Off means that something is not on that need not be.
	Off Result = "off"
	// Fail means that it does not work.
	Fail Result = "fail"
	// Skip means that it could not be looked at.
	Skip Result = "skip"
)

// Finding is what one check found.
type Finding struct {
	Name    string `json:"name"`
	Result  Result `json:"result"`
	Message string `json:"message"`
	// Fix is what to do.
	Fix string `json:"fix,omitempty"`
	// Details are lines that belong to the message.
	Details []string `json:"details,omitempty"`
}

func ok(format string, args ...any) Finding   { return found(OK, format, args...) }
func warn(format string, args ...any) Finding { return found(Warn, format, args...) }
func off(format string, args ...any) Finding  { return found(Off, format, args...) }
func fail(format string, args ...any) Finding { return found(Fail, format, args...) }
func skip(format string, args ...any) Finding { return found(Skip, format, args...) }

func found(result Result, format string, args ...any) Finding {
	return Finding{Result: result, Message: foreign(fmt.Sprintf(format, args...))}
}

// fix returns the finding with what to do.
func (f Finding) fix(format string, args ...any) Finding {
	f.Fix = foreign(fmt.Sprintf(format, args...))
	return f
}

// longest is how much of a message is told: some of it was written by others.
const longest = 600

// foreign bounds what others may have written, and makes one line of it.
func foreign(s string) string { return text.Shorten(text.Printable(s), longest) }

// interrupted is the message of what was not looked at since somebody stopped it.
const interrupted = "interrupted"
