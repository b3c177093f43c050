// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import "time"

// seen is what is in an object, and since when at the latest.
type seen struct {
	what string
	at   time.Time
}

// since returns since when something is seen.
func (s *seen) since(what []byte, now time.Time) time.Time {
	if s.what != string(what) {
		s.what, s.at = string(what), now
	}
	return s.at
}
