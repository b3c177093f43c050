// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	cgroupRoot   = "/sys/fs/cgroup"
	cgroup2Magic = 0x63677270 // CGROUP2_SUPER_MAGIC
	removalBound = 10 * time.Second
)

// cgroup is the parent of all pods' cgroups: one directory on version 2, one for each controller on version 1. With
// the controllers that version 2 has enabled for it, which stay so, it is the only thing that is seen outside of the namespaces.
type cgroup struct{ name string }

// makeCgroup makes it, named after this process. What it made is returned with an error, too.
func makeCgroup() (cgroup, error) {
	group := cgroup{name: prefix + strconv.Itoa(os.Getpid())}
	parents, err := cgroupParents()
	if err != nil {
		return group, err
	}
	for _, parent := range parents {
		dir := filepath.Join(parent, group.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return group, fmt.Errorf("make a cgroup for the node: %w", err)
		}
		// On version 1 a new cpuset has no CPU, unless it says which.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			own, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil || strings.TrimSpace(string(own)) != "" || unified() {
				continue
			}
			content, err := os.ReadFile(filepath.Join(parent, file))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file), content, 0o644)
			}
			if err != nil {
				return group, fmt.Errorf("give the node CPUs: %w", err)
			}
		}
	}
	return group, nil
}

// unified says whether cgroups are of version 2, as runc and the kubelet tell.
func unified() bool {
	var mounted syscall.Statfs_t
	return syscall.Statfs(cgroupRoot, &mounted) == nil && mounted.Type == cgroup2Magic
}

// cgroupParents are the directories to make a cgroup in.
func cgroupParents() ([]string, error) {
	if unified() {
		return []string{cgroupRoot}, enableControllers()
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup" && filepath.Dir(fields[1]) == cgroupRoot {
			dirs = append(dirs, fields[1])
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no cgroups are mounted below %s", cgroupRoot)
	}
	return dirs, nil
}

// enableControllers lets cgroups below the root of version 2 limit what pods use.
func enableControllers() error {
	file := filepath.Join(cgroupRoot, "cgroup.subtree_control")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	enabled := strings.Fields(string(content))
	for _, controller := range []string{"cpu", "cpuset", "memory", "pids"} {
		if slices.Contains(enabled, controller) {
			continue
		}
		if err := os.WriteFile(file, []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("enable the cgroup controller %s (in a container, its processes must not be in the root of its cgroups): %w", controller, err)
		}
	}
	return nil
}

// remove removes the cgroup, that of the same name that runc makes where version 2 is mounted beside version 1, and those below
// them. Their processes have ended, but the kernel may still be about to let them go.
func (g cgroup) remove() error {
	var errs []error
	for _, dir := range allCgroups(g.name) {
		err := removeTree(dir)
		for deadline := time.Now().Add(removalBound); errors.Is(err, syscall.EBUSY) && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
			err = removeTree(dir)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// allCgroups are the directories of those with a name.
func allCgroups(pattern string) []string {
	dirs, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", pattern)) // the pattern is well formed
	more, _ := filepath.Glob(filepath.Join(cgroupRoot, pattern))
	return append(dirs, more...)
}

// removeTree removes a directory of cgroups. The files in it go with it, and cannot be removed.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}
