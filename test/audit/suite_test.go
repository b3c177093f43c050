// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package audit tests what the API server's audit events tell of identities: with the shipped policy, with the commands of the
// guide, and in the status that the operator keeps.
package audit

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/usage"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

// caLifetime is the lifetime of the CAs that specs make.
const caLifetime = time.Hour

// auditClient is the name of the client certificate that the API server posts its audit events with.
const auditClient = "kube-apiserver-kubelet-client"

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	running    *operator.Running
	// endpoint is the address that the API server posts its audit events to, and auditCA the CA of the certificate that it shows.
	endpoint string
	auditCA  *controlplane.CA
	// auditDir has the certificates of both sides.
	auditDir string
)

func TestAudit(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Audit Suite")
}

var _ = BeforeSuite(func() {
	var err error
	auditCA, err = controlplane.NewCA("audit-ca", caLifetime)
	Expect(err).NotTo(HaveOccurred())
	endpoint = freeAddress()
	ctx, cp, admin = suite.Start(controlplane.Options{
		AuditPolicy: shipped("config/audit/policy.yaml"),
		APIServerFlags: map[string][]string{
			"audit-webhook-config-file":    {auditWebhookConfig()},
			"audit-webhook-batch-max-wait": {"1s"},
			// It tries five times, so this is how long an operator may be away.
			"audit-webhook-initial-backoff": {"100ms"},
		},
	}, GinkgoWriter)
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	startOperator()
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
})

// startOperator runs the operator in this process; a spec that stops it starts it again.
func startOperator(configure ...func(*manager.Options)) {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, func(options *manager.Options) {
		takesAuditEvents(options)
		for _, c := range configure {
			c(options)
		}
	})
	Expect(err).NotTo(HaveOccurred())
}

// auditWebhookConfig writes the shipped kubeconfig with which the API server posts its audit events, with the addresses and
// keys of this suite, and the serving certificate of the operator. It returns the path of the kubeconfig.
func auditWebhookConfig() string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		Expect(os.WriteFile(path, content, 0o600)).To(Succeed())
		return path
	}
	config, err := clientcmd.Load(shipped("config/audit/webhook.yaml"))
	Expect(err).NotTo(HaveOccurred())
	cluster, user := config.Clusters["client-identity-operator"], config.AuthInfos["kube-apiserver"]
	Expect(cluster.Server).To(HaveSuffix(":9444" + usage.Path))
	cluster.Server = "https://" + endpoint + usage.Path
	cluster.CertificateAuthority = write("ca.crt", auditCA.CertPEM())
	cert, key, err := auditCA.ClientCertificate(auditClient)
	Expect(err).NotTo(HaveOccurred())
	user.ClientCertificate, user.ClientKey = write("client.crt", cert), write("client.key", key)
	cert, key, err = auditCA.ServerCertificate(cluster.TLSServerName)
	Expect(err).NotTo(HaveOccurred())
	write("tls.crt", cert)
	write("tls.key", key)
	auditDir = dir
	path := filepath.Join(dir, "webhook.yaml")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// takesAuditEvents makes an operator take the audit events of the API server, under an address of its own.
func takesAuditEvents(options *manager.Options) {
	options.Webhook.CertDir = auditDir
	options.Audit.BindAddress = endpoint
	options.Audit.ClientCAFile = filepath.Join(auditDir, "ca.crt")
	options.Audit.ClientName = auditClient
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "localhost:0")
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = listener.Close() }()
	return fmt.Sprintf("localhost:%d", listener.Addr().(*net.TCPAddr).Port)
}

// shipped returns a file of the repository.
func shipped(path string) []byte {
	GinkgoHelper()
	root, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	content, err := os.ReadFile(filepath.Join(root, path))
	Expect(err).NotTo(HaveOccurred())
	return content
}

var identities int

// newIdentity creates an identity with a name that no other spec uses, waits until it is ready and returns it.
func newIdentity(base string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identities++
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = fmt.Sprintf("%s-%d", base, identities)
	identity.Spec.Username = identity.Name + "@example.com"
	for _, change := range changes {
		change(identity)
	}
	Expect(admin.Create(ctx, identity)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, identity))).To(Succeed()) })
	Eventually(func() bool {
		return meta.IsStatusConditionTrue(get(identity.Name).Status.Conditions, v1alpha1.ConditionReady)
	}).Should(BeTrue(), "%s is ready", identity.Name)
	return get(identity.Name)
}

// get returns the identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// holder returns a connection as the holder of the published kubeconfig.
func holder(identity *v1alpha1.ClientIdentity) *rest.Config {
	GinkgoHelper()
	secret := &corev1.Secret{}
	ref := identity.Status.SecretRef
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)).To(Succeed())
	config, err := clientcmd.RESTConfigFromKubeConfig(secret.Data["kubeconfig"])
	if err != nil {
		Fail("clientcmd does not read the kubeconfig") // without printing it
	}
	return config
}

// use calls the API server as the holder of a connection, who may be allowed to or not.
func use(config *rest.Config, userAgent string) {
	GinkgoHelper()
	config = rest.CopyConfig(config)
	config.UserAgent = userAgent
	clients, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	_, _ = clients.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{}) // Forbidden is an answer, too
}
