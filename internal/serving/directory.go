// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// lookAtFiles is how often files are read: they are two, and small.
const lookAtFiles = time.Second

// directory serves with files that something else keeps.
type directory struct {
	path   string
	every  time.Duration
	served atomic.Pointer[tls.Certificate]
}

// NeedLeaderElection says that every replica serves.
func (d *directory) NeedLeaderElection() bool { return false }

// GetCertificate is for tls.Config.
func (d *directory) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if served := d.served.Load(); served != nil {
		return served, nil
	}
	return nil, d.Ready()
}

// Ready returns nil where there is a certificate.
func (d *directory) Ready() error {
	if d.served.Load() == nil {
		return errors.New("there is no certificate to serve with yet in --webhook-cert-dir")
	}
	return nil
}

// Start reads the files again and again until the context ends. What cannot be read takes the place of nothing.
func (d *directory) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("webhook-certificate").WithValues("directory", d.path)
	if _, err := d.read(); err != nil {
		logger.Info("waits for a certificate in --webhook-cert-dir: without that flag it is taken from the Secret, and needs no mount")
	}
	wait.UntilWithContext(ctx, func(context.Context) {
		pair, err := d.read()
		if err != nil {
			return
		}
		before := d.served.Swap(&pair)
		if before == nil || !before.Leaf.Equal(pair.Leaf) {
			logger.Info("serving with the certificate in --webhook-cert-dir", "notAfter", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
		}
	}, d.every)
	return nil
}

func (d *directory) read() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(filepath.Join(d.path, corev1.TLSCertKey), filepath.Join(d.path, corev1.TLSPrivateKeyKey))
}
