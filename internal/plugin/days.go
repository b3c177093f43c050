// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Days is a flag with a duration that may begin with days, as in 30d, 1d12h or 90m.
type Days time.Duration

const day = 24 * time.Hour

// mostDays bounds the days of a flag: more do not fit a duration.
const mostDays = 100 * 365

// Set reads a duration.
func (d *Days) Set(s string) error {
	wrong := fmt.Errorf("%q is no duration such as 30d, 1d12h or 90m", s)
	var total time.Duration
	rest := s
	if number, after, ok := strings.Cut(s, "d"); ok {
		days, err := strconv.ParseUint(number, 10, 32)
		if err != nil || days > mostDays {
			return wrong
		}
		total, rest = time.Duration(days)*day, after
		if rest == "" {
			*d = Days(total)
			return nil
		}
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || total+more < total {
		return wrong
	}
	*d = Days(total + more)
	return nil
}

// String writes the duration as Set reads it.
func (d *Days) String() string {
	switch t := time.Duration(*d); {
	case t == 0:
		return ""
	case t%day == 0:
		return strconv.FormatInt(int64(t/day), 10) + "d"
	default:
		return t.String()
	}
}

// Type names the kind of value in the help.
func (d *Days) Type() string { return "duration" }
