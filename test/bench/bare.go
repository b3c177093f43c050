// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/proof"
	"github.com/clientidentity/operator/test/bench/result"
	"github.com/clientidentity/operator/test/operator"
)

// bare is a client that does for each identity what the operator does, with its account, and nothing else. What it writes has the same
// content. It knows what is asked of it, and has one watch: that of the requests that are signed.
type bare struct {
	*world
	// as is a client with the operator's account.
	as     client.WithWatch
	prover proof.Prover
	end    context.CancelFunc
	// meta returns the metadata of what belongs to an identity.
	meta func(*v1alpha1.ClientIdentity, client.ObjectKey) metav1.ObjectMeta

	mu     sync.Mutex
	signed map[string]chan []byte
}

func newBare(w *world) *bare { return &bare{world: w, meta: dependent.Meta} }

func (c *bare) name() result.Subject { return result.Bare }

func (c *bare) phases() []result.Phase {
	return []result.Phase{result.Alone, result.Issue, result.Quiet, result.Renew, result.Delete}
}

func (c *bare) cpu() time.Duration { return 0 }

func (c *bare) memory(context.Context) (memory, error) { return memory{}, nil }

func (c *bare) start(ctx context.Context) (err error) {
	ctx, c.end = context.WithCancel(ctx)
	c.prover = proof.New(c.connection)
	c.signed = map[string]chan []byte{}
	if c.as, err = client.NewWithWatch(c.connection, client.Options{Scheme: manager.Scheme()}); err != nil {
		return err
	}
	ours := client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}
	events, err := c.as.Watch(ctx, &certificatesv1.CertificateSigningRequestList{}, ours)
	if err != nil {
		return err
	}
	go func() {
		for event := range events.ResultChan() {
			if csr, is := event.Object.(*certificatesv1.CertificateSigningRequest); is && len(csr.Status.Certificate) > 0 {
				select {
				case c.waiter(csr.Name) <- csr.Status.Certificate:
				default: // told before
				}
			}
		}
	}()
	return nil
}

func (c *bare) stop(context.Context) error {
	c.end()
	return nil
}

func (c *bare) waiter(name string) chan []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signed[name] == nil {
		c.signed[name] = make(chan []byte, 1)
	}
	return c.signed[name]
}

func (c *bare) carryOut(ctx context.Context, phase result.Phase, b *batch) error {
	switch phase {
	case result.Alone, result.Issue:
		c.expectReady(b)
		return inParallel(b.workers, b.count, func(i int) error {
			id := c.identity(b, i)
			b.begin(i)
			if err := c.admin.Create(ctx, id); err != nil {
				return err
			}
			if err := c.provide(ctx, id); err != nil || b.workers > 1 {
				return err
			}
			return b.wait(ctx, i)
		})
	case result.Quiet: // what the control plane does by itself
		return pause(ctx, c.quiet)
	case result.Renew:
		return c.change(ctx, phase, b, func(_ int, id *v1alpha1.ClientIdentity) error { return c.renew(ctx, id) })
	case result.Delete:
		return c.delete(ctx, b)
	}
	return fmt.Errorf("the bare client does not know the phase %s", phase)
}

func (c *bare) clear(ctx context.Context, b *batch) error { return c.delete(ctx, b) }

// credential has a certificate issued, and returns it with the Secret for it.
func (c *bare) credential(ctx context.Context, id *v1alpha1.ClientIdentity) (got *issued, secret *corev1.Secret, err error) {
	if got, err = c.issue(ctx, id); err != nil {
		return nil, nil, err
	}
	secret, err = c.secret(id, got)
	return got, secret, err
}

// provide does what a fresh identity takes.
func (c *bare) provide(ctx context.Context, id *v1alpha1.ClientIdentity) error {
	if err := c.bind(ctx, id); err != nil {
		return err
	}
	got, secret, err := c.credential(ctx, id)
	if err != nil {
		return err
	}
	if err := c.as.Create(ctx, secret); err != nil {
		return err
	}
	return c.tell(ctx, id, got, secret)
}

// renew does what a renewal takes: the Secret is read live, as one does who may be behind.
func (c *bare) renew(ctx context.Context, id *v1alpha1.ClientIdentity) error {
	live := &corev1.Secret{}
	if err := c.as.Get(ctx, secretOf(id), live); err != nil {
		return err
	}
	got, secret, err := c.credential(ctx, id)
	if err != nil {
		return err
	}
	secret.ResourceVersion, secret.UID = live.ResourceVersion, live.UID
	if err := c.as.Update(ctx, secret); err != nil {
		return err
	}
	return c.tell(ctx, id, got, secret)
}

// issued is a certificate that was proven, with its key.
type issued struct {
	*certificate.Issued
	key       crypto.Signer
	requested time.Time
}

// issue asks for a certificate, approves the request, waits for the signer and proves what it signed.
func (c *bare) issue(ctx context.Context, id *v1alpha1.ClientIdentity) (*issued, error) {
	requested := time.Now()
	key, err := certificate.GenerateKey(id.Spec.PrivateKey)
	if err != nil {
		return nil, err
	}
	request, err := certificate.NewRequest(key, certificate.SubjectFor(&id.Spec, id.UID))
	if err != nil {
		return nil, err
	}
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: c.meta(id, client.ObjectKey{Name: id.Name + "-" + strings.ToLower(rand.Text()[:10])}),
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: id.Spec.SignerName, ExpirationSeconds: ptr.To(int32(id.Spec.TTL.Seconds())), Usages: holder.Usages,
		},
	}
	if err := c.as.Create(ctx, csr); err != nil {
		return nil, err
	}
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "ClientIdentityRequested",
		Message: fmt.Sprintf("Requested by ClientIdentity %q", id.Name),
	}}
	if err := c.as.SubResource("approval").Update(ctx, csr); err != nil {
		return nil, err
	}
	var chain []byte
	select {
	case chain = <-c.waiter(csr.Name):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return c.prove(ctx, id, &issued{key: key, requested: requested}, chain)
}

func (c *bare) prove(ctx context.Context, id *v1alpha1.ClientIdentity, got *issued, chain []byte) (_ *issued, err error) {
	if got.Issued, err = certificate.ParseIssued(chain); err != nil {
		return nil, err
	}
	keyPEM, err := certificate.EncodeKey(got.key)
	if err != nil {
		return nil, err
	}
	user, err := c.prover.WhoAmI(ctx, chain, keyPEM)
	if err != nil || user.Username != id.Spec.Username {
		return nil, fmt.Errorf("the credential authenticates as %q: %w", user.Username, err)
	}
	return got, nil
}

// bind makes the role bindings.
func (c *bare) bind(ctx context.Context, id *v1alpha1.ClientIdentity) error {
	for _, b := range id.Spec.RoleBindings {
		role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: b.RoleRef.Kind, Name: b.RoleRef.Name}
		err := c.as.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: c.meta(id, client.ObjectKey{Namespace: b.Namespace, Name: access.BindingName(id.Name, b.Name, role)}),
			RoleRef:    role,
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: id.Spec.Username}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func secretOf(id *v1alpha1.ClientIdentity) client.ObjectKey {
	return client.ObjectKey{Namespace: operator.SecretNamespace, Name: id.Name + "-kubeconfig"}
}

// secret returns the Secret with a kubeconfig.
func (c *bare) secret(id *v1alpha1.ClientIdentity, got *issued) (*corev1.Secret, error) {
	keyPEM, err := certificate.EncodeKey(got.key)
	if err != nil {
		return nil, err
	}
	parameters := kubeconfig.ParametersFor(id, kubeconfig.Cluster{Server: c.connection.Host, CertificateAuthorityData: c.connection.CAData})
	config, err := kubeconfig.Render(parameters, got.ChainPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	secret := &corev1.Secret{ObjectMeta: c.meta(id, secretOf(id)), Type: corev1.SecretTypeOpaque, Data: map[string][]byte{
		id.Spec.Secret.KubeconfigKey: config, v1alpha1.CertificateKey: got.ChainPEM, v1alpha1.PrivateKeyKey: keyPEM, v1alpha1.CAKey: bytes.Clone(c.connection.CAData),
	}}
	secret.Annotations = map[string]string{
		v1alpha1.RequestHashAnnotation:     certificate.RequestHashOf(&id.Spec, id.UID),
		v1alpha1.KubeconfigHashAnnotation:  parameters.Hash() + ":" + id.Spec.Secret.KubeconfigKey,
		v1alpha1.ManagedMetadataAnnotation: ";",
	}
	return secret, nil
}
