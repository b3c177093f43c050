// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// machine is a device with kubectl and the plugin, and nothing else but what they write: no right, no token, no kubeconfig.
type machine struct {
	name, home string

	mu   sync.Mutex
	kept map[string]bool
}

func newMachine(name string) *machine {
	GinkgoHelper()
	return &machine{name: name, home: GinkgoT().TempDir(), kept: map[string]bool{}}
}

// environment is all that its processes know.
func (m *machine) environment() []string {
	return []string{"HOME=" + m.home, "PATH=" + filepath.Dir(plugin) + string(os.PathListSeparator) + filepath.Dir(cp.Kubectl()), "TMPDIR=" + m.home}
}

// kubeconfig is the path of its kubeconfig.
func (m *machine) kubeconfig() string { return filepath.Join(m.home, ".kube", "config") }

// process returns a process that is not started yet, and what it will have printed.
func (m *machine) process(ctx context.Context, name string, args ...string) (cmd *exec.Cmd, out, problems *bytes.Buffer) {
	cmd = exec.CommandContext(ctx, name, args...)
	out, problems = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = m.environment(), m.home, out, problems
	return cmd, out, problems
}

// kubectl runs kubectl, which finds the plugin by itself, and returns what it prints.
func (m *machine) kubectl(args ...string) (string, error) { return m.kubectlWith("", args...) }

func (m *machine) kubectlWith(input string, args ...string) (string, error) {
	cmd, out, problems := m.process(ctx, cp.Kubectl(), args...)
	cmd.Stdin = strings.NewReader(input)
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// enrol takes an invitation, as a person does: from a terminal into which it is pasted.
func (m *machine) enrol(invitation string) {
	GinkgoHelper()
	_, err := m.kubectlWith(invitation+"\n", "clientidentity", "enroll", "-", "--device", m.name)
	Expect(err).NotTo(HaveOccurred())
	m.keepKeys()
}

// inUse returns the fingerprint of the certificate that kubectl is given now, as the API server sees it.
func (m *machine) inUse() (string, error) {
	out, err := m.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.extra.authentication\\.kubernetes\\.io/credential-id[0]}")
	m.keepKeys()
	return strings.TrimPrefix(out, "X509SHA256="), err
}

// credentialCommand returns how kubectl asks the plugin for a credential: arguments and environment.
func (m *machine) credentialCommand() (args, env []string) {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(m.kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	current := config.Contexts[config.CurrentContext]
	cluster, user := config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo]
	Expect(user.Exec).NotTo(BeNil())
	Expect(user.Exec.Command).To(Equal("kubectl-clientidentity"))
	info, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"spec": map[string]any{"interactive": false, "cluster": map[string]any{
			"server": cluster.Server, "certificate-authority-data": cluster.CertificateAuthorityData, "tls-server-name": cluster.TLSServerName,
		}},
	})
	Expect(err).NotTo(HaveOccurred())
	return user.Exec.Args, []string{"KUBERNETES_EXEC_INFO=" + string(info)}
}

// hasNoKey checks that nobody has a key by the kubeconfig alone.
func (m *machine) hasNoKey() {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(m.kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	for _, user := range config.AuthInfos {
		Expect(*user).To(Equal(clientcmdapi.AuthInfo{Exec: user.Exec, LocationOfOrigin: user.LocationOfOrigin, Extensions: user.Extensions}))
	}
}

// keepKeys collects the private keys that are on the machine now, and checks that nobody else can read them.
func (m *machine) keepKeys() {
	GinkgoHelper()
	m.mu.Lock()
	defer m.mu.Unlock()
	Expect(filepath.WalkDir(m.home, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // a file that was replaced
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, key := range keysIn(content) {
			if info, err := entry.Info(); err == nil {
				Expect(info.Mode().Perm()).To(Equal(fs.FileMode(0o600)), path)
			}
			sum := sha256.Sum256(key)
			if id := hex.EncodeToString(sum[:]); !m.kept[id] {
				m.kept[id] = true
				keepFile(m.name, key)
			}
		}
		return nil
	})).To(Succeed())
}

// keys is how many keys the machine has made so far, as far as they were seen.
func (m *machine) keys() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.kept)
}

// keysIn returns the private keys in a file, which has them as they are or in the texts of a JSON object.
func keysIn(content []byte) [][]byte {
	texts := []string{string(content)}
	var value any
	if json.Unmarshal(content, &value) == nil {
		texts = textsIn(value)
	}
	var keys [][]byte
	for _, text := range texts {
		const begin, end = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
		for {
			_, after, found := strings.Cut(text, begin)
			body, rest, complete := strings.Cut(after, end)
			if !found || !complete {
				break
			}
			keys, text = append(keys, []byte(begin+body+end+"\n")), rest
		}
	}
	return keys
}

// textsIn returns all texts in a JSON value.
func textsIn(value any) []string {
	var texts []string
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, element := range v {
			texts = slices.Concat(texts, textsIn(element))
		}
	case map[string]any:
		for _, element := range v {
			texts = slices.Concat(texts, textsIn(element))
		}
	}
	return texts
}

// administrator is a machine of somebody who may do everything.
func administrator() *machine {
	GinkgoHelper()
	m := newMachine("administrator")
	content, err := os.ReadFile(cp.Kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	Expect(os.MkdirAll(filepath.Dir(m.kubeconfig()), 0o700)).To(Succeed())
	Expect(os.WriteFile(m.kubeconfig(), content, 0o600)).To(Succeed())
	return m
}

// invitation returns an invitation, as somebody gets it who may invite. It is not to be printed.
func invitation(identity *v1alpha1.ClientIdentity) string {
	GinkgoHelper()
	out, err := administrator().kubectl("clientidentity", "invite", identity.Name)
	Expect(err).NotTo(HaveOccurred())
	out = strings.TrimSpace(out)
	keepText("an invitation", out)
	return out
}
