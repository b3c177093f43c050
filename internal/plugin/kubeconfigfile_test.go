// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/internal/kubeconfig"
)

var mergedParameters = kubeconfig.Parameters{Server: "https://api.example.com:6443", ClusterName: "prod", ContextName: "alice@prod"}

// mergeInto merges an identity as a command with these flags does.
func mergeInto(t *testing.T, m merging, explicit string) (string, error) {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	*flags.KubeConfig = explicit
	return m.write(&Env{Flags: flags}, mergedParameters, kubeconfig.ExecUser("alice", "c9f3b3e4-0000-4000-8000-000000000000"))
}

func writeKubeconfig(t *testing.T, path, context string, mode os.FileMode) {
	t.Helper()
	c := clientcmdapi.NewConfig()
	c.Clusters[context] = &clientcmdapi.Cluster{Server: "https://" + context, CertificateAuthority: "relative/ca.pem"}
	c.AuthInfos[context] = &clientcmdapi.AuthInfo{Token: "t0ken"}
	c.Contexts[context] = &clientcmdapi.Context{Cluster: context, AuthInfo: context}
	c.CurrentContext = context
	data, err := clientcmd.Write(*c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}

func contextsOf(t *testing.T, path string) string {
	t.Helper()
	c, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal("the kubeconfig cannot be read")
	}
	return strings.Join(keys(c.Contexts), " ")
}

func TestMergesWhereKubectlWouldWrite(t *testing.T) {
	dir := t.TempDir()
	first, second, third := filepath.Join(dir, "first"), filepath.Join(dir, "second"), filepath.Join(dir, "third")
	writeKubeconfig(t, second, "work", 0o600)
	t.Setenv("KUBECONFIG", first+string(os.PathListSeparator)+second)

	if path, err := mergeInto(t, merging{}, ""); err != nil || path != second {
		t.Errorf("KUBECONFIG: %s: %v", path, err)
	}
	if got := contextsOf(t, second); got != "alice@prod work" {
		t.Errorf("it has the contexts %s", got)
	}
	writeKubeconfig(t, first, "home", 0o600)
	if path, err := mergeInto(t, merging{}, ""); err != nil || path != second {
		t.Errorf("a context that stands in another file already: %s: %v", path, err)
	}
	if path, err := mergeInto(t, merging{}, third); err != nil || path != third {
		t.Errorf("--kubeconfig: %s: %v", path, err)
	}
	fresh := filepath.Join(dir, "a", "b", "new")
	if path, err := mergeInto(t, merging{into: fresh}, third); err != nil || path != fresh || contextsOf(t, fresh) != "alice@prod" {
		t.Errorf("--merge-into: %s: %v", path, err)
	}
}

func TestMergingKeepsModeLinksAndPaths(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other modes")
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "config"), filepath.Join(dir, "link")
	writeKubeconfig(t, file, "work", 0o640)
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if _, err := mergeInto(t, merging{into: link}, ""); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v", err)
	}
	info, err = os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v: %v", info.Mode(), err)
	}
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), "certificate-authority: relative/ca.pem") {
		t.Error("a relative path was changed")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%d files are left: %v", len(entries), err)
	}
}

func TestANewKubeconfigIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other modes")
	}
	path, err := mergeInto(t, merging{into: filepath.Join(t.TempDir(), "config")}, "")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", info.Mode(), err)
	}
}

func TestADamagedKubeconfigIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	const content = "users: [{name: a, user: {token: s3cr3t"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := mergeInto(t, merging{into: path}, "")
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != content {
		t.Error("it was changed")
	}
}

func TestALockThatAKilledProcessLeftDoesNotStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	lock := path + lockSuffix
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * lockIsStale)
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := mergeInto(t, merging{into: path}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lock); err == nil {
		t.Error("the lock is there still")
	}
}

func TestAKubeconfigWithAKeyIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other modes")
	}
	path := filepath.Join(t.TempDir(), "config")
	writeKubeconfig(t, path, "work", 0o644)
	m := merging{into: path}
	user := &clientcmdapi.AuthInfo{ClientCertificateData: []byte("certificate"), ClientKeyData: []byte("key")}
	if _, err := m.write(&Env{Flags: genericclioptions.NewConfigFlags(true)}, mergedParameters, user); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v: %v", info.Mode(), err)
	}
}
