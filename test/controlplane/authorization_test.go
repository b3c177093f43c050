// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/test/controlplane"
)

// denier is an authorization webhook that denies one user and has no opinion on others.
type denier struct {
	user   string
	server *httptest.Server
}

// authorization is an AuthorizationConfiguration with the denier before RBAC.
func (d *denier) authorization(files controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters["denier"] = &clientcmdapi.Cluster{
		Server:                   "https://" + d.server.Listener.Addr().String(),
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.server.Certificate().Raw}),
	}
	config.AuthInfos["api-server"] = &clientcmdapi.AuthInfo{ClientCertificate: files.ClientCert, ClientKey: files.ClientKey}
	config.Contexts["denier"] = &clientcmdapi.Context{Cluster: "denier", AuthInfo: "api-server"}
	config.CurrentContext = "denier"
	kubeconfig, err := clientcmd.Write(*config)
	return controlplane.Authorization{Kubeconfig: kubeconfig, Configuration: fmt.Appendf(nil, `apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Webhook, name: denier, webhook: {
    timeout: 10s, failurePolicy: NoOpinion, subjectAccessReviewVersion: v1, matchConditionSubjectAccessReviewVersion: v1,
    authorizedTTL: 1s, unauthorizedTTL: 1s, connectionInfo: {type: KubeConfigFile, kubeConfigFile: %q}}}
- {type: RBAC, name: rbac}
`, files.Kubeconfig)}, err
}

func (d *denier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	review := &authorizationv1.SubjectAccessReview{}
	if err := json.NewDecoder(r.Body).Decode(review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if client := r.TLS.PeerCertificates[0]; review.Spec.User == d.user {
		review.Status.Denied = true
		review.Status.Reason = fmt.Sprintf("%s is denied to %s of %s", d.user, client.Subject.CommonName, client.Issuer.CommonName)
	}
	_ = json.NewEncoder(w).Encode(review)
}

func newDenier(t *testing.T, user string) *denier {
	d := &denier{user: user}
	d.server = httptest.NewUnstartedServer(d)
	d.server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	d.server.StartTLS()
	t.Cleanup(d.server.Close)
	return d
}

func TestAuthorizationByAWebhook(t *testing.T) {
	g := NewWithT(t)
	before, after := newDenier(t, "mallory"), newDenier(t, "alice")
	cp, err := controlplane.Start(ctx, controlplane.Options{Authorization: before.authorization, Progress: t.Logf})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(cp.Stop()).To(Succeed()) })
	_, err = cp.AddAPIServer(ctx)
	g.Expect(err).NotTo(HaveOccurred())

	expect := func(denied, other string) {
		user, err := cp.ConfigFor(denied)
		g.Expect(err).NotTo(HaveOccurred())
		neighbour, err := cp.ConfigFor(other)
		g.Expect(err).NotTo(HaveOccurred())
		for _, config := range []*rest.Config{user, cp.ThroughSecond(user)} {
			_, err := whoami(config)
			g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
			g.Expect(err).To(MatchError(ContainSubstring("%s is denied to %s of %s", denied, controlplane.AuthorizationClient, cp.AuthorizationCA().Certificate().Subject.CommonName)))
		}
		for _, config := range []*rest.Config{neighbour, cp.ThroughSecond(neighbour), cp.Config()} {
			g.Expect(whoami(config)).Error().NotTo(HaveOccurred())
		}
	}
	expect("mallory", "alice")
	g.Expect(cp.ReplaceAuthorization(ctx, after.authorization)).To(Succeed())
	expect("alice", "mallory")

	for _, c := range []controlplane.Component{controlplane.APIServer, controlplane.SecondAPIServer} {
		const evaluations = "apiserver_authorization_webhook_evaluations_total"
		g.Expect(cp.Metric(ctx, c, evaluations, `name="denier"`, `result="success"`)).To(BeNumerically(">=", 4), string(c))
		g.Expect(cp.Metric(ctx, c, evaluations, `name="somebody-else"`)).To(BeZero())
	}
	g.Expect(cp.StopComponent(controlplane.SecondAPIServer)).To(Succeed())
	g.Expect(cp.ReplaceAuthorization(ctx, before.authorization)).To(Succeed(), "where one does not run")
	g.Expect(cp.StartComponent(ctx, controlplane.SecondAPIServer)).To(Succeed())
	expect("mallory", "alice")
}
