// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"
	"github.com/rogpeppe/go-internal/lockedfile"
	"k8s.io/apimachinery/pkg/types"
)

// HomeVariable is where the folders of identities are, in place of the user's data folder.
const HomeVariable = "KUBECTL_CLIENTIDENTITY_HOME"

const (
	folderName  = "kubectl-clientidentity"
	recordName  = "identity.json"
	attemptName = "attempt.json"
	lockName    = "lock"
)

// Store is the folder that has a folder for each identity.
type Store struct {
	base  string
	files Files
}

// NewStore returns the store in a folder.
func NewStore(base string, files Files) *Store { return &Store{base, files} }

// Home returns where this user's store is: $XDG_DATA_HOME/kubectl-clientidentity or what its system has in its place.
func Home(getenv func(string) string) string {
	if home := getenv(HomeVariable); home != "" {
		return home
	}
	return filepath.Join(xdg.DataHome, folderName)
}

// Folder returns the folder of an identity, which need not exist.
func (s *Store) Folder(uid types.UID) (*Folder, error) {
	if !uidPattern.MatchString(string(uid)) {
		return nil, errors.New("this is no UID of a ClientIdentity")
	}
	if !filepath.IsAbs(s.base) { // no key goes into whatever folder somebody happens to be in
		return nil, errors.New("nobody knows where keys are kept on this machine: set HOME, or " + HomeVariable + " to an absolute path")
	}
	return &Folder{filepath.Join(s.base, string(uid)), s.files}, nil
}

// Folders returns the folders that there are.
func (s *Store) Folders() ([]*Folder, error) {
	entries, err := os.ReadDir(s.base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var folders []*Folder
	for _, entry := range entries {
		if folder, err := s.Folder(types.UID(entry.Name())); err == nil && entry.IsDir() {
			folders = append(folders, folder)
		}
	}
	return folders, nil
}

// Folder is what there is of one identity.
type Folder struct {
	path  string
	files Files
}

// Path returns where it is.
func (f *Folder) Path() string { return f.path }

// Make makes the folder, which only its owner can look into.
func (f *Folder) Make() error {
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return err
	}
	return os.Chmod(f.path, 0o700) //nolint:gosec // a folder
}

// Load returns the record; fs.ErrNotExist where there is none.
func (f *Folder) Load() (*Record, error) {
	path := filepath.Join(f.path, recordName)
	data, err := f.files.Read(path, maxRecord)
	if err != nil {
		return nil, fmt.Errorf("read the certificate and key of this machine: %w", err)
	}
	record, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return record, nil
}

// Save replaces the record.
func (f *Folder) Save(record *Record) error {
	data, err := record.encode()
	if err != nil {
		return err
	}
	f.sweep()
	if err := f.files.Write(filepath.Join(f.path, recordName), data); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(f.path, recordName), err)
	}
	return nil
}

// sweep removes what a killed process left of a record: there is a key in it. It is called under the lock.
func (f *Folder) sweep() {
	left, err := filepath.Glob(filepath.Join(f.path, temporary(recordName)))
	if err != nil {
		return
	}
	for _, path := range left {
		_ = os.Remove(path) // the next one tries again
	}
}

// Attempt is what is remembered of attempts that came to nothing. Losing it costs nothing but time.
type Attempt struct {
	// Failures are those in a row, and Next is when to try again.
	Failures int       `json:"failures,omitempty"`
	Next     time.Time `json:"next,omitzero"`
	// Accepted is the fingerprint of the credential that the API server took then, whatever the clock of this machine says.
	Accepted string `json:"accepted,omitempty"`
	// Reason is that of the condition of a request that was denied.
	Reason string `json:"reason,omitempty"`
	// Said is what was told last, and SaidAt when.
	Said   string    `json:"said,omitempty"`
	SaidAt time.Time `json:"saidAt,omitzero"`
}

// Attempt returns what is remembered of attempts.
func (f *Folder) Attempt() Attempt {
	attempt := Attempt{}
	data, err := f.files.Read(filepath.Join(f.path, attemptName), maxRecord)
	if err != nil || json.Unmarshal(data, &attempt) != nil {
		return Attempt{}
	}
	return attempt
}

// Remember keeps an attempt, if it can.
func (f *Folder) Remember(attempt Attempt) {
	if data, err := json.Marshal(attempt); err == nil {
		_ = f.files.Write(filepath.Join(f.path, attemptName), data) // see Attempt
	}
}

// errBusy means that another process renews.
var errBusy = errors.New("another process of this machine asks for a certificate at this moment")

// Lock waits until no other process works on the identity, until ctx ends or the time is over: errBusy.
func (f *Folder) Lock(ctx context.Context, timeout time.Duration) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type result struct {
		unlock func()
		err    error
	}
	done := make(chan result)
	go func() { // the library waits for ever
		unlock, err := lockedfile.MutexAt(filepath.Join(f.path, lockName)).Lock()
		select {
		case done <- result{unlock, err}:
		case <-ctx.Done():
			if err == nil {
				unlock()
			}
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("lock %s: %w", f.path, r.err)
		}
		return r.unlock, nil
	case <-ctx.Done():
		return nil, errBusy
	}
}
