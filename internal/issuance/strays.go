// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// CloseStrays deletes unfinished requests of an identity that this process does not wait for: their keys
// are gone. Finished ones are left to Kubernetes' cleaner.
func (r *Requests) CloseStrays(ctx context.Context, identity *v1alpha1.ClientIdentity) error {
	var list certificatesv1.CertificateSigningRequestList
	if err := r.client.List(ctx, &list, client.MatchingFields{IndexAbout: identity.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list CertificateSigningRequests: %w", err)
	}
	wanted := r.open.get(identity.UID)
	for i := range list.Items {
		csr := &list.Items[i]
		if !metav1.IsControlledBy(csr, identity) || finished(csr) || (wanted != nil && wanted.csrName == csr.Name) {
			continue
		}
		if err := r.close(ctx, csr.Name, csr.UID); err != nil {
			return err
		}
	}
	return nil
}

// close deletes one unfinished request, if it is still the one that was seen.
func (r *Requests) close(ctx context.Context, name string, uid types.UID) error {
	return deleteRequest(ctx, r.client, name, uid)
}

func deleteRequest(ctx context.Context, c client.Client, name string, uid types.UID) error {
	seen := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid}}
	err := c.Delete(ctx, seen, client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete CertificateSigningRequest %q: %w", name, err)
	}
	return nil
}

// finished says whether nothing more will happen to a request by itself.
func finished(csr *certificatesv1.CertificateSigningRequest) bool {
	return len(csr.Status.Certificate) > 0 ||
		condition(csr, certificatesv1.CertificateDenied) != nil || condition(csr, certificatesv1.CertificateFailed) != nil
}
