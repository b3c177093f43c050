// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// inject breaks one thing at random.
func (s *soak) inject(ctx context.Context) error {
	name := identityName(s.random.IntN(s.identities))
	switch n := s.random.IntN(100); {
	case n < 3:
		s.injected["API server restarts"]++
		return s.cp.RestartComponent(ctx, controlplane.APIServer)
	case n < 8:
		s.injected["operator kills"]++
		s.operator.kill()
		return s.operator.start()
	case n < 35:
		s.injected["deleted Secrets"]++
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}}
		return client.IgnoreNotFound(s.admin.Delete(ctx, secret))
	case n < 60:
		s.injected["deleted bindings"]++
		return s.admin.DeleteAllOf(ctx, &rbacv1.RoleBinding{}, client.InNamespace("default"), client.MatchingLabels{v1alpha1.IdentityLabel: name})
	case n < 80:
		s.injected["renew requests"]++
		return s.renew(ctx, name)
	case n < 90:
		return s.deleteRequest(ctx, name)
	}
	return s.denyRequest(ctx, name)
}

// deleteRequest makes the operator ask for a certificate while nobody signs, and deletes the request.
func (s *soak) deleteRequest(ctx context.Context, name string) error {
	if err := s.cp.StopComponent(controlplane.ControllerManager); err != nil {
		return err
	}
	err := s.onRequest(ctx, name, func(csr *certificatesv1.CertificateSigningRequest) error {
		s.injected["deleted requests"]++
		return client.IgnoreNotFound(s.admin.Delete(ctx, csr))
	})
	return errors.Join(err, s.cp.StartComponent(ctx, controlplane.ControllerManager))
}

// denyRequest makes the operator ask for a certificate while it may not approve, and denies the request. A denial
// stalls until somebody asks again, which is then done.
func (s *soak) denyRequest(ctx context.Context, name string) error {
	restore, err := s.forbidApproval(ctx)
	if err != nil {
		return err
	}
	err = s.onRequest(ctx, name, func(csr *certificatesv1.CertificateSigningRequest) error {
		csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateDenied, Status: corev1.ConditionTrue, Reason: "Soak", Message: "denied at random",
		})
		err := s.admin.SubResource("approval").Update(ctx, csr)
		if apierrors.IsInvalid(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil // it was approved or withdrawn first
		}
		s.injected["denied requests"]++
		return err
	})
	return errors.Join(err, restore(), s.renew(ctx, name))
}

// forbidApproval takes the right to approve from the operator until restore is called.
func (s *soak) forbidApproval(ctx context.Context) (restore func() error, err error) {
	role := &rbacv1.ClusterRole{}
	key := client.ObjectKey{Name: "client-identity-operator-manager"}
	if err := s.admin.Get(ctx, key, role); err != nil {
		return nil, err
	}
	rules := slices.Clone(role.Rules)
	role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Verbs, "approve") })
	if err := s.admin.Update(ctx, role); err != nil {
		return nil, err
	}
	return func() error {
		if err := s.admin.Get(ctx, key, role); err != nil {
			return err
		}
		role.Rules = rules
		return s.admin.Update(ctx, role)
	}, nil
}

// onRequest makes the operator ask for a certificate, and does something to the open request.
func (s *soak) onRequest(ctx context.Context, name string, do func(*certificatesv1.CertificateSigningRequest) error) error {
	if err := s.renew(ctx, name); err != nil {
		return err
	}
	// Renew requests are rate-limited: it may take a while, and it may be signed before we see it.
	for range 300 {
		open, err := s.openRequests(ctx)
		if err != nil {
			return err
		}
		if len(open[name]) > 0 {
			return do(&open[name][0])
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (s *soak) renew(ctx context.Context, name string) error {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RenewRequestedAtAnnotation, time.Now().Format(time.RFC3339Nano))
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return s.admin.Patch(ctx, identity, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// openRequests returns the unfinished requests, by identity.
func (s *soak) openRequests(ctx context.Context) (map[string][]certificatesv1.CertificateSigningRequest, error) {
	var list certificatesv1.CertificateSigningRequestList
	if err := s.admin.List(ctx, &list, client.HasLabels{v1alpha1.IdentityLabel}); err != nil {
		return nil, err
	}
	open := map[string][]certificatesv1.CertificateSigningRequest{}
	for _, csr := range list.Items {
		done := len(csr.Status.Certificate) > 0
		for _, c := range csr.Status.Conditions {
			done = done || c.Type != certificatesv1.CertificateApproved
		}
		if !done {
			name := csr.Labels[v1alpha1.IdentityLabel]
			open[name] = append(open[name], csr)
		}
	}
	return open, nil
}
