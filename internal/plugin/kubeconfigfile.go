// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/machine"
)

// kubectl locks a kubeconfig with a file beside it, which a killed process leaves behind.
const (
	lockSuffix  = ".lock"
	lockPause   = 50 * time.Millisecond
	lockTries   = 100
	lockIsStale = time.Minute
)

// maxKubeconfig bounds, in bytes, a kubeconfig that is read.
const maxKubeconfig = 64 << 20

// merging are the flags of commands that write kubeconfigs.
type merging struct {
	into, contextName string
	overwrite, use    bool
	// pinned lets contexts go on pointing where they do.
	pinned bool
}

func (m *merging) addTo(cmd *cobra.Command, whereDefault string) {
	cmd.Flags().StringVar(&m.into, "merge-into", "", "The kubeconfig to merge it into, which is made if there is none. "+whereDefault)
	cmd.Flags().StringVar(&m.contextName, "context-name", "", "Name of the context and of the user in the kubeconfig, in place of the one that spec.kubeconfig says.")
	cmd.Flags().BoolVar(&m.overwrite, "overwrite", false, "Replace a context, user or cluster of the same name, although it is not of this identity, or points to another server or CA.")
	cmd.Flags().BoolVar(&m.use, "use", false, "Make it the current context. Without, it becomes that only where there is none.")
}

// paths returns which kubeconfigs there are: as kubectl finds them, or the one to merge into.
func (m *merging) paths(env *Env) *clientcmd.PathOptions {
	paths := clientcmd.NewDefaultPathOptions()
	if env.Flags.KubeConfig != nil {
		paths.LoadingRules.ExplicitPath = *env.Flags.KubeConfig
	}
	if m.into != "" {
		paths.LoadingRules.ExplicitPath = m.into
	}
	return paths
}

// write merges a context into a kubeconfig, and returns where.
func (m *merging) write(env *Env, p kubeconfig.Parameters, user *clientcmdapi.AuthInfo) (path string, err error) {
	paths := m.paths(env)
	all, err := loadAll(paths)
	if err != nil {
		return "", err
	}
	path = paths.GetDefaultFilename()
	if context := all.Contexts[p.ContextName]; context != nil && context.LocationOfOrigin != "" {
		path = context.LocationOfOrigin // it is replaced where it is
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	unlock, err := lockKubeconfig(path)
	if err != nil {
		return "", err
	}
	defer unlock()
	if all, err = loadAll(paths); err != nil {
		return "", err
	}
	file, mode, err := loadOne(path)
	if err != nil {
		return "", err
	}
	if err := kubeconfig.Merge(file, all, kubeconfig.Merging{Parameters: p, User: user, Overwrite: m.overwrite, Use: m.use, Pinned: m.pinned}); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	data, err := clientcmd.Write(*file)
	if err != nil {
		return "", errors.New("the kubeconfig cannot be encoded")
	}
	if len(user.ClientKeyData) > 0 {
		mode &= 0o600 // there was none in it that others may read
	}
	target, err := filepath.EvalSymlinks(path) // a link stays one
	if errors.Is(err, fs.ErrNotExist) {
		target, err = path, nil
	}
	if err != nil {
		return "", err
	}
	return path, machine.Replace(target, data, mode)
}

// check returns what would keep a context from being merged.
func (m *merging) check(env *Env, p kubeconfig.Parameters, user *clientcmdapi.AuthInfo) error {
	paths := m.paths(env)
	all, err := loadAll(paths)
	if err != nil {
		return err
	}
	if err := kubeconfig.Merge(all.DeepCopy(), all, kubeconfig.Merging{Parameters: p, User: user, Overwrite: m.overwrite, Pinned: m.pinned}); err != nil {
		return fmt.Errorf("%s: %w", paths.GetDefaultFilename(), err)
	}
	return nil
}

// loadAll returns what clients read of all kubeconfigs.
func loadAll(paths *clientcmd.PathOptions) (*clientcmdapi.Config, error) {
	all, err := paths.GetStartingConfig()
	if err != nil {
		return nil, errUnreadableKubeconfig(paths.GetDefaultFilename())
	}
	return all, nil
}

// loadOne returns one kubeconfig as it stands, and who may read it; an empty one where there is none.
func loadOne(path string) (*clientcmdapi.Config, fs.FileMode, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return clientcmdapi.NewConfig(), 0o600, nil
	} else if err != nil {
		return nil, 0, err
	}
	data, err := machine.OSFiles{}.Read(path, maxKubeconfig)
	if err != nil {
		return nil, 0, err
	}
	file, err := clientcmd.Load(data)
	if err != nil {
		return nil, 0, errUnreadableKubeconfig(path)
	}
	return file, info.Mode().Perm(), nil
}

// errUnreadableKubeconfig drops what clientcmd says: it quotes the content, keys included.
func errUnreadableKubeconfig(path string) error {
	return fmt.Errorf("%s, or another file of KUBECONFIG, is no kubeconfig that can be read: mend it, or choose another file with --merge-into", path)
}

// lockKubeconfig keeps kubectl from writing the file meanwhile.
func lockKubeconfig(path string) (unlock func(), err error) {
	lock := path + lockSuffix
	for range lockTries {
		file, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0) //nolint:gosec // beside the user's own file
		if err == nil {
			_ = file.Close()
			return func() { _ = os.Remove(lock) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if info, err := os.Stat(lock); err == nil && time.Since(info.ModTime()) > lockIsStale { //nolint:forbidigo // the age of a file on this machine
			_ = os.Remove(lock)
		}
		time.Sleep(lockPause) //nolint:forbidigo // another process works for some milliseconds
	}
	return nil, fmt.Errorf("%s is there: another process writes the kubeconfig, or was killed while it did; remove it in that case", lock)
}
