// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package text bounds what others wrote before it goes into a status, an event or a message.
package text

import (
	"strings"
	"unicode"
	"unique"
)

// mark stands at the end of what was cut.
const mark = " ..."

// Shorten returns valid UTF-8 of at most that many bytes, which must have room for the mark; text that was cut ends in " ...".
func Shorten(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	// A character that was cut in half goes too: the API server would store another text, and every pass correct it.
	return strings.ToValidUTF8(s[:most-len(mark)], "") + mark
}

// Printable returns valid UTF-8 without what a terminal or a reader takes for something else than text: control characters,
// line breaks, and characters that turn the direction of writing or cannot be seen. Each becomes U+FFFD.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// maxShared bounds, in bytes, what is shared: longer texts are hardly ever the same.
const maxShared = 256

// Shared returns the same text in memory that all others have who ask for it: for what many objects in memory say alike.
func Shared[T ~string](s T) T {
	if s == "" || len(s) > maxShared {
		return s
	}
	return T(unique.Make(string(s)).Value())
}
