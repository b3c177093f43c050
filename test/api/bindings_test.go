// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"testing"
)

// What the API server says.
const (
	notAGroup          = "the group of a binding must be one of spec.groups"
	groupAndCredential = "cannot be Credential while a binding has a group: remove group from the binding, or set bindTo to Username"
	oneOfBoth          = "set exactly one of namespace and namespaceSelector"
	after              = "must be after validFrom, by a second or more"
	roleName           = "must be the name of a role: it cannot be . or .. nor contain / or %"
	emptySelector      = "must not be empty: an empty selector would match every namespace"
	selectorValues     = "values must be set for In and NotIn, and not set for Exists and DoesNotExist"
	labelName          = "must be the name of a label, such as team or example.com/team"
)

func TestRoleBindings(t *testing.T) {
	const role = `roleRef: {kind: ClusterRole, name: edit}`
	in := func(fields string) string {
		return fmt.Sprintf(`roleBindings: [{name: dev, namespace: development, %s}]`, fields)
	}
	rules{
		"in a namespace":            {in(role), nil},
		"a Role":                    {in(`roleRef: {kind: Role, name: "a:b c"}`), nil},
		"with a selector":           {`roleBindings: [{name: dev, namespaceSelector: {matchLabels: {team: a}}, ` + role + `}]`, nil},
		"64 of them":                {`roleBindings: [` + repeated(64, `{name: dev-%d, namespace: development, `+role+`}`) + `]`, nil},
		"65 of them":                {`roleBindings: [` + repeated(65, `{name: dev-%d, namespace: development, `+role+`}`) + `]`, want{`spec.roleBindings: Too many: 65: must have at most 64 items`}},
		"namespace and selector":    {`roleBindings: [{name: dev, namespace: a, namespaceSelector: {matchLabels: {team: a}}, ` + role + `}]`, want{broken("spec.roleBindings[0]", oneOfBoth)}},
		"no namespace, no selector": {`roleBindings: [{name: dev, ` + role + `}]`, want{broken("spec.roleBindings[0]", oneOfBoth)}},
		"an empty namespace":        {`roleBindings: [{name: dev, namespace: "", ` + role + `}]`, want{`spec.roleBindings[0].namespace: Invalid value: "": spec.roleBindings[0].namespace in body should be at least 1 chars long`}},
		"a namespace of two labels": {`roleBindings: [{name: dev, namespace: a.b, ` + role + `}]`, want{`spec.roleBindings[0].namespace: Invalid value: "a.b": spec.roleBindings[0].namespace in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'`}},
		"no name":                   {`roleBindings: [{namespace: a, ` + role + `}]`, want{`spec.roleBindings[0].name: Required value`}},
		"a name with a capital":     {`roleBindings: [{name: Dev, namespace: a, ` + role + `}]`, want{`spec.roleBindings[0].name: Invalid value: "Dev": spec.roleBindings[0].name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'`}},
		"a name of 64 characters":   {`roleBindings: [{name: ` + strings.Repeat("a", 64) + `, namespace: a, ` + role + `}]`, want{`spec.roleBindings[0].name: Too long: may not be more than 63 bytes`}},
		"the same name twice":       {`roleBindings: [{name: dev, namespace: a, ` + role + `}, {name: dev, namespace: b, ` + role + `}]`, want{`spec.roleBindings[1]: Duplicate value: {"name":"dev"}`}},
		"no role":                   {`roleBindings: [{name: dev, namespace: a}]`, want{`spec.roleBindings[0].roleRef: Required value`}},
		"no kind of role":           {in(`roleRef: {name: edit}`), want{`spec.roleBindings[0].roleRef.kind: Required value`}},
		"another kind of role":      {in(`roleRef: {kind: User, name: edit}`), want{`spec.roleBindings[0].roleRef.kind: Unsupported value: "User": supported values: "Role", "ClusterRole"`}},
		"a role without a name":     {in(`roleRef: {kind: Role, name: ""}`), want{`spec.roleBindings[0].roleRef.name: Invalid value: "": spec.roleBindings[0].roleRef.name in body should be at least 1 chars long`}},
		"a role with a slash":       {in(`roleRef: {kind: Role, name: a/b}`), want{invalid("spec.roleBindings[0].roleRef.name", "a/b", roleName)}},
		"a role with a percent":     {in(`roleRef: {kind: Role, name: a%2fb}`), want{invalid("spec.roleBindings[0].roleRef.name", "a%2fb", roleName)}},
		"a role ..":                 {in(`roleRef: {kind: Role, name: ..}`), want{invalid("spec.roleBindings[0].roleRef.name", "..", roleName)}},
		"a group of the spec":       {`{groups: [a], ` + in(`group: a, `+role) + `}`, nil},
		"a group not of the spec":   {`{groups: [a], ` + in(`group: b, `+role) + `}`, want{broken("spec.roleBindings", notAGroup)}},
		"a group of no groups":      {in(`group: b, ` + role), want{broken("spec.roleBindings", notAGroup)}},
		"an empty group":            {in(`group: "", ` + role), want{broken("spec.roleBindings", notAGroup), `spec.roleBindings[0].group: Invalid value: "": spec.roleBindings[0].group in body should be at least 1 chars long`}},
		"a group and Credential":    {`{bindTo: Credential, groups: [a], ` + in(`group: a, `+role) + `}`, want{broken("spec.bindTo", groupAndCredential)}},
		"Credential":                {`{bindTo: Credential, groups: [a], ` + in(role) + `}`, nil},
		"another bindTo":            {`bindTo: Group`, want{`spec.bindTo: Unsupported value: "Group": supported values: "Username", "Credential"`}},
		"from before until":         {in(role + `, validFrom: "2026-12-01T08:00:00Z", validUntil: "2026-12-01T08:00:01Z"`), nil},
		"from at until":             {in(role + `, validFrom: "2026-12-01T08:00:00Z", validUntil: "2026-12-01T08:00:00Z"`), want{broken("spec.roleBindings[0].validUntil", after)}},
		"from after until":          {in(role + `, validFrom: "2026-12-01T08:00:00Z", validUntil: "2026-12-01T08:30:00+01:00"`), want{broken("spec.roleBindings[0].validUntil", after)}},
		"in the same second":        {in(role + `, validFrom: "2026-12-01T08:00:00.1Z", validUntil: "2026-12-01T08:00:00.9Z"`), want{broken("spec.roleBindings[0].validUntil", after)}},
	}.check(t)
}

func TestClusterRoleBindings(t *testing.T) {
	const role = `roleRef: {name: view}`
	in := func(fields string) string { return fmt.Sprintf(`clusterRoleBindings: [{name: read, %s}]`, fields) }
	rules{
		"one":                     {in(role), nil},
		"64 of them":              {`clusterRoleBindings: [` + repeated(64, `{name: read-%d, `+role+`}`) + `]`, nil},
		"65 of them":              {`clusterRoleBindings: [` + repeated(65, `{name: read-%d, `+role+`}`) + `]`, want{`spec.clusterRoleBindings: Too many: 65: must have at most 64 items`}},
		"the same name twice":     {`clusterRoleBindings: [{name: read, ` + role + `}, {name: read, ` + role + `}]`, want{`spec.clusterRoleBindings[1]: Duplicate value: {"name":"read"}`}},
		"a namespace":             {in(`namespace: a, ` + role), want{unknownField("spec.clusterRoleBindings[0].namespace")}},
		"a kind of role":          {in(`roleRef: {kind: Role, name: view}`), want{unknownField("spec.clusterRoleBindings[0].roleRef.kind")}},
		"a role .":                {in(`roleRef: {name: .}`), want{`spec.clusterRoleBindings[0].roleRef.name: Invalid value: ".": must be the name of a ClusterRole: it cannot be . or .. nor contain / or %`}},
		"a group of the spec":     {`{groups: [a], ` + in(`group: a, `+role) + `}`, nil},
		"a group not of the spec": {`{groups: [a], ` + in(`group: b, `+role) + `}`, want{broken("spec.clusterRoleBindings", notAGroup)}},
		"a group and Credential":  {`{bindTo: Credential, groups: [a], ` + in(`group: a, `+role) + `}`, want{broken("spec.bindTo", groupAndCredential)}},
		"from at until":           {in(role + `, validFrom: "2026-12-01T08:00:00Z", validUntil: "2026-12-01T08:00:00Z"`), want{broken("spec.clusterRoleBindings[0].validUntil", after)}},
	}.check(t)
}

func TestNamespaceSelectors(t *testing.T) {
	with := func(selector string) string {
		return `roleBindings: [{name: dev, namespaceSelector: ` + selector + `, roleRef: {kind: Role, name: a}}]`
	}
	requirement := func(fields string) string { return with(`{matchExpressions: [{` + fields + `}]}`) }
	rules{
		"labels":                       {with(`{matchLabels: {team: a, example.com/tier: ""}}`), nil},
		"In":                           {requirement(`key: team, operator: In, values: [a, b]`), nil},
		"NotIn":                        {requirement(`key: team, operator: NotIn, values: [a]`), nil},
		"Exists":                       {requirement(`key: example.com/team, operator: Exists`), nil},
		"DoesNotExist, with no values": {requirement(`key: team, operator: DoesNotExist, values: []`), nil},
		"empty":                        {with(`{}`), want{broken("spec.roleBindings[0].namespaceSelector", emptySelector)}},
		"empty labels":                 {with(`{matchLabels: {}}`), want{broken("spec.roleBindings[0].namespaceSelector", emptySelector)}},
		"empty expressions":            {with(`{matchLabels: {}, matchExpressions: []}`), want{broken("spec.roleBindings[0].namespaceSelector", emptySelector)}},
		"null":                         {with(`null`), want{broken("spec.roleBindings[0]", oneOfBoth)}},
		"17 labels":                    {with(`{matchLabels: {` + repeated(17, `l%d: a`) + `}}`), want{`spec.roleBindings[0].namespaceSelector.matchLabels: Too many: 17: must have at most 16 items`}},
		"17 expressions":               {with(`{matchExpressions: [` + repeated(17, `{key: l%d, operator: Exists}`) + `]}`), want{`spec.roleBindings[0].namespaceSelector.matchExpressions: Too many: 17: must have at most 16 items`}},
		"33 values":                    {requirement(`key: team, operator: In, values: [` + numbered("v", 33) + `]`), want{`spec.roleBindings[0].namespaceSelector.matchExpressions[0].values: Too many: 33: must have at most 32 items`}},
		"another operator":             {requirement(`key: team, operator: Gt, values: [a]`), want{`spec.roleBindings[0].namespaceSelector.matchExpressions[0].operator: Unsupported value: "Gt": supported values: "In", "NotIn", "Exists", "DoesNotExist"`}},
		"In without values":            {requirement(`key: team, operator: In`), want{broken("spec.roleBindings[0].namespaceSelector.matchExpressions[0]", selectorValues)}},
		"In with no values":            {requirement(`key: team, operator: In, values: []`), want{broken("spec.roleBindings[0].namespaceSelector.matchExpressions[0]", selectorValues)}},
		"Exists with values":           {requirement(`key: team, operator: Exists, values: [a]`), want{broken("spec.roleBindings[0].namespaceSelector.matchExpressions[0]", selectorValues)}},
		"no key":                       {requirement(`operator: Exists`), want{`spec.roleBindings[0].namespaceSelector.matchExpressions[0].key: Required value`}},
		"a key that is no label":       {requirement(`key: "a b", operator: Exists`), want{invalid("spec.roleBindings[0].namespaceSelector.matchExpressions[0].key", "a b", labelName)}},
		"a key with a capital prefix":  {requirement(`key: Example.com/team, operator: Exists`), want{invalid("spec.roleBindings[0].namespaceSelector.matchExpressions[0].key", "Example.com/team", labelName)}},
		"a value that is no label":     {requirement(`key: team, operator: In, values: ["a b"]`), want{`spec.roleBindings[0].namespaceSelector.matchExpressions[0].values[0]: Invalid value: "a b": spec.roleBindings[0].namespaceSelector.matchExpressions[0].values[0] in body should match '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'`}},
		"a label that is none":         {with(`{matchLabels: {"-team": a}}`), want{broken("spec.roleBindings[0].namespaceSelector.matchLabels", labelNames)}},
		"a label value that is none":   {with(`{matchLabels: {team: "-a"}}`), want{`spec.roleBindings[0].namespaceSelector.matchLabels.team: Invalid value: "-a": spec.roleBindings[0].namespaceSelector.matchLabels.team in body should match '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'`}},
	}.check(t)
}

// repeated returns n copies of a flow collection's element, with a number for its %d.
func repeated(n int, element string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = fmt.Sprintf(element, i)
	}
	return strings.Join(elements, ", ")
}
