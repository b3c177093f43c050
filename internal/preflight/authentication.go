// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/proof"
)

// authenticated is the group of everybody whom the API server knows.
const authenticated = "system:authenticated"

// proofs are what came of tries with the certificate at one address.
type proofs struct {
	url   string
	tries int
	// user is what the last one said, err why the first that failed did, at number.
	user   authenticationv1.UserInfo
	err    error
	number int
	// tls is who answers there; nil where that was not looked at.
	tls *handshake
	// issuer is that of the certificate.
	signer, issuer string
}

// prove tries the certificate at an address, over a connection each.
func (p *probe) prove(ctx context.Context, connection *rest.Config, url string) proofs {
	look := proofs{url: url, signer: p.settings.Signer, issuer: p.credential.issued.Issuer()}
	prover := proof.New(connection)
	for look.tries < p.Tries && look.err == nil && ctx.Err() == nil {
		look.tries++
		look.user, look.err = prover.WhoAmI(ctx, p.credential.chain, p.credential.key)
		look.number = look.tries
		if look.err == nil && !isUs(look.user) {
			break
		}
	}
	if look.err != nil || !isUs(look.user) {
		look.tls = shakeHands(ctx, connection)
	}
	return look
}

// isUs says whether a user is the one in the certificate, with its group and that of everybody.
func isUs(user authenticationv1.UserInfo) bool {
	groups := slices.DeleteFunc(slices.Clone(user.Groups), func(g string) bool { return g == authenticated })
	return len(groups) < len(user.Groups) && (certificate.Subject{Username: user.Username, Groups: groups}).Equal(subject())
}

func (p *probe) lookAtAuthentication(ctx context.Context) Finding {
	look := p.prove(ctx, p.Connection, p.report.Facts.APIServer.URL)
	finding := look.judge()
	p.report.Facts.Signer.Authenticates = ptr.To(finding.Result == OK)
	return finding
}

// judge says whether the API server takes the certificate, and for whom.
func (l proofs) judge() Finding {
	var unknownAuthority x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	switch {
	case l.err == nil && isUs(l.user):
		return ok("%s takes the certificate, in %d tries of %d, as user %q with groups %q", l.url, l.tries, l.tries, l.user.Username, l.user.Groups)
	case l.endsTLS():
		return fail("%s asks for no client certificate: something before the API server ends TLS (the certificate there is of %q), or the API server has no --client-ca-file",
			l.url, l.tls.issuer()).fix("use an address that leads to the API server itself: --server here, --kubeconfig-server for published kubeconfigs")
	case l.err == nil:
		return fail("%s takes the certificate for user %q with groups %q, in try %d", l.url, l.user.Username, l.user.Groups, l.number).
			fix("look for what stands before the API server and logs in as somebody else")
	case apierrors.IsUnauthorized(l.err):
		return fail("%s does not take certificates of signer %q (issuer %q), in try %d", l.url, l.signer, l.issuer, l.number).
			fix("put the signer's CA into the file in the API server's --client-ca-file")
	case apierrors.IsForbidden(l.err) && strings.Contains(l.err.Error(), checkUser):
		return fail("%s takes the certificate, and does not let its holder ask who it is: %v", l.url, l.err).
			fix("kubectl create clusterrolebinding whoami --clusterrole=system:basic-user --group=system:authenticated")
	case errors.As(l.err, &unknownAuthority), errors.As(l.err, &wrongName):
		return fail("%s shows a certificate that is not trusted: %v", l.url, l.err).fix("see kubeconfig-ca, or set certificate-authority in the kubeconfig here")
	}
	return fail("%s did not answer, in try %d: %v", l.url, l.number, l.err)
}

// endsTLS says whether something answers that is not the API server: it does not ask for a client certificate, so none can get through.
func (l proofs) endsTLS() bool { return l.tls != nil && l.tls.err == nil && !l.tls.asksForCertificate }
