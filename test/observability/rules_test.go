// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/test/operator"
)

// ruleFile is what Prometheus reads: the spec of a PrometheusRule.
type ruleFile struct {
	Groups []struct {
		Name     string `json:"name"`
		Interval string `json:"interval,omitempty"`
		Rules    []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// fataler is what ends a test or a spec.
type fataler interface{ Fatal(args ...any) }

// shippedRules returns the rules of config/prometheus.
func shippedRules(t fataler) ruleFile {
	root, err := operator.Root()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(root, "config", "prometheus", "prometheus_rule.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Spec ruleFile `json:"spec"`
	}
	if err := yaml.Unmarshal(manifest, &object); err != nil {
		t.Fatal(err)
	}
	return object.Spec
}

// change returns rules of which each one is changed.
func (f ruleFile) change(change func(*rule)) ruleFile {
	changed := ruleFile{Groups: slices.Clone(f.Groups)}
	for i := range changed.Groups {
		changed.Groups[i].Rules = slices.Clone(changed.Groups[i].Rules)
		for j := range changed.Groups[i].Rules {
			change(&changed.Groups[i].Rules[j])
		}
	}
	return changed
}

// alerts returns all alerts.
func (f ruleFile) alerts() []rule {
	var all []rule
	for _, group := range f.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// write writes the rules to a file.
func (f ruleFile) write(t fataler, file string) {
	content, err := yaml.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// skipper is what skips a test or a spec.
type skipper interface {
	fataler
	Skip(args ...any)
}

// tool returns a program of Prometheus: the one that make has built, or else one that is installed.
func tool(t skipper, variable, name string) string {
	if path := os.Getenv(variable); path != "" {
		if _, err := os.Stat(path); err != nil {
			t.Fatal(variable, "names no program: run make prometheus:", err)
		}
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("NOT TESTED: there is no "+name+": run make test-integration, which builds it:", err)
	}
	return path
}

func promtool(t skipper) string   { return tool(t, "PROMTOOL", "promtool") }
func prometheus(t skipper) string { return tool(t, "PROMETHEUS", "prometheus") }

func TestRulesAreAsPrometheusWantsThem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	shippedRules(t).write(t, file)
	output, err := exec.CommandContext(t.Context(), promtool(t), "check", "rules", "--lint=all", "--lint-fatal", file).CombinedOutput()
	if err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, output)
	}
}

func TestRulesCanBeTakenOutAsTheGuideSays(t *testing.T) {
	root, err := operator.Root()
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile(filepath.Join(root, "docs", "guides", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(blocks(string(guide), "sh"), func(line string) bool { return strings.HasPrefix(line, "sed ") })
	if i < 0 {
		t.Fatal("the guide has no line with sed")
	}
	line, _, _ := strings.Cut(blocks(string(guide), "sh")[i], " >")
	cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
	cmd.Dir = root
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rules ruleFile
	if err := yaml.UnmarshalStrict(output, &rules); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if !reflect.DeepEqual(rules, shippedRules(t)) {
		t.Errorf("other rules are taken out than are shipped:\n%s", output)
	}
}

func TestRulesFireWhenTheyShouldAndOnlyThen(t *testing.T) {
	// What a rule says is expanded by promtool check rules.
	bare := shippedRules(t).change(func(r *rule) { r.Annotations = nil })
	if output, err := testRules(t, bare); err != nil {
		t.Fatalf("promtool test rules: %v\n%s", err, output)
	}
	output, err := testRules(t, bare.change(func(r *rule) { r.Expr = "vector(0) > 1" }))
	if err == nil {
		t.Fatal("nothing is said where no rule ever fires")
	}
	for _, silent := range bare.alerts() {
		if !strings.Contains(string(output), "alertname: "+silent.Alert+",") {
			t.Errorf("nothing is said where %s never fires: it needs a test that it does", silent.Alert)
		}
	}
}

// testRules runs promtool on the tests in testdata.
func testRules(t *testing.T, rules ruleFile) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	rules.write(t, filepath.Join(dir, "rules.yaml"))
	args := []string{"test", "rules"}
	for name, content := range ruleTests(t) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	cmd := exec.CommandContext(t.Context(), promtool(t), args...)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}

// ruleTests returns the files in testdata.
func ruleTests(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in testdata: %v", len(files), err)
	}
	tests := map[string][]byte{}
	for _, file := range files {
		if tests[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return tests
}

func TestEachAlertIsTestedForSilenceToo(t *testing.T) {
	type alertTest struct {
		AlertName string `json:"alertname"`
		Expected  []any  `json:"exp_alerts"`
	}
	silent := map[string]bool{}
	for name, content := range ruleTests(t) {
		var file struct {
			Tests []struct {
				AlertTests []alertTest `json:"alert_rule_test"`
			} `json:"tests"`
		}
		if err := yaml.Unmarshal(content, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, test := range file.Tests {
			for _, alert := range test.AlertTests {
				if len(alert.Expected) == 0 {
					silent[alert.AlertName] = true
				}
			}
		}
	}
	names := map[string]bool{}
	for _, alert := range shippedRules(t).alerts() {
		names[alert.Alert] = true
		if !silent[alert.Alert] {
			t.Errorf("%s has no test that it does not fire", alert.Alert)
		}
	}
	for _, tested := range slices.Sorted(maps.Keys(silent)) {
		if !names[tested] {
			t.Errorf("%s is tested, and there is no such alert", tested)
		}
	}
}

func TestEachAlertSaysWhatToDo(t *testing.T) {
	const runbooks = "https://github.com/clientidentity/operator/blob/main/docs/runbooks.md#"
	for _, alert := range shippedRules(t).alerts() {
		if s := alert.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s has the severity %q", alert.Alert, s)
		}
		if alert.Annotations["summary"] == "" || alert.Annotations["description"] == "" {
			t.Errorf("%s needs a summary and a description", alert.Alert)
		}
		if got := alert.Annotations["runbook_url"]; got != runbooks+strings.ToLower(alert.Alert) {
			t.Errorf("%s leads to %q", alert.Alert, got)
		}
	}
}
