// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/timing"
)

// allAuthenticated is the group that the API server gives everybody whom it knows.
const allAuthenticated = "system:authenticated"

// repair is what to do about something that the operator puts right by itself.
const repair = "The operator puts that right by itself within seconds: if it does not, it does not run, or something undoes what it does."

// checkCredential checks what the operator published, whose key it made.
func checkCredential(v *evidence) []Check {
	checks := checkSecret(v, v1alpha1.CertificateKey, v1alpha1.PrivateKeyKey)
	if checks[len(checks)-1].Result == Failed {
		return checks
	}
	data := v.secret.value.Data
	issued, err := certificate.ParseIssued(data[v1alpha1.CertificateKey])
	if err != nil {
		return append(checks, failed("certificate", v1alpha1.CertificateKey+" cannot be read: "+err.Error(), repair))
	}
	return append(checks,
		checkFingerprint(v.identity, issued),
		checkValidity(v, issued),
		checkSubject(v.identity, issued.Subject()),
		checkKey(data[v1alpha1.PrivateKeyKey], issued),
		checkRevoked(v.identity, issued.Fingerprint(), issued.Subject().Groups),
		checkChain(v, issued),
		checkKubeconfig(v.identity, data, issued.ChainPEM),
		checkUser(v.identity, "authentication", v.address, v.user),
		checkUser(v.identity, "kubeconfig's server", serverOf(v.identity), v.published),
	)
}

func serverOf(identity *v1alpha1.ClientIdentity) string {
	if identity.Status.Server == nil {
		return "its server"
	}
	return identity.Status.Server.URL
}

// checkSecret checks that the Secret is the identity's, and has these keys beside kubeconfig and CA. The last check failed where there
// is nothing to look at.
func checkSecret(v *evidence, keys ...string) []Check {
	place := placeOf(v.identity)
	switch {
	case apierrors.IsNotFound(v.secret.err):
		return []Check{failed("secret", fmt.Sprintf("there is no Secret %s/%s", place.Namespace, place.Name), repair, "kubectl clientidentity status "+v.identity.Name)}
	case v.secret.err != nil:
		return []Check{unreadable("secret", v.secret.err)}
	}
	secret := v.secret.value
	owner := passed("secret", fmt.Sprintf("%s/%s belongs to the identity", place.Namespace, place.Name))
	if !metav1.IsControlledBy(secret, v.identity) {
		owner = failed("secret", fmt.Sprintf("%s/%s is not owned by this ClientIdentity", place.Namespace, place.Name), "Delete it, or choose another spec.secret.name.")
	}
	keys = append([]string{v.identity.Spec.Secret.KubeconfigKey, v1alpha1.CAKey}, keys...)
	slices.Sort(keys)
	var missing []string
	for _, key := range keys {
		if len(secret.Data[key]) == 0 {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		return []Check{owner, failed("content", "the Secret lacks "+strings.Join(missing, ", "), repair)}
	}
	return []Check{owner, passed("content", "it has "+strings.Join(keys, ", "))}
}

func checkFingerprint(identity *v1alpha1.ClientIdentity, issued *certificate.Issued) Check {
	const name = "certificate"
	switch c := identity.Status.Certificate; {
	case c == nil:
		return failed(name, "the status tells of no published certificate, and the Secret has "+issued.Fingerprint(), repair)
	case c.Fingerprint != issued.Fingerprint():
		return failed(name, fmt.Sprintf("the Secret has %s, and the status tells of %s", issued.Fingerprint(), c.Fingerprint), repair)
	default:
		return passed(name, fmt.Sprintf("revision %d, fingerprint %s", c.Revision, c.Fingerprint))
	}
}

// checkValidity checks that the published certificate is valid, and says when it is renewed.
func checkValidity(v *evidence, issued *certificate.Issued) Check {
	check := checkValidityOf(v, issued)
	if c := v.identity.Status.Certificate; check.Result == Passed && c != nil && c.RenewalTime != nil {
		check.Message += ", renewed " + When(c.RenewalTime.Time, v.now)
	}
	return check
}

func checkValidityOf(v *evidence, issued *certificate.Issued) Check {
	const name = "validity"
	between := fmt.Sprintf("valid from %s to %s", timing.Stamp(issued.NotBefore()), At(issued.NotAfter(), v.now))
	switch {
	case v.now.Before(issued.NotBefore()):
		return failed(name, between+": it is not valid yet", "Compare the clocks of this machine, the API server and the signer.")
	case v.now.After(issued.NotAfter()):
		return failed(name, between+": it has ended", "kubectl clientidentity status "+v.identity.Name)
	}
	return passed(name, between)
}

// checkSubject checks whom a certificate is for. Groups that the operator gives it of its own bind nothing, but for the credential group
// that bindings name.
func checkSubject(identity *v1alpha1.ClientIdentity, have certificate.Subject) Check {
	want := certificate.SubjectFor(&identity.Spec, identity.UID)
	prefix := certificate.CredentialGroupPrefix(string(identity.UID))
	have.Groups = slices.DeleteFunc(slices.Clone(have.Groups), func(group string) bool {
		return strings.HasPrefix(group, v1alpha1.CertificateGroupPrefix) ||
			(identity.Spec.BindTo != v1alpha1.BindToCredential && strings.HasPrefix(group, prefix))
	})
	if !have.Equal(want) {
		return failed("subject", fmt.Sprintf("it is for %s, and the spec asks for %s", have, want), "A new certificate is issued by itself: kubectl clientidentity status "+identity.Name)
	}
	return passed("subject", "it is for "+have.String())
}

func checkKey(keyPEM []byte, issued *certificate.Issued) Check {
	key, err := certificate.ParseKey(keyPEM)
	switch {
	case err != nil:
		return failed("key", v1alpha1.PrivateKeyKey+" is no private key that can be read", repair)
	case !issued.HasKey(key.Public()):
		return failed("key", v1alpha1.PrivateKeyKey+" is not the key of the certificate", repair)
	}
	return passed("key", v1alpha1.PrivateKeyKey+" is the key of the certificate")
}

// checkRevoked checks that a certificate is not revoked by the spec.
func checkRevoked(identity *v1alpha1.ClientIdentity, fingerprint string, groups []string) Check {
	const name, advice = "revocation", "A new certificate is issued by itself: kubectl clientidentity status "
	if access.RevokedAlone(&identity.Spec, fingerprint) {
		return failed(name, "it stands in spec.revokedCertificates", advice+identity.Name)
	}
	if listed := access.Listed(&identity.Status, fingerprint); listed != nil && access.RevokedSince(&identity.Spec, timing.Of(listed.RevokeIssuedBefore)) {
		return failed(name, "it was issued before spec.revokeIssuedBefore", advice+identity.Name)
	}
	if wanted := access.WantedGroup(identity); wanted != "" && !slices.Contains(groups, wanted) {
		return failed(name, "it does not carry the present credential group, which role bindings name", advice+identity.Name)
	}
	return passed(name, "it is not revoked")
}

// checkChain checks a certificate against the CAs that the API server publishes. Where those cannot be read, authentication shows as much.
func checkChain(v *evidence, issued *certificate.Issued) Check {
	const name = "chain"
	if v.clientCAs.err != nil {
		return unreadable(name, v.clientCAs.err).skipped()
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(v.clientCAs.value)) {
		return failed(name, "the API server publishes no client CA in ConfigMap "+clientCAs.String()).skipped()
	}
	intermediates.AppendCertsFromPEM(issued.ChainPEM) // what is no CA counts for nothing
	chains, err := issued.Certificate.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: v.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return failed(name, "it was not issued by a client CA of this cluster: "+explainChain(err), "kubectl clientidentity renew "+v.identity.Name)
	}
	chain := chains[0]
	return passed(name, "issued by a client CA of this cluster: "+chain[len(chain)-1].Subject.String())
}

func explainChain(err error) string {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return "its CA is unknown (the CA was changed?)"
	}
	return err.Error()
}

// checkKubeconfig checks that the published kubeconfig has the same certificate, key and CA as the other keys.
func checkKubeconfig(identity *v1alpha1.ClientIdentity, data map[string][]byte, chainPEM []byte) Check {
	const name = "kubeconfig"
	p, cert, key, err := kubeconfig.Read(data[identity.Spec.Secret.KubeconfigKey])
	switch {
	case err != nil:
		return failed(name, err.Error(), repair)
	case !bytes.Equal(cert, chainPEM) || !bytes.Equal(key, data[v1alpha1.PrivateKeyKey]):
		return failed(name, "it has another certificate or key than tls.crt and tls.key", repair)
	case !bytes.Equal(p.CertificateAuthorityData, data[v1alpha1.CAKey]):
		return failed(name, "it has another CA than "+v1alpha1.CAKey, repair)
	case identity.Status.Server != nil && identity.Status.Server.URL != p.Server:
		return failed(name, fmt.Sprintf("it points at %s, and the status says %s", p.Server, identity.Status.Server.URL), repair)
	}
	return passed(name, fmt.Sprintf("it has the same certificate and key, and points at %s", p.Server))
}

// checkUser checks whom the API server takes the holder of the credential for.
func checkUser(identity *v1alpha1.ClientIdentity, name, server string, user found[authenticationv1.UserInfo]) Check {
	switch err := user.err; {
	case apierrors.IsUnauthorized(err):
		return failed(name, server+" does not accept the certificate",
			"It was revoked or replaced, or its CA is none that the API server trusts: kubectl clientidentity renew "+identity.Name)
	case apierrors.IsForbidden(err):
		return failed(name, server+" denies requests with the certificate: "+err.Error())
	case err != nil:
		return failed(name, fmt.Sprintf("%s, as seen from this machine: %v", server, err), "Verify it where its holder is, or correct --kubeconfig-server or spec.kubeconfig.")
	case user.value.Username == "":
		return failed(name, "there is no kubeconfig to authenticate with", repair)
	}
	want := append(slices.Clone(identity.Spec.Groups), allAuthenticated)
	if wanted := access.WantedGroup(identity); wanted != "" {
		want = append(want, wanted)
	}
	have := slices.DeleteFunc(slices.Clone(user.value.Groups), func(group string) bool {
		return strings.HasPrefix(group, v1alpha1.CredentialGroupPrefix) && !slices.Contains(want, group)
	})
	if user.value.Username != identity.Spec.Username || !sameSet(have, want) {
		return failed(name, fmt.Sprintf("%s takes its holder for user %q with groups %q", server, user.value.Username, user.value.Groups))
	}
	return passed(name, fmt.Sprintf("%s takes its holder for user %q with the groups of the spec", server, user.value.Username))
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
