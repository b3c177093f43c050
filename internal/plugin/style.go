// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/clientidentity/operator/internal/text"
	"github.com/clientidentity/operator/internal/timing"
)

// Style is how a text looks on a terminal. Elsewhere it looks like any other: it never says anything alone.
type Style string

// How texts look.
const (
	Plain Style = ""
	Good  Style = "\x1b[32m" // green
	Warn  Style = "\x1b[33m" // yellow
	Bad   Style = "\x1b[31m" // red
	Bold  Style = "\x1b[1m"
	Faint Style = "\x1b[2m"
)

const plainAgain = "\x1b[0m"

// Printer writes for people: aligned, in colours where those are wanted, and nothing that a terminal takes for a command.
type Printer struct {
	out     io.Writer
	colours bool
	width   int // of the terminal; 0 elsewhere: lines are not broken
	indent  int // of tables
}

// NewPrinter returns a printer that writes to out, which it finds out about: colours are for terminals, and for those who have not set
// NO_COLOR (no-color.org).
func NewPrinter(out io.Writer) *Printer {
	p := &Printer{out: out}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return p
	}
	p.colours = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		p.width = width
	}
	return p
}

// Inset returns a printer whose tables are indented by two.
func (p *Printer) Inset() *Printer {
	inset := *p
	inset.indent += 2
	return &inset
}

// Printer returns a printer for the standard output.
func (e *Env) Printer() *Printer { return NewPrinter(e.Out) }

// paint returns a text in a style. What stands between is printed as it is.
func (p *Printer) paint(style Style, s string) string {
	if !p.colours || style == Plain || s == "" {
		return s
	}
	return string(style) + s + plainAgain
}

// clean returns what others wrote as one line that a terminal takes for text alone.
func clean(s string) string {
	return text.Printable(strings.Join(strings.Fields(s), " "))
}

// Ago says how long ago a time was, as kubectl does: 5m12s ago.
func Ago(t, now time.Time) string { return duration.HumanDuration(now.Sub(t)) + " ago" }

// When says when a time is or was, from now: "in 29d", or "3m ago".
func When(t, now time.Time) string {
	if t.After(now) {
		return "in " + duration.HumanDuration(t.Sub(now))
	}
	return Ago(t, now)
}

// At says when a time is or was, as it is written in the status and from now: 2027-03-01T00:00:00Z (in 29d).
func At(t, now time.Time) string { return timing.Stamp(t) + " (" + When(t, now) + ")" }
