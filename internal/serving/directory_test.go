// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"
)

func TestFilesAreServedWithOnceTheyAreThereAndFollowed(t *testing.T) {
	d := &directory{path: t.TempDir(), every: lookAtFiles / 100}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Start(ctx) }()
	if served, err := d.GetCertificate(nil); err == nil || served != nil || d.Ready() == nil {
		t.Error("serves without a certificate")
	}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(d.path, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		cert, key, err := certutil.GenerateSelfSignedCertKey("localhost", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		write(corev1.TLSPrivateKeyKey, key)
		write(corev1.TLSCertKey, cert)
		parsed := parseAll(cert)
		eventually(t, func() bool {
			served, err := d.GetCertificate(nil)
			return err == nil && bytes.Equal(served.Certificate[0], parsed[0].Raw)
		})
		write(corev1.TLSCertKey, []byte("broken"))
		if err := d.Ready(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
