// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestWhatOthersWroteIsNeverObeyedByATerminal(t *testing.T) {
	var out bytes.Buffer
	p := NewPrinter(&out)
	p.Table(nil, [][]Cell{Cells("a\x1b[2Jb", "two\nlines", "\u202edrawkcab")})
	if got := out.String(); strings.ContainsAny(got, "\x1b\u202e") || strings.Count(got, "\n") != 1 {
		t.Errorf("printed %q", got)
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	var out bytes.Buffer
	rows := func() [][]Cell { return [][]Cell{{{Text: "Ready", Style: Good}, {Text: "x"}}} }
	NewPrinter(&out).Table([]string{"STATE", "B"}, rows())
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a file got colours: %q", out.String())
	}
	out.Reset()
	(&Printer{out: &out, colours: true}).Table([]string{"STATE", "B"}, rows())
	if want := "STATE   B\n\x1b[32mReady\x1b[0m   x\n"; out.String() != want {
		t.Errorf("a terminal got %q, want %q", out.String(), want)
	}
}

func TestTheLastColumnIsBrokenToFitATerminal(t *testing.T) {
	var out bytes.Buffer
	(&Printer{out: &out, width: 34}).Table(nil, [][]Cell{Cells("name", "a message that is longer than the terminal is wide")})
	const want = `name   a message that is longer
       than the terminal is wide
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
	out.Reset()
	(&Printer{out: &out, width: 10}).Table(nil, [][]Cell{Cells("name", "a message that has no room")})
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("it was broken where nothing fits:\n%s", out.String())
	}
}

func TestTimesAreThoseOfKubectl(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-5 * time.Minute: "5m ago", 29*day + time.Hour: "in 29d", -3 * time.Hour: "3h ago", 10 * time.Second: "in 10s",
	} {
		if got := When(now.Add(d), now); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	if got := At(now.Add(day), now); got != "2026-11-27T15:00:00Z (in 24h)" {
		t.Errorf("got %q", got)
	}
}
