// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var platforms = []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64", "windows-arm64"}

// packed packs a stand-in for each platform, and returns the folder with the archives and the manifest.
func packed(t *testing.T) string {
	t.Helper()
	dist := t.TempDir()
	license := filepath.Join(dist, "..", "license")
	write(t, license, "a license\n")
	arguments := []string{"-dist", dist, "-version", "v1.2.3", "-license", license, "-created", "1700000000"}
	for _, platform := range platforms {
		path := filepath.Join(t.TempDir(), platform, "kubectl-clientidentity")
		if strings.HasPrefix(platform, "windows") {
			path += ".exe"
		}
		write(t, path, "the program for "+platform)
		arguments = append(arguments, path)
	}
	if err := run(arguments); err != nil {
		t.Fatal(err)
	}
	return dist
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tool runs a program of krew's.
func tool(t *testing.T, settings []string, arguments ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool"}, arguments...)...)
	cmd.Env = append(os.Environ(), settings...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

func TestKrewTakesTheManifest(t *testing.T) {
	tool(t, nil, "validate-krew-manifest", "-skip-install", "-manifest", filepath.Join(packed(t), "clientidentity.yaml"))
}

func TestKrewInstallsTheArchiveOfEachPlatform(t *testing.T) {
	dist := packed(t)
	for _, platform := range platforms {
		t.Run(platform, func(t *testing.T) {
			system, architecture, _ := strings.Cut(platform, "-")
			root, extension, binary := t.TempDir(), ".tar.gz", "kubectl-clientidentity"
			if system == "windows" {
				extension, binary = ".zip", binary+".exe"
			}
			tool(t, []string{"KREW_ROOT=" + root, "KREW_OS=" + system, "KREW_ARCH=" + architecture}, "krew", "install",
				"--manifest", filepath.Join(dist, "clientidentity.yaml"), "--archive", filepath.Join(dist, "kubectl-clientidentity_"+system+"_"+architecture+extension))
			folder := filepath.Join(root, "store", "clientidentity", "v1.2.3")
			for name, want := range map[string]string{binary: "the program for " + platform, "LICENSE": "a license\n"} {
				if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", name, got, err)
				}
			}
			info, err := os.Stat(filepath.Join(folder, binary))
			if err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%s cannot be executed: %v", binary, err)
			}
		})
	}
}

func TestTheSameBinariesMakeTheSameArchives(t *testing.T) {
	first, second := packed(t), packed(t)
	entries, err := os.ReadDir(first)
	if err != nil || len(entries) != len(platforms)+1 {
		t.Fatalf("%d files were made: %v", len(entries), err)
	}
	for _, entry := range entries {
		a, err := os.ReadFile(filepath.Join(first, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(second, entry.Name())); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v", entry.Name(), err)
		}
	}
}
