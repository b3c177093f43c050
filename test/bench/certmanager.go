// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/bench/result"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

const (
	// certManagerName is that of its namespace, its account and its issuer.
	certManagerName = "cert-manager"
	// certificatesIn is where Certificates and their Secrets are.
	certificatesIn = "bench-certificates"
)

// certManager is cert-manager with a CA issuer, in a process of its own: of each identity it makes what it can, a certificate and a
// key of the same kind in a Secret. Nobody approves, nothing is proven, no role is bound.
type certManager struct {
	*world
	process
	// folder has what make cert-manager builds.
	folder    string
	installed bool
	certs     *certificates
}

func newCertManager(w *world) *certManager {
	return &certManager{world: w, folder: os.Getenv("CERT_MANAGER")}
}

func (c *certManager) name() result.Subject { return result.CertManager }

func (c *certManager) phases() []result.Phase {
	return []result.Phase{result.Alone, result.Issue, result.Quiet, result.Delete}
}

func (c *certManager) memory(context.Context) (m memory, err error) {
	m.resident, m.peak = memoryOf(c.pid())
	return m, nil
}

// start installs it the first time, and returns when it has issued a certificate.
func (c *certManager) start(ctx context.Context) error {
	if !c.installed {
		if err := c.install(ctx); err != nil {
			return fmt.Errorf("install cert-manager: %w", err)
		}
		c.installed = true
	}
	kubeconfig := filepath.Join(c.cp.Dir(), "cert-manager.kubeconfig")
	connection, err := c.account(ctx)
	if err != nil {
		return err
	}
	if err := operator.WriteKubeconfig(kubeconfig, connection); err != nil {
		return err
	}
	c.path, c.log = filepath.Join(c.folder, "controller"), filepath.Join(c.cp.Dir(), "cert-manager.log")
	c.args = []string{"-kubeconfig=" + kubeconfig, fmt.Sprintf("-workers=%d", c.Workers)}
	if err := c.process.start(); err != nil {
		return err
	}
	return c.first(ctx)
}

// first waits until a certificate is issued, and removes it.
func (c *certManager) first(ctx context.Context) error {
	b := &batch{prefix: "first", count: 1, workers: 1, stopwatch: newStopwatch(1, time.Now)}
	ctx, cancel := context.WithTimeoutCause(ctx, readyBound, fmt.Errorf("no certificate within %s", readyBound))
	defer cancel()
	if err := c.carryOut(ctx, result.Alone, b); err != nil {
		return err
	}
	return c.clear(ctx, b)
}

func (c *certManager) stop(context.Context) error { return c.process.stop() }

// install installs its CRDs and an issuer whose CA has a key of the kind that the signer of the control plane has.
func (c *certManager) install(ctx context.Context) error {
	if c.folder == "" {
		return errors.New("the environment variable CERT_MANAGER does not say where it is, as make bench does")
	}
	if _, err := operator.Kubectl(ctx, c.cp, nil, "apply", "--server-side", "-f", filepath.Join(c.folder, "crds")); err != nil {
		return err
	}
	if _, err := operator.Kubectl(ctx, c.cp, nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=1m"); err != nil {
		return err
	}
	ca, err := controlplane.NewCA(certManagerName, 365*24*time.Hour)
	if err != nil {
		return err
	}
	key, err := ca.KeyPEM()
	if err != nil {
		return err
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: certManagerName}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: certificatesIn}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: certManagerName, Name: certManagerName}},
		&rbacv1.ClusterRoleBinding{ // rights cost it nothing
			ObjectMeta: metav1.ObjectMeta{Name: certManagerName},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: certManagerName, Name: certManagerName}},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: certificatesIn, Name: certManagerName},
			Type:       corev1.SecretTypeTLS,
			Data:       map[string][]byte{corev1.TLSCertKey: ca.CertPEM(), corev1.TLSPrivateKeyKey: key},
		},
		ofKind(issuerKind, certManagerName, map[string]any{"ca": map[string]any{"secretName": certManagerName}}),
	} {
		if err := c.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	// The garbage collector looks for new kinds of owners at its start, and then only every half a minute.
	if err := c.cp.RestartComponent(ctx, controlplane.ControllerManager); err != nil {
		return err
	}
	c.certs, err = watchCertificates(ctx, c.admin)
	return err
}

// account returns a connection as its ServiceAccount.
func (c *certManager) account(ctx context.Context) (*rest.Config, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: certManagerName, Name: certManagerName}}
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](12 * 3600)}}
	if err := c.admin.SubResource("token").Create(ctx, account, token); err != nil {
		return nil, err
	}
	connection := rest.AnonymousClientConfig(c.cp.Config())
	connection.BearerToken = token.Status.Token
	return connection, nil
}

func (c *certManager) carryOut(ctx context.Context, phase result.Phase, b *batch) error {
	var err error
	switch phase {
	case result.Alone, result.Issue:
		c.certs.expect(b, certificateIsReady)
		err = inParallel(b.workers, b.count, func(i int) error {
			b.begin(i)
			if err := c.admin.Create(ctx, newCertificate(b.nameOf(i))); err != nil || b.workers > 1 {
				return err
			}
			return b.wait(ctx, i)
		})
	case result.Quiet:
		err = pause(ctx, c.quiet)
	case result.Delete:
		c.certs.expect(b, isGone)
		err = c.delete(ctx, b, b.begin)
	default:
		err = fmt.Errorf("cert-manager does not know the phase %s", phase)
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w\nthe end of its log:\n%s", err, c.tail())
	}
	return err
}

// clear deletes what is left of a batch, which nobody waits for any more.
func (c *certManager) clear(ctx context.Context, b *batch) error {
	c.certs.rest()
	return c.delete(ctx, b, func(int) {})
}

// delete deletes Certificates, and waits until nothing of them is left.
func (c *certManager) delete(ctx context.Context, b *batch, before func(i int)) error {
	err := inParallel(b.workers, b.count, func(i int) error {
		before(i)
		return client.IgnoreNotFound(c.admin.Delete(ctx, ofKind(certificateKind, b.nameOf(i), nil)))
	})
	if err != nil {
		return err
	}
	return untilNoneIsLeft(ctx, c.admin)
}
