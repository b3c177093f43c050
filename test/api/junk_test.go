// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// junk are values of every type of JSON.
var junk = []any{
	nil, true, "", "a", []any{}, []any{"a"}, []any{"2027-01-01T00:00:00Z"}, []any{nil}, []any{1}, object{}, object{"a": "b"},
	json.Number("0"), json.Number("1"), json.Number("1.5"), json.Number("-1"), json.Number("4294967296"), json.Number("1e19"), json.Number("1e400"),
}

// TestNoFieldTakesWhatGoCannotDecode puts every value into every field, of spec and status. For fields with a format the
// API server itself does not check the type.
func TestNoFieldTakesWhatGoCannotDecode(t *testing.T) {
	fields := map[string]node{}
	root := openAPI(t)
	collect(fields, "spec", root.Properties["spec"])
	collect(fields, "status", root.Properties["status"])
	stored(t, "junk", "")
	current := resourceVersioned(t, identity(t, "junk", ""))
	accepted := 0
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range junk {
			o := object{"apiVersion": current["apiVersion"], "kind": current["kind"], "metadata": object{"name": "other"}, "spec": object{"username": "alice"}}
			write := dryCreate
			if strings.HasPrefix(path, "status") {
				o["metadata"] = current["metadata"]
				write = func(body []byte) ([]byte, error) { return dryUpdateStatus("junk", body) }
			}
			put(o, fields, "", strings.Split(path, "."), value)
			sent := encode(t, o)
			if answer, err := write(sent); err != nil {
				refusedAsInvalid(t, sent, err)
			} else {
				accepted++
				decodes(t, sent, answer)
			}
		}
	}
	if accepted < len(fields) {
		t.Errorf("%d objects were accepted for %d fields: the rest of them is not valid", accepted, len(fields))
	}
}

// put sets the field at a path, and what the way to it requires: elements of lists, and their required fields.
func put(o object, fields map[string]node, at string, path []string, value any) {
	name := path[0]
	if at += name; len(path) == 1 {
		o[name] = value
		return
	}
	inner := object{}
	if field := fields[at]; field.Items != nil {
		required(inner, *field.Items)
		o[name] = []any{inner}
	} else {
		if given, ok := o[name].(object); ok {
			inner = given
		}
		required(inner, field)
		o[name] = inner
	}
	if path[1] == "namespaceSelector" {
		delete(inner, "namespace")
	}
	put(inner, fields, at+".", path[1:], value)
}

// required sets the required fields of an object to something valid.
func required(o object, field node) {
	for _, name := range field.Required {
		child := field.Properties[name]
		if _, ok := o[name]; ok {
			continue
		}
		switch {
		case child.Type == "object":
			inner := object{}
			required(inner, child)
			o[name] = inner
		case len(child.Enum) > 0:
			o[name] = child.Enum[0]
		case child.Format == "date-time":
			o[name] = "2027-01-01T00:00:00Z"
		default:
			o[name] = "a"
		}
	}
	if _, ok := field.Properties["namespaceSelector"]; ok {
		o["namespace"] = "a"
	}
}
