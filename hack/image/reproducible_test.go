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
	"time"
)

// The source is built by make in two places that differ in path, time, permissions, and the settings of whoever builds.
func TestTheSameSourceMakesTheSameBytes(t *testing.T) {
	first := filepath.Join(t.TempDir(), "source")
	copySource(t, first, 0o644, time.Now())
	makeImage(t, first)

	second := filepath.Join(t.TempDir(), "some", "where", "else")
	copySource(t, second, 0o600, time.Unix(1500000000, 0))
	makeImage(t, second, "TZ=Pacific/Auckland", "LC_ALL=C", "GOAMD64=v3", "GOFLAGS=-trimpath=false", "CGO_ENABLED=1", "VERSION=v9.9.9")

	for _, file := range []string{"manager-linux-amd64", product + "-amd64.tar", product + "-amd64.digest", product + "-amd64.spdx.json"} {
		one, another := written(t, first, "dist/"+file), written(t, second, "dist/"+file)
		if !bytes.Equal(one, another) {
			t.Errorf("%s differs: %d and %d bytes", file, len(one), len(another))
		}
	}
}

// copySource copies what git knows of the repository: as it is, committed or not.
func copySource(t *testing.T, folder string, mode os.FileMode, modified time.Time) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ":!bin")
	list.Dir = "../.."
	files, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(list.Dir, file))
		if os.IsNotExist(err) {
			continue // deleted, and git has not been told
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
}

func makeImage(t *testing.T, folder string, environment ...string) {
	t.Helper()
	build := exec.Command("make", "image", "PLATFORMS=linux/amd64", "REVISION="+revision, "SOURCE_DATE_EPOCH="+created)
	build.Dir = folder
	build.Env = append(os.Environ(), environment...)
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, said)
	}
}
