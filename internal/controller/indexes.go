// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/enrolment"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/secret"
)

// Index adds to the caches the indexes by which the passes find what concerns an identity. An index takes some 340 bytes of memory for each object
// and value, twice where the object has a namespace: for one identity that is as much as the object itself.
func Index(ctx context.Context, indexer client.FieldIndexer, places secret.Places) error {
	for index, of := range map[string]client.IndexerFunc{look.IndexUsername: look.UsernameOf, look.IndexBoundByName: look.BoundByName} {
		if err := indexer.IndexField(ctx, &v1alpha1.ClientIdentity{}, index, of); err != nil {
			return fmt.Errorf("index identities by username: %w", err)
		}
	}
	if err := indexer.IndexField(ctx, &v1alpha1.ClientIdentity{}, indexNamespace, func(o client.Object) []string {
		return namespacesOf(places, o)
	}); err != nil {
		return fmt.Errorf("index identities by namespace: %w", err)
	}
	if err := indexer.IndexField(ctx, newNamespace(), look.IndexLabels, look.LabelsOf); err != nil {
		return fmt.Errorf("index namespaces by label: %w", err)
	}
	if err := indexer.IndexField(ctx, &certificatesv1.CertificateSigningRequest{}, issuance.IndexAbout, issuance.About); err != nil {
		return fmt.Errorf("index requests by identity: %w", err)
	}
	for _, object := range []client.Object{
		&rbacv1.RoleBinding{}, &rbacv1.ClusterRoleBinding{}, &rbacv1.Role{}, secret.NewMetadata(), enrolment.NewMetadata(),
	} {
		if err := indexer.IndexField(ctx, object, dependent.IndexOwner, ownerIndex); err != nil {
			return fmt.Errorf("index %T by owner: %w", object, err)
		}
	}
	return nil
}

// ownerIndex is the function of dependent.IndexOwner.
func ownerIndex(object client.Object) []string { return dependent.Index(object) }
