// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/proof"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

var secretList = corev1.SchemeGroupVersion.WithKind("SecretList")

// connectionOf returns an administrator's connection without a limit of its own.
func connectionOf(cp *controlplane.ControlPlane) *rest.Config {
	config := cp.Config()
	config.QPS = -1
	return config
}

// bareClient does for each identity what the operator does, and nothing else.
type bareClient struct {
	client.WithWatch
	prover proof.Prover
	mu     sync.Mutex
	signed map[string]chan []byte
}

// bare measures the time that a bare client needs for the same reads and writes, and deletes the identities.
func (b *bench) bare(ctx context.Context, prefix string, count int) (time.Duration, error) {
	c := &bareClient{WithWatch: b.admin, prover: proof.New(b.connection), signed: map[string]chan []byte{}}
	watch, err := b.admin.Watch(ctx, &certificatesv1.CertificateSigningRequestList{})
	if err != nil {
		return 0, err
	}
	defer watch.Stop()
	go func() {
		for event := range watch.ResultChan() {
			if csr, ok := event.Object.(*certificatesv1.CertificateSigningRequest); ok && len(csr.Status.Certificate) > 0 {
				select {
				case c.waiter(csr.Name) <- csr.Status.Certificate:
				default: // told before
				}
			}
		}
	}()
	start := time.Now()
	err = inParallel(b.workers, count, func(i int) error { return c.provide(ctx, identity(prefix, i)) })
	elapsed := time.Since(start)
	return elapsed, errors.Join(err, b.deleteAll(ctx))
}

func (c *bareClient) waiter(name string) chan []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signed[name] == nil {
		c.signed[name] = make(chan []byte, 1)
	}
	return c.signed[name]
}

func (c *bareClient) provide(ctx context.Context, id *v1alpha1.ClientIdentity) error {
	if err := c.Create(ctx, id); err != nil {
		return err
	}
	key, request, err := newRequest(id)
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Name: id.Name, OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(id, v1alpha1.GroupVersion.WithKind("ClientIdentity"))}}
	csr := &certificatesv1.CertificateSigningRequest{ObjectMeta: meta, Spec: certificatesv1.CertificateSigningRequestSpec{
		Request: request, SignerName: certificatesv1.KubeAPIServerClientSignerName, ExpirationSeconds: ptr.To[int32](7776000),
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
	}}
	if err := c.Create(ctx, csr); err != nil {
		return err
	}
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Bench"}}
	if err := c.SubResource("approval").Update(ctx, csr); err != nil {
		return err
	}
	var certificate []byte
	select {
	case certificate = <-c.waiter(csr.Name):
	case <-ctx.Done():
		return ctx.Err()
	}
	user, err := c.prover.WhoAmI(ctx, certificate, key)
	if err != nil || user.Username != id.Spec.Username {
		return fmt.Errorf("the credential authenticates as %q: %w", user.Username, err)
	}
	return c.write(ctx, id, meta, certificate, key)
}

// write writes the Secret, the binding, the status and the event.
func (c *bareClient) write(ctx context.Context, id *v1alpha1.ClientIdentity, meta metav1.ObjectMeta, certificate, key []byte) error {
	secret := &corev1.Secret{ObjectMeta: *meta.DeepCopy(), Data: map[string][]byte{"tls.crt": certificate, "tls.key": key}}
	secret.Namespace = operator.SecretNamespace
	binding := &rbacv1.RoleBinding{
		ObjectMeta: *meta.DeepCopy(),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: id.Spec.Username}},
	}
	binding.Namespace = "default"
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: id.Name}, EventTime: metav1.NowMicro(), Type: corev1.EventTypeNormal,
		ReportingController: "bench", ReportingInstance: "bench", Action: "Issue", Reason: "Issued",
		Regarding: corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: id.Name, UID: id.UID},
	}
	for _, object := range []client.Object{secret, binding, event} {
		if err := c.Create(ctx, object); err != nil {
			return err
		}
	}
	patch := fmt.Sprintf(`{"status":{"observedGeneration":1,"secretRef":{"namespace":%q,"name":%q,"resourceVersion":%q}}}`, secret.Namespace, secret.Name, secret.ResourceVersion)
	return c.Status().Patch(ctx, id, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// newRequest returns a new key and a certificate request (PEM).
func newRequest(id *v1alpha1.ClientIdentity) (keyPEM, requestPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: id.Spec.Username, Organization: id.Spec.Groups},
	}, key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}), nil
}

// inParallel calls do for 0 to count-1 with that many workers and returns the first error.
func inParallel(workers, count int, do func(int) error) error {
	var (
		wait  sync.WaitGroup
		once  sync.Once
		first error
		work  = make(chan int)
	)
	for range workers {
		wait.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for i := range count {
		work <- i
	}
	close(work)
	wait.Wait()
	return first
}
