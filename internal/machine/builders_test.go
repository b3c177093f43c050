// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

func userInfo(name string, groups ...string) authenticationv1.UserInfo {
	return authenticationv1.UserInfo{Username: name, Groups: groups}
}

// expectModes fails the test if anybody but the owner can look into the folder or read a record in it.
func expectModes(t *testing.T, folder string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other modes")
	}
	seen := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if entry.Name() != lockName && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		seen++
		return nil
	})
	if err != nil || seen < 3 {
		t.Errorf("%d files: %v", seen, err)
	}
}

const uid = "c9f3b3e4-0000-4000-8000-000000000000"

var start = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// world is a machine that is enrolled, and its cluster.
type world struct {
	*Device
	t       *testing.T
	clock   *clocktesting.FakePassiveClock // of the machine
	time    time.Time                      // of the cluster
	cluster *cluster
	folder  *Folder
	files   *brittleFiles
	said    []string
}

// brittleFiles calls step before and after each write.
type brittleFiles struct {
	OSFiles
	mu   sync.Mutex
	step func(what string) error
}

func (f *brittleFiles) Write(path string, data []byte) error {
	f.mu.Lock()
	step := f.step
	f.mu.Unlock()
	if step != nil {
		if err := step("before writing"); err != nil {
			return err
		}
	}
	if err := f.OSFiles.Write(path, data); err != nil || step == nil {
		return err
	}
	return step("after writing")
}

// fresh returns a machine that was never enrolled.
func fresh(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakePassiveClock(start), time: start, files: &brittleFiles{}}
	w.cluster = newCluster(t, func() time.Time { return w.time }, holder.Parameters{
		Version: "v1", Identity: "alice", UID: uid, Username: "alice@example.com", Groups: []string{"developers"},
		SignerName: "kubernetes.io/kube-apiserver-client", TTL: metav1.Duration{Duration: 24 * time.Hour}, Algorithm: v1alpha1.ECDSA,
	})
	w.Device = &Device{
		Store: NewStore(t.TempDir(), w.files), Keys: InFile{}, Connect: w.cluster.connect, Clock: w.clock,
		Wait: func(context.Context, time.Duration) {}, Say: func(message string) { w.said = append(w.said, message) }, busyPatience: time.Minute,
	}
	folder, err := w.Store.Folder(uid)
	if err != nil {
		t.Fatal(err)
	}
	w.folder = folder
	w.publish()
	return w
}

// enrolled returns a machine with a certificate of 24 hours.
func enrolled(t *testing.T) *world {
	t.Helper()
	w := fresh(t)
	if err := w.folder.Make(); err != nil {
		t.Fatal(err)
	}
	record := &Record{Identity: "alice", UID: uid, Device: "laptop", Source: v1alpha1.SourceHolder, Secret: Place{"identities", "alice"}, Parameters: w.cluster.wanted}
	w.issueFirst(record)
	if err := w.folder.Save(record); err != nil {
		t.Fatal(err)
	}
	return w
}

// issueFirst enrols.
func (w *world) issueFirst(record *Record) {
	w.t.Helper()
	s := &session{Device: w.Device, folder: w.folder, record: record, parameters: &record.Parameters, patience: time.Minute}
	api, err := w.cluster.connect(Target{}, Login{Token: fmt.Sprint("first ", w.cluster.calls)})
	if err != nil {
		w.t.Fatal(err)
	}
	s.api = api
	key, err := w.Keys.New(record.Parameters.PrivateKey())
	if err != nil {
		w.t.Fatal(err)
	}
	p := &Pending{Key: key}
	object, err := s.open(w.t.Context(), p, "laptop")
	if err != nil {
		w.t.Fatal(err)
	}
	object, _, err = s.await(w.t.Context(), object)
	if err != nil {
		w.t.Fatal(err)
	}
	if record.Current, err = s.adopt(w.t.Context(), p, object); err != nil {
		w.t.Fatal(err)
	}
}

// publish publishes what is wanted.
func (w *world) publish() {
	w.t.Helper()
	data, err := w.cluster.wanted.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	w.cluster.published = map[string][]byte{v1alpha1.RequestKey: data}
}

// step lets time pass, everywhere.
func (w *world) step(d time.Duration) {
	w.clock.SetTime(w.clock.Now().Add(d))
	w.time = w.time.Add(d)
}

// serve is one call of kubectl: it must get a certificate with its key, which is valid.
func (w *world) serve() (Served, string) {
	w.t.Helper()
	served, err := w.Serve(w.t.Context(), "alice", uid, nil)
	if err != nil {
		w.t.Fatalf("kubectl got no certificate: %v", err)
	}
	w.check(served)
	return served, fingerprint(served.Certificate)
}

func (w *world) check(served Served) {
	w.t.Helper()
	if _, err := tls.X509KeyPair(served.Certificate, served.Key); err != nil {
		w.t.Fatal("certificate and key are not of each other")
	}
	if leaf := parse(served.Certificate); w.time.After(leaf.NotAfter) || w.time.Before(leaf.NotBefore) {
		w.t.Fatalf("the certificate is valid from %s to %s, and it is %s", leaf.NotBefore, leaf.NotAfter, w.time)
	}
	if w.cluster.suspended != "" {
		w.t.Fatalf("the device was suspended: %s", w.cluster.suspended)
	}
}

// newest fails the test unless the machine has the device's newest certificate.
func (w *world) newest(got string) {
	w.t.Helper()
	if got != w.cluster.newest {
		w.t.Fatalf("the machine has another certificate than the newest one; it said: %q", w.said)
	}
}
