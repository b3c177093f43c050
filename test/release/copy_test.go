// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clientidentity/operator/test/operator"
)

// clone is a repository with one commit, of this one's files as they are now.
type clone struct {
	folder string
	// settings are the environment of who works in it.
	settings []string
}

// newClone makes a clone whose commit, by files, author and time, is that of every other with these files. Its files are as old,
// and may be read by as many, as the caller says.
func newClone(t *testing.T, folder string, permissions os.FileMode, modified time.Time, settings ...string) clone {
	t.Helper()
	root, err := operator.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	c := clone{folder, append([]string{
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com",
	}, settings...)}
	list := clone{folder: root}.do(t, "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ":!bin")
	for file := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		c.copy(t, root, file, permissions, modified)
	}
	c.do(t, "git", "init", "--quiet")
	// The tools are built once.
	c.write(t, ".git/info/exclude", "/bin\n")
	if err := os.Symlink(filepath.Join(root, "bin"), filepath.Join(folder, "bin")); err != nil {
		t.Fatal(err)
	}
	c.commit(t)
	return c
}

func (c clone) copy(t *testing.T, root, file string, permissions os.FileMode, modified time.Time) {
	t.Helper()
	info, err := os.Stat(filepath.Join(root, file))
	if os.IsNotExist(err) {
		return // deleted, and git has not been told
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.folder, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, permissions|info.Mode()&0o100); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, modified, modified); err != nil {
		t.Fatal(err)
	}
}

func (c clone) write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, file), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c clone) read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.folder, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func (c clone) commit(t *testing.T) {
	t.Helper()
	c.do(t, "git", "add", "--all")
	c.do(t, "git", "commit", "--quiet", "--message=state")
}

// try runs a command and returns what it printed; the error has what it complained of.
func (c clone) try(t *testing.T, name string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir, command.Env = c.folder, append(os.Environ(), c.settings...)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(arguments, " "), err, out, &problems)
	}
	return string(out), err
}

func (c clone) do(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	out, err := c.try(t, name, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
