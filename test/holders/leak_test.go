// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/leak"
)

// The private keys of all devices of a whole run are collected, and at its end they are looked for in all that is not the device.
var (
	keptMu sync.Mutex
	kept   leak.Marks
	// keptKeys is how many keys there were.
	keptKeys int
)

// keep collects the private key of a device.
func keep(device string, key crypto.Signer) {
	GinkgoHelper()
	file, err := certificate.EncodeKey(key)
	Expect(err).NotTo(HaveOccurred())
	keepFile(device, file)
}

// keepFile collects a private key in a file.
func keepFile(device string, file []byte) {
	GinkgoHelper()
	keptMu.Lock()
	defer keptMu.Unlock()
	Expect(kept.AddKey("a key of device "+device, file)).To(Succeed())
	keptKeys++
}

// keepText collects another secret.
func keepText(what, text string) {
	GinkgoHelper()
	keptMu.Lock()
	defer keptMu.Unlock()
	Expect(kept.AddText(what, text)).To(Succeed())
}

// expectNoLeak looks for the keys of all devices in every key of etcd, in every version of it that etcd has on its disk, and in all
// logs: those of the operator and of the control plane, and the audit log with what everybody sent and got. Events and statuses are
// in etcd.
func expectNoLeak() {
	By(fmt.Sprintf("looking for %d private keys of devices", keptKeys))
	if keptKeys == 0 {
		return // no spec made one
	}
	for what, data := range everything() {
		Expect(kept.In(data)).To(BeEmpty(), "in %s", what)
	}
}

// everything returns all that is written anywhere but on devices, by what it is.
func everything() map[string][]byte {
	GinkgoHelper()
	all := map[string][]byte{}
	entries, err := dump(ctx, cp.EtcdURL())
	Expect(err).NotTo(HaveOccurred())
	Expect(entries).NotTo(BeEmpty())
	for _, entry := range entries {
		all["etcd's key "+string(entry.Key)] = entry.Value
	}
	add := func(path string) {
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return // etcd has just replaced it
		}
		Expect(err).NotTo(HaveOccurred())
		all[path] = bytes.TrimRight(content, "\x00")
	}
	Expect(filepath.WalkDir(cp.Dir(), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && (strings.Contains(path, "/etcd/") || strings.Contains(path, "/logs/")) {
			add(path)
		}
		return err
	})).To(Succeed())
	Expect(all).To(HaveKey(cp.AuditLog()))
	Expect(all).To(HaveKey(cp.Log(controlplane.APIServer)))
	add(logFile)
	Expect(all[logFile]).NotTo(BeEmpty())
	return all
}

// entry is a key of etcd with its value as it is stored.
type entry struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// dump returns every key of etcd, by its JSON gateway.
func dump(ctx context.Context, etcd string) ([]entry, error) {
	// From the first possible key to the last.
	body, err := json.Marshal(map[string][]byte{"key": {0}, "range_end": {0}})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, etcd+"/v3/kv/range", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	// The answer is not quoted: it holds Secrets.
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("etcd answers %s", response.Status)
	}
	var all struct {
		Kvs []entry `json:"kvs"`
	}
	return all.Kvs, json.Unmarshal(answer, &all)
}

var _ = Describe("Private keys", func() {
	It("are found by the search for them, where the operator made them", func() {
		identity := newIdentity(uniqueName("operators"), func(identity *v1alpha1.ClientIdentity) { identity.Spec.PrivateKey.Source = v1alpha1.SourceOperator })
		create(identity)
		secret := &corev1.Secret{}
		Eventually(func(g Gomega) {
			ref := get(identity.Name).Status.SecretRef
			g.Expect(ref).NotTo(BeNil())
			g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)).To(Succeed())
		}).Should(Succeed())
		var marks leak.Marks
		Expect(marks.AddKey("the operator's key", secret.Data[v1alpha1.PrivateKeyKey])).To(Succeed())
		where := func() []string {
			var found []string
			for what, data := range everything() {
				if len(marks.In(data)) > 0 {
					found = append(found, what)
				}
			}
			return found
		}
		// etcd writes its log at once, and its database a moment later.
		Eventually(where).Should(ContainElements(
			Equal("etcd's key /registry/secrets/"+secret.Namespace+"/"+secret.Name), HaveSuffix(".wal"), HaveSuffix("/snap/db"), Equal(cp.AuditLog()),
		))
		for _, what := range where() {
			Expect(what).NotTo(Or(HaveSuffix("operator.log"), ContainSubstring("clientidentities"), ContainSubstring("/registry/events/")))
		}
	})
})
