// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

//go:embed identities.yaml
var identities string

// unready are the identities that are not ready in the end.
var unready = map[string]v1alpha1.ObservedState{
	"frank":    v1alpha1.ObservedWithdrawn,
	"leo":      v1alpha1.ObservedWaiting,
	"mia":      v1alpha1.ObservedWaiting,
	"namesake": v1alpha1.ObservedWaiting,
	"olga":     v1alpha1.ObservedStalled,
}

// live lets the release work: credentials are issued, renewed and revoked.
func (g *generator) live(ctx context.Context) error {
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operator.SecretNamespace, Name: "leo-kubeconfig"}}
	if err := g.admin.Create(ctx, foreign); err != nil {
		return err
	}
	return g.while(ctx, []string{"--enable-webhooks=false"}, func() error {
		if err := g.apply(ctx, identities); err != nil {
			return err
		}
		if err := g.settle(ctx, "frank"); err != nil {
			return err
		}
		for _, change := range []func(context.Context) error{g.revoke, g.revokeOne, g.withdraw, g.renew} {
			if err := change(ctx); err != nil {
				return err
			}
		}
		return g.settle(ctx)
	})
}

// settle waits until every identity is in the state that it is to be in, or ready if it is one of the given.
func (g *generator) settle(ctx context.Context, ready ...string) error {
	return eventually(ctx, "the identities settle", func(ctx context.Context) error {
		all := &v1alpha1.ClientIdentityList{}
		if err := g.admin.List(ctx, all); err != nil {
			return err
		}
		want := map[string]v1alpha1.ObservedState{}
		for _, identity := range all.Items {
			want[identity.Name] = v1alpha1.ObservedReady
			if state, is := unready[identity.Name]; is {
				want[identity.Name] = state
			}
		}
		for _, name := range ready {
			want[name] = v1alpha1.ObservedReady
		}
		for _, identity := range all.Items {
			if identity.Status.State != want[identity.Name] || identity.Status.ObservedGeneration != identity.Generation {
				return fmt.Errorf("%s is %s (%s) instead of %s", identity.Name, identity.Status.State, identity.Status.StateReason, want[identity.Name])
			}
		}
		return nil
	})
}

// revoke revokes what was issued before now: with bindTo Credential, and Username.
func (g *generator) revoke(ctx context.Context) error {
	for _, name := range []string{"carol", "dave"} {
		if err := g.keep(ctx, name); err != nil {
			return err
		}
		if err := g.reissue(ctx, name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Now().UTC().Truncate(time.Second)}
		}); err != nil {
			return err
		}
	}
	return nil
}

// revokeOne renews, and revokes the certificate before on its own.
func (g *generator) revokeOne(ctx context.Context) error {
	if err := g.keep(ctx, "erin"); err != nil {
		return err
	}
	former := ""
	if err := g.reissue(ctx, "erin", func(identity *v1alpha1.ClientIdentity) {
		former = identity.Status.Certificate.Fingerprint
		renew(identity)
	}); err != nil {
		return err
	}
	return g.change(ctx, "erin", func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: former, Reason: "laptop stolen"}}
	})
}

func (g *generator) withdraw(ctx context.Context) error {
	if err := g.keep(ctx, "frank"); err != nil {
		return err
	}
	return g.change(ctx, "frank", func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn })
}

func (g *generator) renew(ctx context.Context) error {
	for _, name := range []string{"heidi", "heidi", "ivan"} {
		if err := g.reissue(ctx, name, renew); err != nil {
			return err
		}
	}
	return nil
}

// renewals makes each renew request another one.
var renewals int

func renew(identity *v1alpha1.ClientIdentity) {
	renewals++
	metav1.SetMetaDataAnnotation(&identity.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, strconv.Itoa(renewals))
}

// keep keeps a copy of what is published for an identity.
func (g *generator) keep(ctx context.Context, name string) error {
	identity, secret := &v1alpha1.ClientIdentity{}, &corev1.Secret{}
	if err := g.admin.Get(ctx, client.ObjectKey{Name: name}, identity); err != nil {
		return err
	}
	ref := identity.Status.SecretRef
	if err := g.admin.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret); err != nil {
		return err
	}
	g.Copies = append(g.Copies, fixture.Copy{Identity: name, Kubeconfig: secret.Data[identity.Spec.Secret.KubeconfigKey]})
	return nil
}

// reissue changes an identity and waits for another certificate.
func (g *generator) reissue(ctx context.Context, name string, change func(*v1alpha1.ClientIdentity)) error {
	before, now := &v1alpha1.ClientIdentity{}, &v1alpha1.ClientIdentity{}
	if err := g.admin.Get(ctx, client.ObjectKey{Name: name}, before); err != nil {
		return err
	}
	if err := g.change(ctx, name, change); err != nil {
		return err
	}
	return eventually(ctx, name+" gets another certificate", func(ctx context.Context) error {
		if err := g.admin.Get(ctx, client.ObjectKey{Name: name}, now); err != nil {
			return err
		}
		if now.Status.Certificate.Fingerprint == before.Status.Certificate.Fingerprint || now.Status.State != v1alpha1.ObservedReady {
			return fmt.Errorf("it is %s (%s) with revision %d", now.Status.State, now.Status.StateReason, now.Status.Certificate.Revision)
		}
		return nil
	})
}

// change updates an identity; that the operator wrote its status meanwhile is tried again.
func (g *generator) change(ctx context.Context, name string, change func(*v1alpha1.ClientIdentity)) error {
	return eventually(ctx, "change "+name, func(ctx context.Context) error {
		identity := &v1alpha1.ClientIdentity{}
		if err := g.admin.Get(ctx, client.ObjectKey{Name: name}, identity); err != nil {
			return err
		}
		change(identity)
		return g.admin.Update(ctx, identity)
	})
}
