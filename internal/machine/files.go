// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Files is what is done to files.
type Files interface {
	// Read returns a file of at most limit bytes.
	Read(path string, limit int64) ([]byte, error)
	// Write replaces a file as a whole, so that a crash or a full disk leaves the one before; only its owner can read it.
	Write(path string, data []byte) error
}

// OSFiles are those of the operating system.
type OSFiles struct{}

// Read returns a file of at most limit bytes.
func (OSFiles) Read(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the path is the user's own
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, err
}

// Write replaces a file: a new one beside it, on disk to the last byte, takes its name. It is the same on Windows, where renameio
// has nothing that is atomic.
func (OSFiles) Write(path string, data []byte) error { return Replace(path, data, 0o600) }

// Replace writes a file under another name and renames it.
func Replace(path string, data []byte, mode fs.FileMode) error {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, temporary(filepath.Base(path))) // only its owner can read it
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil && mode != 0o600 && runtime.GOOS != "windows" {
		err = file.Chmod(mode)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncFolder(folder)
}

// temporary returns the pattern of the names that a file has before its own.
func temporary(name string) string { return "." + name + ".tmp-*" }

// syncFolder makes a new name last. Windows has no such thing, and needs none.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	opened, err := os.Open(folder) //nolint:gosec // the path is the user's own
	if err != nil {
		return nil //nolint:nilerr // the file is in place; a folder that cannot be opened is no reason to take it back
	}
	_ = opened.Sync() // some file systems cannot
	return opened.Close()
}
