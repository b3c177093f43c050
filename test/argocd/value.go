// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package argocd

import (
	"errors"
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// toLua returns a value of a decoded object as Lua has it.
func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		table := state.CreateTable(len(v), 0)
		for _, element := range v {
			table.Append(toLua(state, element))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(v))
		for name, element := range v {
			table.RawSetString(name, toLua(state, element))
		}
		return table
	}
	return lua.LNil
}

// fromLua returns what a Lua value says. An empty table is a list: Lua does not tell it from an empty map.
func fromLua(value lua.LValue) (any, error) {
	switch v := value.(type) {
	case lua.LBool:
		return bool(v), nil
	case lua.LString:
		return string(v), nil
	case lua.LNumber:
		if whole := int64(v); lua.LNumber(whole) == v {
			return whole, nil
		}
		return float64(v), nil
	case *lua.LTable:
		return fromTable(v)
	}
	return nil, fmt.Errorf("a value of type %s cannot be part of an object", value.Type())
}

func fromTable(table *lua.LTable) (any, error) {
	list, fields := []any{}, map[string]any{}
	var err error
	table.ForEach(func(key, value lua.LValue) {
		element, elementErr := fromLua(value)
		if elementErr != nil {
			err = elementErr
		}
		if name, ok := key.(lua.LString); ok {
			fields[string(name)] = element
		} else {
			list = append(list, element)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case len(fields) == 0:
		return list, nil
	case len(list) > 0:
		return nil, errors.New("a table with names and numbers cannot be part of an object")
	}
	return fields, nil
}

// restoreEmpty returns what a script made of a value, with empty maps where they were: Lua made lists of them.
func restoreEmpty(made, was any) any {
	switch m := made.(type) {
	case map[string]any:
		if before, ok := was.(map[string]any); ok {
			for name := range m {
				m[name] = restoreEmpty(m[name], before[name])
			}
		}
	case []any:
		switch before := was.(type) {
		case map[string]any:
			if len(m) == 0 {
				return map[string]any{}
			}
		case []any:
			for i := range min(len(m), len(before)) {
				m[i] = restoreEmpty(m[i], before[i])
			}
		}
	}
	return made
}
