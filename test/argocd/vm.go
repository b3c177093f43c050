// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package argocd does for tests what Argo CD does with the Lua scripts of config/argocd: it runs them in a VM with no more
// libraries than Argo CD opens for scripts from its ConfigMap, and compares live objects with desired ones.
package argocd

import (
	"context"
	"errors"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// timeLimit is how long Argo CD lets a script run.
const timeLimit = time.Second

// Health is what a health script returns.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// CheckHealth runs a health script on an object.
func CheckHealth(ctx context.Context, script string, object map[string]any) (Health, error) {
	result, err := run(ctx, script, object)
	if err != nil {
		return Health{}, err
	}
	fields, ok := result.(map[string]any)
	if !ok {
		return Health{}, fmt.Errorf("the script returns %T instead of a table", result)
	}
	health := Health{}
	health.Status, _ = fields["status"].(string)
	health.Message, _ = fields["message"].(string)
	switch health.Status {
	case "Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing":
		return health, nil
	}
	return Health{}, fmt.Errorf("the script returns %q, which is no health", health.Status)
}

// Action is an action that a discovery script offers.
type Action struct {
	Name        string `json:"name"`
	Disabled    bool   `json:"disabled,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	IconClass   string `json:"iconClass,omitempty"`
}

// Discover runs a discovery script on an object, and returns its actions by name.
func Discover(ctx context.Context, script string, object map[string]any) (map[string]Action, error) {
	result, err := run(ctx, script, object)
	if err != nil {
		return nil, err
	}
	table, ok := result.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the script returns %T instead of a table", result)
	}
	actions := map[string]Action{}
	for name, value := range table {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("action %s is %T instead of a table", name, value)
		}
		action := Action{Name: name}
		action.Disabled, _ = fields["disabled"].(bool)
		action.DisplayName, _ = fields["displayName"].(string)
		action.IconClass, _ = fields["iconClass"].(string)
		actions[name] = action
	}
	return actions, nil
}

// Act runs the script of an action on an object, and returns the changed one.
func Act(ctx context.Context, script string, object map[string]any) (map[string]any, error) {
	result, err := run(ctx, script, object)
	if err != nil {
		return nil, err
	}
	changed, ok := result.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the script returns %T instead of the object", result)
	}
	return restoreEmpty(changed, object).(map[string]any), nil
}

// run runs a script with the object in the global variable obj, and returns what it returns.
func run(ctx context.Context, script string, object map[string]any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	state.SetContext(ctx)
	for name, open := range map[string]lua.LGFunction{lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, clock)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	if state.GetTop() != 1 {
		return nil, errors.New("the script does not return one value")
	}
	return fromLua(state.Get(-1))
}

// clock is the module os with what Argo CD leaves of it: the time. There is no global os.
func clock(state *lua.LState) int {
	whole := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer whole.Close()
	lua.OpenOs(whole)
	module := state.NewTable()
	for _, name := range []string{"time", "date"} {
		function := whole.GetField(whole.Get(-1), name).(*lua.LFunction)
		module.RawSetString(name, state.NewFunction(function.GFunction))
	}
	state.Push(module)
	return 1
}
