// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ownDirs are empty in the namespaces, and gone with them: the node's programs write to them, whatever they are told.
var ownDirs = []string{"/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet"}

// kernelSettings are those that a kubelet sets, for the whole machine: it gets files of its own, which say that they are set.
var kernelSettings = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// makeMountPoints makes those of ownDirs that are not there, and returns them.
func makeMountPoints() ([]string, error) {
	var made []string
	for _, dir := range ownDirs {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return made, err
		}
		made = append(made, dir)
	}
	return made, nil
}

func removeAll(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(errs...)
}

// prepareMachine makes the namespaces of this process, which is the first one in them, a machine for a node: with files, network,
// and name of its own. The directory is where the node keeps everything: memory, so that it is gone with the namespaces.
func prepareMachine(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts in the namespace: %w", err)
	}
	// What the kubelet mounts for pods must reach containerd, and the other way round.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts within the namespace: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, own := range append([]string{dir}, ownDirs...) {
		if err := syscall.Mount("tmpfs", own, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount %s: %w", own, err)
		}
		if err := syscall.Mount("", own, "", syscall.MS_SHARED, ""); err != nil {
			return fmt.Errorf("share %s: %w", own, err)
		}
	}
	for setting, value := range kernelSettings {
		own := filepath.Join(dir, "kernel", setting)
		if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(own, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(own, "/proc/sys/"+setting, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("keep %s in the namespace: %w", setting, err)
		}
	}
	if err := syscall.Sethostname([]byte(NodeName)); err != nil {
		return err
	}
	return prepareNetwork()
}
