// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShorten(t *testing.T) {
	for name, test := range map[string]struct {
		given string
		most  int
		want  string
	}{
		"nothing":                                 {"", 10, ""},
		"what fits":                               {"0123456789", 10, "0123456789"},
		"what fits in bytes":                      {"01234567ü", 10, "01234567ü"},
		"one byte too much":                       {"0123456789a", 10, "012345 ..."},
		"one character too much":                  {"ü0123456ü", 10, "ü0123 ..."},
		"room for the mark alone":                 {"0123456789", 4, " ..."},
		"a character of two bytes cut in half":    {"01234üüü", 10, "01234 ..."},
		"a character of three bytes cut in it":    {"0123€€€€", 10, "0123 ..."},
		"a character of four bytes cut in it":     {"012🔑🔑🔑🔑", 10, "012 ..."},
		"a character that ends where it is cut":   {"0123üüüü", 10, "0123ü ..."},
		"what is no text, and fits once it is":    {"a\xffb", 10, "a\uFFFDb"},
		"what is no text, and grows beyond it":    {"0123456\xff89", 10, "012345 ..."},
		"the replacement of no text, cut in half": {"0123\xffabcdefgh", 10, "0123 ..."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Shorten(test.given, test.most); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestShortenKeepsTextValid(t *testing.T) {
	const most = 1024
	for name, text := range map[string]string{
		"short": "a", "long": strings.Repeat("x", 5000), "cut within a character": "x" + strings.Repeat("ü", 2000), "not text": "x" + strings.Repeat("\xff", 2000),
	} {
		got := Shorten(text, most)
		if len(got) > most || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, valid %t", name, len(got), utf8.ValidString(got))
		}
		data, _ := json.Marshal(got)
		var back string
		if err := json.Unmarshal(data, &back); err != nil || back != got {
			t.Errorf("%s: comes back from the API server as another text", name)
		}
		if again := Shorten(got, most); again != got {
			t.Errorf("%s: becomes another text when it is shortened again", name)
		}
	}
}

func TestPrintable(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"leaves text alone":              {"kubectl/v1.36.3 (linux/amd64) größer 漢字", "kubectl/v1.36.3 (linux/amd64) größer 漢字"},
		"marks control characters":       {"a\x1b[31mb\r\nc\x00", "a\uFFFD[31mb\uFFFD\uFFFDc\uFFFD"},
		"marks what turns the direction": {"a\u202eb\u2066c", "a\uFFFDb\uFFFDc"},
		"marks what cannot be seen":      {"a\u200bb\u2028c\ufeff", "a\uFFFDb\uFFFDc\uFFFD"},
		"marks what is no UTF-8":         {"a\xff\xfeb", "a\uFFFD\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Printable(test.in); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
