// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"

	"github.com/clientidentity/operator/internal/enforcement"
	"github.com/clientidentity/operator/internal/proof"
)

// lookAtDenial tries a certificate that the operator would deny, where the API server asks it.
func (p *probe) lookAtDenial(ctx context.Context) Finding {
	check := &enforcement.Check{Client: p.clientset, Prover: proof.New(p.Connection), SignerName: p.settings.Signer, Clock: p.Clock}
	found, err := check.Once(ctx, p.Tries)
	finding := judgeDenial(found, err, p.Tries, p.RequireDenial)
	if err == nil {
		p.report.Facts.Denial = "on"
		if found.LetThrough {
			p.report.Facts.Denial = string(Off)
		}
	}
	return finding
}

func judgeDenial(found enforcement.Found, err error, tries int, required bool) Finding {
	const guide = "docs/guides/deny.md turns it on, on control planes that you run"
	switch {
	case err != nil:
		return fail("it cannot be tried: %v", err)
	case found.LetThrough && required:
		return fail("the API server does not deny revoked certificates").fix(guide)
	case found.LetThrough:
		return off("the API server does not deny revoked certificates: revocation reaches the bindings of an identity").fix(guide)
	}
	return ok("the API server denies revoked certificates, in %d tries of %d", tries, tries)
}
