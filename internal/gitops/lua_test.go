// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package gitops holds the tests of what GitOps tools are told about identities: the scripts of config/argocd, the samples, and
// the conditions that Flux reads.
package gitops

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/argocd"
)

// root is the root of the repository, and scripts where Argo CD's scripts are, as Argo CD's own repository has them.
const (
	root    = "../.."
	scripts = root + "/config/argocd/resource_customizations/clientidentity.dev/ClientIdentity"
)

// The formats of health_test.yaml and action_test.yaml, as Argo CD's own tests read them.
type (
	healthTests struct {
		Tests []struct {
			InputPath    string        `json:"inputPath"`
			HealthStatus argocd.Health `json:"healthStatus"`
		} `json:"tests"`
	}
	actionTests struct {
		DiscoveryTests []struct {
			InputPath string          `json:"inputPath"`
			Result    []argocd.Action `json:"result"`
		} `json:"discoveryTests"`
		ActionTests []struct {
			Action             string `json:"action"`
			InputPath          string `json:"inputPath"`
			ExpectedOutputPath string `json:"expectedOutputPath"`
		} `json:"actionTests"`
	}
)

func TestHealth(t *testing.T) {
	var tests healthTests
	decode(t, filepath.Join(scripts, "health_test.yaml"), &tests)
	script := read(t, filepath.Join(scripts, "health.lua"))
	var tested []string
	for _, test := range tests.Tests {
		tested = append(tested, filepath.Join(scripts, test.InputPath))
		t.Run(test.InputPath, func(t *testing.T) {
			got, err := argocd.CheckHealth(t.Context(), script, object(t, filepath.Join(scripts, test.InputPath)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.HealthStatus, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, file := range testdata(t) {
		if !slices.Contains(tested, file) {
			t.Errorf("health_test.yaml does not say how %s is", file)
		}
	}
	for name, given := range map[string]map[string]any{
		"without a status":       {"metadata": map[string]any{"generation": int64(1)}},
		"with an unknown status": {"metadata": map[string]any{"generation": int64(1)}, "status": map[string]any{"observedGeneration": int64(1), "conditions": []any{}}},
	} {
		if got, err := argocd.CheckHealth(t.Context(), script, given); err != nil || got.Status != "Progressing" {
			t.Errorf("an identity %s is %+v, %v", name, got, err)
		}
	}
}

func TestActions(t *testing.T) {
	folder := filepath.Join(scripts, "actions")
	var tests actionTests
	decode(t, filepath.Join(folder, "action_test.yaml"), &tests)
	discovery := read(t, filepath.Join(folder, "discovery.lua"))
	var offered, tested []string
	for _, test := range tests.DiscoveryTests {
		t.Run("discovery/"+test.InputPath, func(t *testing.T) {
			got, err := argocd.Discover(t.Context(), discovery, object(t, filepath.Join(folder, test.InputPath)))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]argocd.Action{}
			for _, action := range test.Result {
				want[action.Name] = action
				offered = append(offered, action.Name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, test := range tests.ActionTests {
		tested = append(tested, test.Action)
		t.Run(test.Action, func(t *testing.T) {
			script := read(t, filepath.Join(folder, test.Action, "action.lua"))
			got, err := argocd.Act(t.Context(), script, object(t, filepath.Join(folder, test.InputPath)))
			if err != nil {
				t.Fatal(err)
			}
			want := object(t, filepath.Join(folder, test.ExpectedOutputPath))
			for _, path := range [][]string{{"metadata", "annotations", v1alpha1.RenewRequestedAtAnnotation}, {"spec", "revokeIssuedBefore"}} {
				settleNow(t, want, got, path)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, name := range offered {
		if !slices.Contains(tested, name) {
			t.Errorf("action_test.yaml does not say what the action %s does", name)
		}
	}
}

// settleNow puts the expected time in the place of one that an action has just set to the current one.
func settleNow(t *testing.T, want, got map[string]any, path []string) {
	t.Helper()
	expected, is := parent(want, path)[path[len(path)-1]], parent(got, path)
	if is == nil || expected == nil {
		return
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", is[path[len(path)-1]].(string))
	if since := time.Since(at); err == nil && since > -2*time.Second && since < time.Minute {
		is[path[len(path)-1]] = expected
	}
}

// parent returns the map that holds the field at a path, or nil.
func parent(of map[string]any, path []string) map[string]any {
	for _, field := range path[:len(path)-1] {
		of, _ = of[field].(map[string]any)
	}
	return of
}

// TestConfigMap reads the entries of argocd-cm as Argo CD does: they are the scripts, and nothing else.
func TestConfigMap(t *testing.T) {
	var cm struct {
		Data map[string]string `json:"data"`
	}
	decode(t, root+"/config/argocd/argocd-cm.yaml", &cm)
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name   string `json:"name"`
			Action string `json:"action.lua"`
		} `json:"definitions"`
	}
	if err := yaml.UnmarshalStrict([]byte(cm.Data["resource.customizations.actions.clientidentity.dev_ClientIdentity"]), &actions); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"health.lua": cm.Data["resource.customizations.health.clientidentity.dev_ClientIdentity"], "actions/discovery.lua": actions.Discovery}
	for _, action := range actions.Definitions {
		got["actions/"+action.Name+"/action.lua"] = action.Action
	}
	if len(cm.Data) != 2 {
		t.Errorf("%d entries", len(cm.Data))
	}
	want := map[string]string{}
	for _, file := range luaFiles(t) {
		name, err := filepath.Rel(scripts, file)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = read(t, file)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run make generate: (-scripts +argocd-cm.yaml):\n%s", diff)
	}
}

// luaFiles returns the files of all scripts.
func luaFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.lua", "actions/*.lua", "actions/*/*.lua"} {
		found, err := filepath.Glob(filepath.Join(scripts, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 3 {
		t.Fatalf("%d scripts", len(files))
	}
	return files
}

// testdata returns the files of the identities that were taken.
func testdata(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(scripts, "testdata", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d objects: %v", len(files), err)
	}
	return files
}

// object reads an identity as a decoded object, with whole numbers as Kubernetes has them.
func object(t *testing.T, file string) map[string]any {
	t.Helper()
	var o map[string]any
	decode(t, file, &o)
	return whole(o).(map[string]any)
}

func whole(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = whole(v[name])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		return int64(v)
	}
	return value
}

func decode(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(read(t, file)), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
