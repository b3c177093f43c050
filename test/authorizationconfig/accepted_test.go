// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package authorizationconfig has the test that an API server takes what manager authorization-config prints, and does with it
// what docs/guides/deny.md says. The operator's own answers are not part of it.
package authorizationconfig

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/test/controlplane"
)

const caLifetime = time.Hour

func TestTheAPIServerDoesWhatIsPrinted(t *testing.T) {
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(90 * time.Second) // a file that no event tells of is looked at once a minute
	g.SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	clientCA, servingCA, nextCA := newCA(g, "api-server"), newCA(g, "serving"), newCA(g, "next")
	stub, node := newOperator(g, clientCA), newNode(g, t.TempDir(), clientCA)
	stub.start(g, servingCA)
	node.put(g, stub.address, servingCA, "NoOpinion")
	cp, err := controlplane.Start(t.Context(), controlplane.Options{
		APIServerFlags: map[string][]string{"authorization-config": {filepath.Join(node.directory, "authorization.yaml")}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(cp.Stop()).To(Succeed()) })
	as := func(user string, groups ...string) func() error {
		connection, err := cp.ConfigFor(user, groups...)
		g.Expect(err).NotTo(HaveOccurred())
		return asks(t.Context(), connection)
	}
	admin := kubernetes.NewForConfigOrDie(cp.Config())
	token, err := admin.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	account := rest.AnonymousClientConfig(cp.Config())
	account.BearerToken = token.Status.Token
	alice, mallory := as("alice", "developers"), as("mallory")
	others := map[string]func() error{
		"system:masters": as("root", "system:masters"), "kubeadm's administrators": as("kubernetes-admin", "kubeadm:cluster-admins"),
		"the scheduler": as("system:kube-scheduler"), "the controller manager": as("system:kube-controller-manager"),
		"a kubelet": as("system:node:one", "system:nodes"), "a ServiceAccount": asks(t.Context(), account),
	}
	expectOthersGoOn := func() {
		for name, ask := range others {
			g.Expect(ask()).To(Succeed(), name)
		}
	}

	// It denies, and is asked about certificates that may be an identity's only.
	g.Expect(alice()).To(Succeed())
	g.Expect(mallory()).To(MatchError(ContainSubstring(reason)))
	expectOthersGoOn()
	g.Expect(stub.askedAbout()).To(Equal([]string{"alice", "mallory"}))

	// While it is away, RBAC decides alone.
	stub.stop(g)
	g.Expect(alice()).To(Succeed())
	g.Expect(mallory()).To(Succeed())

	// Another serving CA: new files, no restart.
	stub.start(g, nextCA)
	g.Expect(mallory()).To(Succeed(), "the CA that it knows is another one")
	node.put(g, stub.address, nextCA, "NoOpinion")
	g.Eventually(mallory).Should(MatchError(ContainSubstring(reason)))
	metrics, err := admin.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	expectMetricsOfTheGuide(g, string(metrics))
	g.Expect(string(metrics)).To(ContainSubstring(`,hash="sha256:` + node.sum(g) + `"}`))

	// Deny, while it is away: only what is never asked about gets through.
	stub.stop(g)
	node.put(g, stub.address, nextCA, "Deny")
	g.Eventually(alice).ShouldNot(Succeed())
	expectOthersGoOn()
}

// asks returns what asks the API server who one is, which RBAC allows everybody.
func asks(ctx context.Context, connection *rest.Config) func() error {
	client := kubernetes.NewForConfigOrDie(connection)
	return func() error {
		_, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		return err
	}
}

// node is what a control plane node has: the files, and what the API server shows.
type node struct{ directory, certificate, key string }

func newNode(g Gomega, directory string, clientCA *controlplane.CA) node {
	n := node{directory: directory, certificate: filepath.Join(directory, "client.crt"), key: filepath.Join(directory, "client.key")}
	cert, key, err := clientCA.ClientCertificate(clientName)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(n.certificate, cert, 0o600)).To(Succeed())
	g.Expect(os.WriteFile(n.key, key, 0o600)).To(Succeed())
	return n
}

// put puts the files there, in their order, each at once.
func (n node) put(g Gomega, address string, servingCA *controlplane.CA, failurePolicy string) {
	kind, err := authorizationconfig.KindOf("file")
	g.Expect(err).NotTo(HaveOccurred())
	server, err := authorizationconfig.ServerURL("https://" + address)
	g.Expect(err).NotTo(HaveOccurred())
	files, err := kind.Files(authorizationconfig.Parameters{
		Server: server, TLSServerName: authorizationconfig.ServerName("client-identity-system"), CertificateAuthorityData: servingCA.CertPEM(),
		ClientCertificate: n.certificate, ClientKey: n.key, Directory: n.directory, FailurePolicy: failurePolicy,
	})
	g.Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		path := filepath.Join(n.directory, file.Name)
		g.Expect(os.WriteFile(path+".new", file.Content, 0o600)).To(Succeed())
		g.Expect(os.Rename(path+".new", path)).To(Succeed())
	}
}

// sum returns what sha256sum says of the AuthorizationConfiguration.
func (n node) sum(g Gomega) string {
	content, err := os.ReadFile(filepath.Join(n.directory, "authorization.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

// expectMetricsOfTheGuide expects each metric that the guide names, but for the one that counts conditions that fail: none does.
func expectMetricsOfTheGuide(g Gomega, metrics string) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "deny.md"))
	g.Expect(err).NotTo(HaveOccurred())
	names := regexp.MustCompile(`apiserver_authorization_\w+`).FindAllString(string(guide), -1)
	g.Expect(len(names)).To(BeNumerically(">", 5))
	for _, name := range names {
		series := MatchRegexp(`(?m)^` + name + `(_count)?\{`)
		if name == "apiserver_authorization_match_condition_evaluation_errors_total" {
			series = Not(series)
		}
		g.Expect(metrics).To(series, name)
	}
}

func newCA(g Gomega, name string) *controlplane.CA {
	ca, err := controlplane.NewCA(name, caLifetime)
	g.Expect(err).NotTo(HaveOccurred())
	return ca
}
