// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"testing"
)

const (
	formatting    = "must not contain control or invisible formatting characters, nor begin or end with a space"
	reservedUser  = "is reserved for a component of Kubernetes: choose another one"
	reservedGroup = "is reserved by Kubernetes and cannot be given to a client identity: use a group of your own and bind roles to it"
	ownPrefix     = "must not begin with clientidentity.dev:, which is reserved for the operator"
)

// subjects are names that a user and a group alike may or may not have, quoted as in YAML.
var subjects = map[string]struct {
	name    string
	refused bool
}{
	"an address":                              {`alice@example.com`, false},
	"a space inside":                          {`Alice Example`, false},
	"another script":                          {`Ålïçé-Ωμέγα-愛`, false},
	"an emoji":                                {`🚀`, false},
	"a name of system: that is not reserved":  {`system:ci-bot`, false},
	"distinguished name syntax":               {`CN=a,O=b+c\"/`, false},
	"NUL":                                     {`a\0b`, true},
	"a tab":                                   {`a\tb`, true},
	"a line break":                            {`a\nb`, true},
	"a line break at the end":                 {`ab\n`, true},
	"escape":                                  {`a\eb`, true},
	"delete":                                  {`a\x7fb`, true},
	"a control character of Latin 1":          {`a\u0085b`, true},
	"soft hyphen":                             {`a\u00adb`, true},
	"zero width space":                        {`a\u200bb`, true},
	"zero width joiner":                       {`a\u200db`, true},
	"word joiner":                             {`a\u2060b`, true},
	"byte order mark":                         {`\ufeffab`, true},
	"left-to-right mark":                      {`a\u200eb`, true},
	"right-to-left override":                  {`a\u202eb`, true},
	"right-to-left isolate":                   {`a\u2067b`, true},
	"language tag":                            {`a\U000e0041b`, true},
	"private use":                             {`a\ue000b`, true},
	"line separator":                          {`a\u2028b`, true},
	"paragraph separator":                     {`a\u2029b`, true},
	"a space at the start":                    {` ab`, true},
	"a space at the end":                      {`ab `, true},
	"a no-break space at the start":           {`\u00a0ab`, true},
	"a no-break space at the end":             {`ab\u00a0`, true},
	"an em space at the end":                  {`ab\u2003`, true},
	"an ideographic space at the start":       {`\u3000ab`, true},
	"an Ogham space mark at the end":          {`ab\u1680`, true},
	"a narrow no-break space at the end":      {`ab\u202f`, true},
	"nothing but a space":                     {` `, true},
	"a medium mathematical space at the edge": {`ab\u205f`, true},
}

// What the API server says.
const (
	immutable = "is immutable: create another ClientIdentity instead"
)

func TestNamesOfSubjects(t *testing.T) {
	for name, test := range subjects {
		t.Run(name, func(t *testing.T) {
			user, group := want(nil), want(nil)
			value := unquote(t, test.name)
			if test.refused {
				user = want{fmt.Sprintf("spec.username: Invalid value: %q: %s", value, formatting)}
				group = want{fmt.Sprintf("spec.groups[1]: Invalid value: %q: %s", value, formatting)}
			}
			_, err := dryCreate(encode(t, identity(t, "alice", `username: "`+test.name+`"`)))
			expect(t, refusals(t, err), user)
			_, err = dryCreate(encode(t, identity(t, "alice", `groups: [team-a, "`+test.name+`"]`)))
			expect(t, refusals(t, err), group)
		})
	}
}

// unquote returns the text that a double-quoted YAML scalar stands for.
func unquote(t *testing.T, quoted string) string {
	t.Helper()
	return identity(t, "x", `username: "`+quoted+`"`)["spec"].(object)["username"].(string)
}

func TestReservedUsers(t *testing.T) {
	check := func(name, message string) {
		t.Run(name, func(t *testing.T) {
			var wanted want
			if message != "" {
				wanted = want{fmt.Sprintf("spec.username: Invalid value: %q: %s", name, message)}
			}
			_, err := dryCreate(encode(t, identity(t, "alice", fmt.Sprintf("username: %q", name))))
			expect(t, refusals(t, err), wanted)
		})
	}
	for _, name := range []string{
		"system:node:", "system:node:worker-1", "system:serviceaccount:", "system:serviceaccount:default:default",
		"system:anonymous", "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy",
	} {
		check(name, reservedUser)
	}
	for _, name := range []string{"clientidentity.dev:", "clientidentity.dev:0123:0"} {
		check(name, ownPrefix)
	}
	// Names are compared as Kubernetes compares them: case matters, and so does every character.
	for _, name := range []string{
		"system:ci-bot", "system:automation", "system:node", "system:nodes", "system:node-reader", "system:serviceaccounts", "system:anonymous2",
		"system:kube-proxy-2", "System:anonymous", "system:masters", "clientidentity.dev", "clientidentity.dev/x", "not-clientidentity.dev:x",
	} {
		check(name, "")
	}
}

func TestReservedGroups(t *testing.T) {
	check := func(name, message string) {
		t.Run(name, func(t *testing.T) {
			var wanted want
			if message != "" {
				wanted = want{fmt.Sprintf("spec.groups[0]: Invalid value: %q: %s", name, message)}
			}
			_, err := dryCreate(encode(t, identity(t, "alice", fmt.Sprintf("groups: [%q, team-a]", name))))
			expect(t, refusals(t, err), wanted)
		})
	}
	for _, name := range []string{
		"system:masters", "system:nodes", "system:authenticated", "system:unauthenticated", "kubeadm:cluster-admins",
		"system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token", "system:bootstrappers-2",
		"system:serviceaccounts", "system:serviceaccounts:default", "system:serviceaccounts2",
	} {
		check(name, reservedGroup)
	}
	for _, name := range []string{"clientidentity.dev:", "clientidentity.dev:0123:0"} {
		check(name, ownPrefix)
	}
	for _, name := range []string{
		"system:nodes-team", "system:masters-of-none", "system:authenticated-2", "system:bootstrapper", "system:serviceaccount", "System:Masters",
		"kubeadm:cluster-admins-2", "system:monitoring", "clientidentity.dev", "clientidentity.dev/x",
	} {
		check(name, "")
	}
}

func TestUsername(t *testing.T) {
	rules{
		"1 character":                    {`username: a`, nil},
		"64 characters":                  {`username: ` + strings.Repeat("a", 64), nil},
		"64 characters of 4 bytes":       {`username: ` + strings.Repeat("🚀", 64), nil},
		"65 characters":                  {`username: ` + strings.Repeat("a", 65), want{`spec.username: Too long: may not be more than 64 bytes`}},
		"65 characters of 2 bytes":       {`username: ` + strings.Repeat("ü", 65), want{`spec.username: Too long: may not be more than 64 bytes`}},
		"none":                           {`username: ""`, want{`spec.username: Invalid value: "": spec.username in body should be at least 1 chars long`}},
		"null":                           {`username: null`, want{`spec.username: Required value`}},
		"a number":                       {`username: 7`, want{`spec.username: Invalid value: "integer": spec.username in body must be of type string: "integer"`}},
		"several things wrong with it":   {"username: \" a\\tb\"", want{invalid("spec.username", " a\tb", formatting)}},
		"reserved and with a space":      {`username: "clientidentity.dev: "`, want{invalid("spec.username", "clientidentity.dev: ", ownPrefix), invalid("spec.username", "clientidentity.dev: ", formatting)}},
		"reserved of the group's prefix": {`username: "system:node: "`, want{invalid("spec.username", "system:node: ", reservedUser), invalid("spec.username", "system:node: ", formatting)}},
	}.check(t)
	changes{
		"another one":  {`username: alice`, `username: bob`, want{invalid("spec.username", "bob", immutable)}},
		"another case": {`username: alice`, `username: Alice`, want{invalid("spec.username", "Alice", immutable)}},
		"the same":     {`username: alice`, `{username: alice, groups: [a]}`, nil},
	}.check(t)
}

func TestGroups(t *testing.T) {
	rules{
		"none":                  {`groups: []`, nil},
		"32 groups":             {`groups: [` + numbered("g", 32) + `]`, nil},
		"33 groups":             {`groups: [` + numbered("g", 33) + `]`, want{`spec.groups: Too many: 33: must have at most 32 items`}},
		"64 characters":         {`groups: [` + strings.Repeat("ü", 64) + `]`, nil},
		"65 characters":         {`groups: [` + strings.Repeat("ü", 65) + `]`, want{`spec.groups[0]: Too long: may not be more than 64 bytes`}},
		"an empty name":         {`groups: [""]`, want{`spec.groups[0]: Invalid value: "": spec.groups[0] in body should be at least 1 chars long`}},
		"the same twice":        {`groups: [a, b, a]`, want{`spec.groups[2]: Duplicate value: "a"`}},
		"the same in two cases": {`groups: [a, A]`, nil},
		"null":                  {`groups: null`, nil},
		"null among them":       {`groups: [a, null]`, want{`spec.groups[1]: Invalid value: "null": spec.groups[1] in body must be of type string: "null"`}},
		"a number":              {`groups: [1]`, want{`spec.groups[0]: Invalid value: "integer": spec.groups[0] in body must be of type string: "integer"`}},
		"not a list":            {`groups: a`, want{`spec.groups: Invalid value: "string": spec.groups in body must be of type array: "string"`}},
	}.check(t)
}

// numbered returns n names, separated by commas.
func numbered(prefix string, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return strings.Join(names, ", ")
}
