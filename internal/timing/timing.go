// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package timing has what all packages do with times in the same way: write them into messages, take them out of
// the API's types, spread them, and find the earliest one. It is pure: the time is a parameter.
package timing

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClockSkew is how far the clocks of API servers and signers may be from ours.
const ClockSkew = 2 * time.Minute

// Stamp writes a time for people: RFC 3339, in UTC, in whole seconds.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Of returns the time that the API's type holds; nil for nil.
func Of(t *metav1.Time) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}

// Value returns the time that the API's type holds; zero for nil.
func Value(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// Jitter returns a duration in [0, window) in whole seconds that depends on the seed alone; zero for an empty window.
// The same seed gives the same jitter after a restart, and many seeds are spread evenly.
func Jitter(seed string, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(seed))
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(window)).Truncate(time.Second)
}

// Earliest returns the earliest of the times that are after now; zero where none is. A time that has come asks for
// nothing: what could not be done then would be tried again without a pause.
func Earliest(now time.Time, times ...time.Time) time.Time {
	var earliest time.Time
	for _, t := range times {
		if t.After(now) && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	return earliest
}
