// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package release tests make release and, with it, make image: what they make, that it is the same wherever it is made, and what they refuse.
package release

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// changelog has a section for the version, between others.
func changelog(version string) string {
	return fmt.Sprintf("# Changelog\n\n## [Unreleased]\n\n- Not yet.\n\n## [%s] - 2026-01-02\n\n### Added\n\n- This.\n- That.\n\n"+
		"## [0.0.1] - 2025-01-02\n\n- Long ago.\n\n[0.0.1]: https://example.com\n", strings.TrimPrefix(version, "v"))
}

// versionOf reads the version that the tree is of.
func versionOf(t *testing.T, c clone) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^VERSION := (\S+)$`).FindStringSubmatch(c.read(t, "Makefile"))
	if found == nil {
		t.Fatal("the Makefile has no line 'VERSION := ...'")
	}
	return found[1]
}

// Paths, times, permissions and the settings of who builds differ; the platform is one, since another is compiled for minutes.
func TestAReleaseIsTheSameWhereverItIsMade(t *testing.T) {
	clones := []clone{
		newClone(t, filepath.Join(t.TempDir(), "source"), 0o644, time.Now()),
		newClone(t, filepath.Join(t.TempDir(), "some", "where", "else"), 0o600, time.Unix(1500000000, 0),
			"TZ=Pacific/Auckland", "LC_ALL=C", "GOAMD64=v3", "GOFLAGS=-trimpath=false", "VERSION=v9.9.9", "MAKEFLAGS="),
	}
	version := versionOf(t, clones[0])
	made := []map[string]string{}
	for _, c := range clones {
		c.write(t, "CHANGELOG.md", changelog(version))
		c.commit(t)
		c.do(t, "make", "release", "VERSION="+version, "PLATFORMS=linux/amd64", "PLUGIN_PLATFORMS=linux/amd64")
		files := map[string]string{}
		entries, err := os.ReadDir(filepath.Join(c.folder, "dist", version))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			files[entry.Name()] = c.read(t, filepath.Join("dist", version, entry.Name()))
		}
		made = append(made, files)
		if changed := c.do(t, "git", "status", "--porcelain"); changed != "" {
			t.Errorf("it left changes in the tree:\n%s", changed)
		}
	}
	want := []string{
		"checksums.txt", "client-identity-operator-" + strings.TrimPrefix(version, "v") + ".tgz", "client-identity-operator-amd64.digest",
		"client-identity-operator-amd64.spdx.json", "client-identity-operator-amd64.tar", "clientidentity.yaml", "install.yaml",
		"kubectl-clientidentity_linux_amd64.tar.gz", "manager-linux-amd64", "release-notes.md",
	}
	for file, content := range made[0] {
		if made[1][file] != content {
			t.Errorf("%s differs", file)
		}
	}
	if got := slices.Sorted(maps.Keys(made[0])); !slices.Equal(got, want) || len(made[1]) != len(want) {
		t.Errorf("files: %v, want %v", got, want)
	}
	checkSums(t, made[0])
	checkContent(t, clones[0], version, made[0])
}

func checkSums(t *testing.T, files map[string]string) {
	t.Helper()
	want := strings.Builder{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != "checksums.txt" {
			fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256([]byte(files[name])), name)
		}
	}
	if got := files["checksums.txt"]; got != want.String() {
		t.Errorf("checksums.txt:\n%swant:\n%s", got, want.String())
	}
}

func checkContent(t *testing.T, c clone, version string, files map[string]string) {
	t.Helper()
	image := "ghcr.io/clientidentity/operator:" + version
	if !strings.Contains(files["install.yaml"], "\n        image: "+image+"\n") {
		t.Errorf("install.yaml does not run %s", image)
	}
	if !strings.HasPrefix(files["release-notes.md"], "### Added\n\n- This.\n- That.\n\nImage: `"+image+"`") ||
		!strings.Contains(files["release-notes.md"], strings.TrimSpace(files["client-identity-operator-amd64.digest"])) {
		t.Errorf("release-notes.md:\n%s", files["release-notes.md"])
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(files["kubectl-clientidentity_linux_amd64.tar.gz"])))
	for _, want := range []string{sum, "/releases/download/" + version + "/kubectl-clientidentity_linux_amd64.tar.gz", "version: " + version} {
		if !strings.Contains(files["clientidentity.yaml"], want) {
			t.Errorf("the manifest for krew lacks %q:\n%s", want, files["clientidentity.yaml"])
		}
	}
	commit := strings.TrimSpace(c.do(t, "git", "rev-parse", "HEAD"))
	said := c.do(t, filepath.Join("dist", version, "manager-linux-amd64"), "--version")
	if !strings.HasPrefix(said, version+" (revision "+commit+", go") {
		t.Errorf("the manager says it is %s, want %s of %s", said, version, commit)
	}
}

func TestAReleaseIsRefused(t *testing.T) {
	c := newClone(t, filepath.Join(t.TempDir(), "source"), 0o644, time.Now())
	version := versionOf(t, c)
	kept := changelog(version)
	for _, test := range []struct {
		name, version, changelog, want string
		change                         bool
	}{
		{name: "of what is no version", version: "1.2", changelog: kept, want: "VERSION=1.2 is no version"},
		{name: "of a version with build metadata", version: version + "+1", changelog: kept, want: "is no version"},
		{name: "of a version that the tree is not of", version: "v99.0.0", changelog: kept, want: "Chart.yaml is not of v99.0.0"},
		{name: "with changes that are not committed", version: version, changelog: kept, change: true, want: "changes that are not committed"},
		{name: "that the changelog does not know", version: version, changelog: changelog("0.0.9"), want: "CHANGELOG.md has no section"},
		{name: "that the changelog says nothing about", version: version, changelog: "## [" + version[1:] + "]\n\n## [0.0.1]\n\n- x\n", want: "or it is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if c.write(t, "CHANGELOG.md", test.changelog); c.do(t, "git", "status", "--porcelain") != "" {
				c.commit(t)
			}
			if test.change {
				c.write(t, "cmd/new.go", "package main\n")
			}
			_, err := c.try(t, "make", "release", "VERSION="+test.version)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v, want one with %q", err, test.want)
			}
			if test.change {
				c.do(t, "git", "clean", "--quiet", "--force")
			}
			if _, err := os.Stat(filepath.Join(c.folder, "dist", test.version)); err == nil {
				t.Error("it made something")
			}
		})
	}
}
