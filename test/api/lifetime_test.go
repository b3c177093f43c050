// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"maps"
	"regexp"
	"testing"
	"time"
)

// What the API server says.
const (
	ttlForm     = "must be a duration in hours, minutes and seconds such as 2160h or 1h30m: there is no unit for days, so 90d is written 2160h"
	ttlBounds   = "must be at least 10m (the shortest lifetime that Kubernetes signs) and at most 2147483647s"
	renewForm   = "must be a duration in hours, minutes and seconds such as 720h or 1h30m: there is no unit for days, so 30d is written 720h"
	renewBounds = "must be at least 1s and at most 2147483647s"
	shorter     = "must be shorter than ttl"
	grow        = "may only grow: older certificates would be valid again"
	removed     = "cannot be removed once it is set: older certificates would be valid again"
	reused      = "is the time of an earlier revocation: certificates issued after it would be valid again; use the current time"
)

func TestTTL(t *testing.T) {
	rules{
		"the least":             {`ttl: 10m`, nil},
		"the most":              {`ttl: 2147483647s`, nil},
		"90 days":               {`ttl: 2160h`, nil},
		"several units":         {`ttl: 1h30m10s`, nil},
		"a fraction":            {`ttl: 1.5h`, nil},
		"the same unit twice":   {`ttl: 10m10m`, nil},
		"leading zeros":         {`ttl: 0000000000000000000000000000010m`, want{invalid("spec.ttl", "0000000000000000000000000000010m", ttlBounds)}},
		"days":                  {`ttl: 90d`, want{invalid("spec.ttl", "90d", ttlForm)}},
		"5 minutes":             {`ttl: 5m`, want{invalid("spec.ttl", "5m", ttlBounds)}},
		"just too little":       {`ttl: 9m59.999999999s`, want{invalid("spec.ttl", "9m59.999999999s", ttlBounds)}},
		"just too much":         {`ttl: 2147483648s`, want{invalid("spec.ttl", "2147483648s", ttlBounds)}},
		"too much by a bit":     {`ttl: 2147483647.000000001s`, want{invalid("spec.ttl", "2147483647.000000001s", ttlBounds)}},
		"more than Go can hold": {`ttl: 9999999999h`, want{invalid("spec.ttl", "9999999999h", ttlBounds)}},
		"a sum that overflows":  {`ttl: 999999h999999h999999h999999h`, want{invalid("spec.ttl", "string", "type conversion error from 'string' to 'google.protobuf.Duration' evaluating rule: "+ttlBounds)}},
		"digits without end":    {`ttl: 999999999999999999999999999999h`, want{invalid("spec.ttl", "999999999999999999999999999999h", ttlBounds)}},
		"too long":              {`ttl: 999999999999999999999999999999999h`, want{`spec.ttl: Too long: may not be more than 32 bytes`}},
		"negative":              {`ttl: -2160h`, want{invalid("spec.ttl", "-2160h", ttlForm)}},
		"signed":                {`ttl: +2160h`, want{invalid("spec.ttl", "+2160h", ttlForm)}},
		"milliseconds":          {`ttl: 36000000ms`, want{invalid("spec.ttl", "36000000ms", ttlForm)}},
		"no unit":               {`ttl: "2160"`, want{invalid("spec.ttl", "2160", ttlForm)}},
		"a number":              {`ttl: 2160`, want{`spec.ttl: Invalid value: "integer": spec.ttl in body must be of type string: "integer"`}},
		"nothing":               {`ttl: ""`, want{invalid("spec.ttl", "", ttlForm)}},
		"zero":                  {`ttl: 0s`, want{invalid("spec.ttl", "0s", ttlBounds)}},
		"a point too many":      {`ttl: 1.h`, want{invalid("spec.ttl", "1.h", ttlForm)}},
		"a space":               {`ttl: 2160h `, nil},
		"a quoted space":        {`ttl: "2160h "`, want{invalid("spec.ttl", "2160h ", ttlForm)}},
		"a line break":          {`ttl: "2160h\n"`, want{invalid("spec.ttl", "2160h\n", ttlForm)}},
		"other digits":          {`ttl: "٢h"`, want{invalid("spec.ttl", "٢h", ttlForm)}},
		"upper case":            {`ttl: 2160H`, want{invalid("spec.ttl", "2160H", ttlForm)}},
	}.check(t)
}

func TestRenewBefore(t *testing.T) {
	rules{
		"a third":                       {`renewBefore: 720h`, nil},
		"the least":                     {`renewBefore: 1s`, nil},
		"just less than ttl":            {`{ttl: 1h, renewBefore: 59m59.999s}`, nil},
		"as long as ttl":                {`{ttl: 1h, renewBefore: 60m}`, want{broken("spec.renewBefore", shorter)}},
		"longer than ttl":               {`{ttl: 1h, renewBefore: 2h}`, want{broken("spec.renewBefore", shorter)}},
		"longer than the default ttl":   {`renewBefore: 2161h`, want{broken("spec.renewBefore", shorter)}},
		"days":                          {`renewBefore: 30d`, want{invalid("spec.renewBefore", "30d", renewForm)}},
		"zero":                          {`renewBefore: 0s`, want{invalid("spec.renewBefore", "0s", renewBounds)}},
		"less than a second":            {`renewBefore: 0.0001s`, want{invalid("spec.renewBefore", "0.0001s", renewBounds)}},
		"more than Go can hold":         {`renewBefore: 9999999999h`, want{invalid("spec.renewBefore", "9999999999h", renewBounds)}},
		"both":                          {`{renewBefore: 720h, renewBeforePercentage: 33}`, want{`spec.renewBeforePercentage: Invalid value: set renewBefore or renewBeforePercentage, not both`}},
		"1 percent":                     {`renewBeforePercentage: 1`, nil},
		"90 percent":                    {`renewBeforePercentage: 90`, nil},
		"0 percent":                     {`renewBeforePercentage: 0`, want{`spec.renewBeforePercentage: Invalid value: 0: spec.renewBeforePercentage in body should be greater than or equal to 1`}},
		"91 percent":                    {`renewBeforePercentage: 91`, want{`spec.renewBeforePercentage: Invalid value: 91: spec.renewBeforePercentage in body should be less than or equal to 90`}},
		"half a percent":                {`renewBeforePercentage: 33.5`, want{`spec.renewBeforePercentage: Invalid value: "number": spec.renewBeforePercentage in body must be of type integer: "number"`}},
		"a text":                        {`renewBeforePercentage: "33"`, want{`spec.renewBeforePercentage: Invalid value: "string": spec.renewBeforePercentage in body must be of type integer: "string"`}},
		"days here and no unit in ttl":  {`{ttl: "5", renewBefore: 30d}`, want{invalid("spec.renewBefore", "30d", renewForm), invalid("spec.ttl", "5", ttlForm)}},
		"a good one and a ttl too long": {`{ttl: 9999999999h, renewBefore: 720h}`, want{invalid("spec.ttl", "9999999999h", ttlBounds)}},
	}.check(t)
}

// times are what a time may and may not be, anywhere in the spec.
var times = map[string]struct {
	value   string
	refused string
}{
	"a time":                 {"2027-01-01T00:00:00Z", ""},
	"an offset":              {"2027-01-01T00:00:00+05:30", ""},
	"the largest offset":     {"2027-01-01T00:00:00-23:59", ""},
	"a fraction":             {"2027-01-01T00:00:00.5Z", ""},
	"many digits":            {"2027-01-01T00:00:00.123456789012345678901234567890Z", ""},
	"a leap day":             {"2028-02-29T00:00:00Z", ""},
	"the first year":         {"1970-01-01T00:00:00Z", ""},
	"the last year":          {"9999-12-31T23:59:59Z", ""},
	"before the first year":  {"1969-12-31T23:59:59Z", years},
	"too early by offset":    {"1970-01-01T00:00:00+00:01", years},
	"too late by offset":     {"9999-12-31T23:59:59-00:01", years},
	"year 0":                 {"0000-01-01T00:00:00Z", years},
	"year 0 and an offset":   {"0000-01-01T00:00:00+23:00", years},
	"lower-case z":           {"2027-01-01T00:00:00z", undecodable},
	"lower-case t":           {"2027-01-01t00:00:00Z", undecodable},
	"a comma":                {"2027-01-01T00:00:00,5Z", pattern},
	"any character":          {"2027-01-01T00:00:00x5Z", undecodable},
	"an offset of a day":     {"2027-01-01T00:00:00+24:00", pattern},
	"an offset of 60 min":    {"2027-01-01T00:00:00+01:60", pattern},
	"no offset":              {"2027-01-01T00:00:00", dateTime},
	"no time":                {"2027-01-01", dateTime},
	"no date":                {"00:00:00Z", dateTime},
	"month 13":               {"2027-13-01T00:00:00Z", dateTime},
	"month 0":                {"2027-00-01T00:00:00Z", dateTime},
	"30 February":            {"2027-02-30T00:00:00Z", dateTime},
	"a leap day that is not": {"2027-02-29T00:00:00Z", dateTime},
	"24 o'clock":             {"2027-01-01T24:00:00Z", dateTime},
	"a leap second":          {"2016-12-31T23:59:60Z", dateTime},
	"a negative year":        {"-2027-01-01T00:00:00Z", dateTime},
	"a year of 5 digits":     {"12027-01-01T00:00:00Z", dateTime},
	"a space for the T":      {"2027-01-01 00:00:00Z", dateTime},
	"one digit":              {"2027-1-1T0:00:00Z", dateTime},
	"a space at the end":     {"2027-01-01T00:00:00Z ", dateTime},
	"a line break":           {"2027-01-01T00:00:00Z\n", dateTime},
	"a word":                 {"tomorrow", dateTime},
	"nothing":                {"", dateTime},
}

// What is wrong with a time.
const (
	years    = "must be a time such as 2027-01-01T00:00:00Z, with capital T and Z, in the years 1970 to 9999"
	pattern  = `in body should match '` + form + `'`
	form     = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`
	dateTime = "in body must be of type date-time"
	// undecodable times have the form of date-time, but Go cannot read them.
	undecodable = "undecodable"
)

func TestTimes(t *testing.T) {
	fields := map[string]func(value any) object{
		"spec.accessUntil":                       func(v any) object { return object{"accessUntil": v} },
		"spec.revokeIssuedBefore":                func(v any) object { return object{"revokeIssuedBefore": v} },
		"spec.roleBindings[0].validFrom":         func(v any) object { return bound("roleBindings", object{"namespace": "a", "validFrom": v}) },
		"spec.roleBindings[0].validUntil":        func(v any) object { return bound("roleBindings", object{"namespace": "a", "validUntil": v}) },
		"spec.clusterRoleBindings[0].validFrom":  func(v any) object { return bound("clusterRoleBindings", object{"validFrom": v}) },
		"spec.clusterRoleBindings[0].validUntil": func(v any) object { return bound("clusterRoleBindings", object{"validUntil": v}) },
	}
	for path, field := range fields {
		t.Run("a list as "+path, func(t *testing.T) {
			o := identity(t, "alice", "")
			maps.Copy(o["spec"].(object), field([]any{"2027-01-01T00:00:00Z"}))
			_, err := dryCreate(encode(t, o))
			// For fields with a format the API server lets lists pass as texts: nothing but the rule refuses them.
			expect(t, refusals(t, err), want{invalid(path, "string", "invalid data, expected string, got []interface {} evaluating rule: "+years)})
		})
	}
	for name, test := range times {
		for path, field := range fields {
			t.Run(name+" as "+path, func(t *testing.T) {
				o := identity(t, "alice", "")
				maps.Copy(o["spec"].(object), field(test.value))
				_, err := dryCreate(encode(t, o))
				expect(t, refusals(t, err), refusalsOfTime(path, test.value, test.refused))
			})
		}
	}
}

// refusalsOfTime returns what the API server says of a time that is refused for a reason.
func refusalsOfTime(path, value, reason string) want {
	var refused want
	if reason == dateTime {
		refused = append(refused, invalid(path, value, fmt.Sprintf("%s %s: %q", path, dateTime, value)))
	}
	if !regexp.MustCompile(form).MatchString(value) {
		refused = append(refused, invalid(path, value, path+" "+pattern))
	}
	if reason == years {
		refused = append(refused, invalid(path, value, years))
	}
	if reason == undecodable {
		_, err := time.Parse("2006-01-02T15:04:05", value) // the last layout that the API server tries
		refused = append(refused, fmt.Sprintf("%s: Invalid value: %q: Invalid date-time formatted string %s: %v evaluating rule: %s", path, "string", value, err, years))
	}
	return refused
}

// bound returns a spec with one binding that has these fields.
func bound(kind string, fields object) object {
	binding := object{"name": "b", "roleRef": object{"kind": "ClusterRole", "name": "view"}}
	if kind == "clusterRoleBindings" {
		binding["roleRef"] = object{"name": "view"}
	}
	maps.Copy(binding, fields)
	return object{kind: []any{binding}}
}

func TestRevokeIssuedBefore(t *testing.T) {
	changes{
		"set":                       {``, `revokeIssuedBefore: "2026-11-22T03:04:00Z"`, nil},
		"raised":                    {`revokeIssuedBefore: "2026-11-22T03:04:00Z"`, `revokeIssuedBefore: "2026-11-22T03:04:01Z"`, nil},
		"unchanged":                 {`revokeIssuedBefore: "2026-11-22T03:04:00Z"`, `{revokeIssuedBefore: "2026-11-22T03:04:00Z", groups: [a]}`, nil},
		"written otherwise":         {`revokeIssuedBefore: "2026-11-22T03:04:00Z"`, `revokeIssuedBefore: "2026-11-22T04:04:00+01:00"`, nil},
		"cut to seconds":            {`revokeIssuedBefore: "2026-11-22T03:04:00.9Z"`, `revokeIssuedBefore: "2026-11-22T03:04:00Z"`, nil},
		"lowered":                   {`revokeIssuedBefore: "2026-11-22T03:04:00Z"`, `revokeIssuedBefore: "2026-11-22T03:03:59Z"`, want{broken("spec.revokeIssuedBefore", grow)}},
		"lowered by another offset": {`revokeIssuedBefore: "2026-11-22T03:04:00Z"`, `revokeIssuedBefore: "2026-11-22T03:04:00+00:01"`, want{broken("spec.revokeIssuedBefore", grow)}},
		"removed":                   {`revokeIssuedBefore: "2026-11-22T03:04:00Z"`, ``, want{broken("spec.revokeIssuedBefore", removed)}},
		"withdrawn and removed":     {`revokeIssuedBefore: "2026-11-22T03:04:00Z"`, `state: Withdrawn`, want{broken("spec.revokeIssuedBefore", removed)}},
	}.check(t)
}

// Lowering it makes no certificate valid again where the last one was asked for before the new time, too. Without a status
// nothing is known of certificates, as in a restored backup.
func TestRevokeIssuedBeforeInTheFutureIsFollowedByOneAfterTheLastCertificate(t *testing.T) {
	for name, test := range map[string]struct {
		status object
		to     string
		want   want
	}{
		"no status":                 {nil, "2026-11-22T03:04:01Z", want{broken("spec.revokeIssuedBefore", grow)}},
		"no certificate":            {object{"boundBindings": 1}, "2026-11-22T03:04:01Z", want{broken("spec.revokeIssuedBefore", grow)}},
		"after the certificate":     {object{"certificate": object{"requestTime": "2026-11-22T03:04:00Z"}}, "2026-11-22T03:04:01Z", nil},
		"in the same second":        {object{"certificate": object{"requestTime": "2026-11-22T03:04:00Z"}}, "2026-11-22T03:04:00Z", want{broken("spec.revokeIssuedBefore", grow)}},
		"before the certificate":    {object{"certificate": object{"requestTime": "2026-11-22T03:04:00Z"}}, "2026-11-22T03:03:59Z", want{broken("spec.revokeIssuedBefore", grow)}},
		"at no known time of it":    {object{"certificate": object{"notBefore": "2026-11-22T03:04:00Z"}}, "2026-11-22T03:04:01Z", want{broken("spec.revokeIssuedBefore", grow)}},
		"to that of an earlier one": {object{"certificates": []any{object{}, object{"revokeIssuedBefore": "2026-11-22T03:05:00Z"}}, "certificate": object{"requestTime": "2026-11-22T03:04:00Z"}}, "2026-11-22T03:05:00.9Z", want{broken("spec.revokeIssuedBefore", reused)}},
		"beside an earlier one":     {object{"certificates": []any{object{"revokeIssuedBefore": "2026-11-22T03:05:00Z"}}, "certificate": object{"requestTime": "2026-11-22T03:04:00Z"}}, "2026-11-22T03:05:01Z", nil},
		"to nothing, whatever was":  {object{"certificate": object{"requestTime": "2026-11-22T03:04:00Z"}}, "", want{broken("spec.revokeIssuedBefore", removed)}},
	} {
		t.Run(name, func(t *testing.T) {
			stored(t, "changed", `revokeIssuedBefore: "9999-12-31T23:59:59Z"`)
			if test.status != nil {
				o := resourceVersioned(t, identity(t, "changed", ""))
				o["status"] = test.status
				if _, err := update("changed", "status", encode(t, o)); err != nil {
					t.Fatal(err)
				}
			}
			spec := ""
			if test.to != "" {
				spec = `revokeIssuedBefore: "` + test.to + `"`
			}
			_, err := update("changed", "", encode(t, resourceVersioned(t, identity(t, "changed", spec))))
			expect(t, refusals(t, err), test.want)
		})
	}
}
