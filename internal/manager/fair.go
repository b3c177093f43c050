// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/internal/bulkhead"
	"github.com/clientidentity/operator/internal/proof"
)

// fairly lets what hangs in one place take half of the workers, and no more: writes in one namespace that are no deletions, and proofs.
func fairly(connection *rest.Config, options Options) *bulkhead.Bulkhead {
	bounds := bulkhead.New(options.ConcurrentReconciles/2, clock.RealClock{})
	connection.Wrap(bounds.Wrap)
	return bounds
}

// fairProver proves credentials where there is room for it.
type fairProver struct {
	proof.Prover
	bounds *bulkhead.Bulkhead
}

// WhoAmI asks who holds a credential.
func (p fairProver) WhoAmI(ctx context.Context, certificatePEM, keyPEM []byte) (authenticationv1.UserInfo, error) {
	leave, err := p.bounds.Enter(ctx, "prove credentials")
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	defer leave()
	return p.Prover.WhoAmI(ctx, certificatePEM, keyPEM)
}
