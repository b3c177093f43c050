// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizer

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/denial"
)

// The indexes of the cache that find identities.
const (
	indexUID         = "denial.uid"
	indexFingerprint = "denial.fingerprint"
)

func index(ctx context.Context, indexer client.FieldIndexer) error {
	for name, keys := range map[string]client.IndexerFunc{
		indexUID:         func(object client.Object) []string { return []string{denial.UIDKey(identityOf(object))} },
		indexFingerprint: func(object client.Object) []string { return denial.FingerprintKeys(identityOf(object)) },
	} {
		if err := indexer.IndexField(ctx, &v1alpha1.ClientIdentity{}, name, keys); err != nil {
			return fmt.Errorf("index identities by %s: %w", name, err)
		}
	}
	return nil
}

// identityOf returns the identity that an object of its informer is.
func identityOf(object client.Object) *v1alpha1.ClientIdentity {
	identity, ok := object.(*v1alpha1.ClientIdentity)
	if !ok {
		return &v1alpha1.ClientIdentity{}
	}
	return identity
}

// cached finds identities in the cache of an informer.
type cached struct {
	reader client.Reader
}

// ByUID implements denial.Identities.
func (c *cached) ByUID(uid string) (*v1alpha1.ClientIdentity, error) {
	found, err := c.by(indexUID, uid)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// ByFingerprint implements denial.Identities.
func (c *cached) ByFingerprint(fingerprint string) ([]*v1alpha1.ClientIdentity, error) {
	return c.by(indexFingerprint, fingerprint)
}

func (c *cached) by(name, key string) ([]*v1alpha1.ClientIdentity, error) {
	// Until the cache is filled, reading it waits: less long than the API server does.
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var list v1alpha1.ClientIdentityList
	if err := c.reader.List(ctx, &list, client.MatchingFields{name: key}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("look for identities by %s: %w", name, err)
	}
	found := make([]*v1alpha1.ClientIdentity, 0, len(list.Items))
	for i := range list.Items {
		found = append(found, &list.Items[i])
	}
	return found, nil
}
