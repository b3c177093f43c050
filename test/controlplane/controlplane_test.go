// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/test/controlplane"
)

const (
	bound   = 30 * time.Second // for what takes a second or so
	cadence = 50 * time.Millisecond
)

var ctx = context.Background()

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // else controller-runtime complains that nobody did
	os.Exit(m.Run())
}

// TestControlPlane runs its parts in order on one control plane: each finds what the earlier ones left.
func TestControlPlane(t *testing.T) {
	g := NewWithT(t)
	began := time.Now()
	cp, err := controlplane.Start(ctx, controlplane.Options{
		SigningDuration: time.Hour,
		AuditPolicy:     []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"),
		Progress:        t.Logf,
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Logf("started in %s", time.Since(began))
	t.Cleanup(func() { g.Expect(cp.Stop()).To(Succeed()) })

	t.Run("keeps private keys to itself", func(t *testing.T) { testPrivateFiles(t, cp) })
	t.Run("serves kubectl", func(t *testing.T) { testKubectl(t, cp) })
	t.Run("issues service account tokens", func(t *testing.T) { testTokens(t, cp) })
	t.Run("writes the audit log", func(t *testing.T) { testAuditLog(t, cp) })
	t.Run("publishes the cluster's address", func(t *testing.T) { testClusterInfo(t, cp) })
	t.Run("signs client certificates, for the signing duration at most", func(t *testing.T) { testSigning(t, cp) })
	t.Run("collects garbage", func(t *testing.T) { testGarbageCollection(t, cp) })
	for _, c := range []controlplane.Component{controlplane.Etcd, controlplane.APIServer, controlplane.ControllerManager} {
		t.Run("keeps data over a restart of "+string(c), func(t *testing.T) { testRestart(t, cp, c) })
	}
	t.Run("serves through a second API server, also while the first one is paused", func(t *testing.T) { testSecondAPIServer(t, cp) })
	t.Run("rotates the client CA", func(t *testing.T) { testRotation(t, cp) })
	t.Run("leaves nothing behind", func(t *testing.T) { testStop(t, cp) })
}

func TestStartNamesTheComponentThatFailed(t *testing.T) {
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), "plane")
	_, err := controlplane.Start(ctx, controlplane.Options{
		Dir:            dir,
		APIServerFlags: map[string][]string{"no-such-flag": {"true"}},
	})
	g.Expect(err).To(MatchError(And(
		ContainSubstring("kube-apiserver did not start"),
		ContainSubstring("unknown flag: --no-such-flag"))))
	g.Expect(processesOf(g, dir)).To(BeEmpty())
}

func TestStartSaysHowToGetTheBinaries(t *testing.T) {
	_, err := controlplane.Start(ctx, controlplane.Options{BinDir: t.TempDir()})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("run: make control-plane")))
}

// killedDir is set for the copy of this test that is to be killed.
const killedDir = "CONTROL_PLANE_TEST_KILLED_DIR"

func TestProcessesDieWithAKilledTest(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		_, err := controlplane.Start(ctx, controlplane.Options{Dir: dir})
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect(os.WriteFile(filepath.Join(dir, "started"), nil, 0o600)).To(Succeed())
		select {} // until it is killed
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("needs setpriv of util-linux")
	}
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), "plane")
	test := exec.Command(os.Args[0], "-test.run=^TestProcessesDieWithAKilledTest$")
	test.Env = append(os.Environ(), killedDir+"="+dir)
	g.Expect(test.Start()).To(Succeed())
	t.Cleanup(func() { _ = test.Process.Kill(); _ = test.Wait() })

	g.Eventually(filepath.Join(dir, "started"), 2*bound, cadence).Should(BeAnExistingFile()) //nolint:ginkgolinter // the matcher looks at the file anew each time
	g.Expect(processesOf(g, dir)).To(HaveLen(3))
	g.Expect(test.Process.Kill()).To(Succeed())
	g.Eventually(func() []string { return processesOf(g, dir) }, bound, cadence).Should(BeEmpty())
}

func testPrivateFiles(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	secret := 0
	g.Expect(filepath.WalkDir(cp.Dir(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if ext := filepath.Ext(path); ext != ".key" && ext != ".kubeconfig" {
			return nil
		}
		info, err := entry.Info()
		g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)), path)
		secret++
		return err
	})).To(Succeed())
	g.Expect(secret).To(BeNumerically(">=", 5))
}

func testKubectl(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	out, err := exec.Command(cp.Kubectl(), "--kubeconfig", cp.Kubeconfig(), "auth", "whoami").CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	g.Expect(string(out)).To(ContainSubstring("system:masters"))
}

func testTokens(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	clients := kubernetes.NewForConfigOrDie(cp.Config())
	token, err := clients.CoreV1().ServiceAccounts("default").
		CreateToken(ctx, "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	config := rest.AnonymousClientConfig(cp.Config())
	config.BearerToken = token.Status.Token
	g.Expect(whoami(config)).To(HaveField("Username", "system:serviceaccount:default:default"))
}

func testAuditLog(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	g.Eventually(func() (string, error) {
		log, err := os.ReadFile(cp.AuditLog())
		return string(log), err
	}, bound, cadence).Should(ContainSubstring(`"username":"controlplane-admin"`))
}

func testClusterInfo(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	g.Expect(cp.PublishClusterInfo(ctx)).To(Succeed())
	g.Expect(cp.PublishClusterInfo(ctx)).To(Succeed(), "a second time")
	info, key := &corev1.ConfigMap{}, client.ObjectKey{Namespace: "kube-public", Name: "cluster-info"}
	g.Expect(newClient(g, cp.Config()).Get(ctx, key, info)).To(Succeed())
	g.Expect(info.Data["kubeconfig"]).To(And(ContainSubstring(cp.URL()), ContainSubstring("certificate-authority-data")))
}

func testSigning(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	config := signedUser(g, cp, "alice", "team-a", 2*time.Hour)
	g.Expect(whoami(config)).To(And(
		HaveField("Username", "alice"),
		HaveField("Groups", ConsistOf("team-a", "system:authenticated"))))

	block, _ := pem.Decode(config.CertData)
	cert, err := x509.ParseCertificate(block.Bytes)
	g.Expect(err).NotTo(HaveOccurred())
	// The signer sets notBefore five minutes back.
	g.Expect(cert.NotAfter.Sub(cert.NotBefore)).To(BeNumerically("<=", time.Hour+5*time.Minute))
	g.Expect(cert.CheckSignatureFrom(cp.ClientCA().Certificate())).To(Succeed())
}

func testGarbageCollection(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	c := newClient(g, cp.Config())
	g.Expect(cp.WaitForGarbageCollection(ctx, c, func(name string) client.Object {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
	})).To(Succeed())
	left := &corev1.ConfigMapList{}
	g.Expect(c.List(ctx, left, client.InNamespace("default"))).To(Succeed())
	g.Expect(left.Items).To(HaveLen(1), "kube-root-ca.crt only")
}

func testRestart(t *testing.T, cp *controlplane.ControlPlane, component controlplane.Component) {
	g := NewWithT(t)
	c, url := newClient(g, cp.Config()), cp.URL()
	marker := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "before-" + string(component)}}
	g.Expect(c.Create(ctx, marker)).To(Succeed())

	g.Expect(cp.StopComponent(component)).To(Succeed())
	g.Expect(processesOf(g, cp.Dir())).To(HaveLen(2))
	g.Expect(cp.StartComponent(ctx, component)).To(Succeed())
	g.Expect(processesOf(g, cp.Dir())).To(HaveLen(3))

	g.Expect(cp.URL()).To(Equal(url))
	g.Eventually(func() error {
		return c.Get(ctx, client.ObjectKeyFromObject(marker), marker)
	}, bound, cadence).Should(Succeed())
	config := signedUser(g, cp, "after-"+string(component), "team-a", time.Hour)
	g.Expect(whoami(config)).To(HaveField("Groups", ContainElement("team-a")))
}

func testSecondAPIServer(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	second, err := cp.AddAPIServer(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(second.Host).NotTo(Equal(cp.URL()))
	user := signedUser(g, cp, "carol", "team-c", time.Hour)
	g.Expect(whoami(cp.ThroughSecond(user))).To(HaveField("Username", "carol"))

	g.Expect(cp.Pause(controlplane.APIServer)).To(Succeed())
	impatient := cp.Config()
	impatient.Timeout = time.Second
	// client-go says it in two ways, by where the time ran out.
	g.Expect(whoami(impatient)).Error().To(MatchError(os.IsTimeout, "a timeout"))
	g.Expect(whoami(second)).Error().NotTo(HaveOccurred())
	g.Expect(cp.Resume(controlplane.APIServer)).To(Succeed())
	g.Eventually(func() error { _, err := whoami(cp.Config()); return err }, bound, cadence).Should(Succeed())
	g.Expect(cp.StopComponent(controlplane.SecondAPIServer)).To(Succeed())
	g.Expect(cp.Pause(controlplane.SecondAPIServer)).To(MatchError(ContainSubstring("it does not run")))

	for _, c := range []controlplane.Component{controlplane.Etcd, controlplane.APIServer, controlplane.ControllerManager} {
		pid, err := cp.PID(c)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))).To(ContainSubstring(string(c)))
	}
}

func testRotation(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	oldCA := cp.ClientCA()
	newCA, err := controlplane.NewCA("next-client-ca", 24*time.Hour)
	g.Expect(err).NotTo(HaveOccurred())
	before, err := cp.ConfigFor("bob", "team-b")
	g.Expect(err).NotTo(HaveOccurred())

	g.Expect(cp.TrustClientCAs(ctx, oldCA, newCA)).To(Succeed())
	g.Expect(cp.UseSigningCA(ctx, newCA)).To(Succeed())
	g.Expect(cp.ClientCA()).To(BeIdenticalTo(newCA))
	after := signedUser(g, cp, "bob", "team-b", time.Hour)
	for _, config := range []*rest.Config{before, after, cp.Config()} {
		g.Expect(whoami(config)).Error().NotTo(HaveOccurred(), "while both CAs are trusted")
	}

	g.Expect(cp.TrustClientCAs(ctx, newCA)).To(Succeed())
	_, err = whoami(before)
	g.Expect(apierrors.IsUnauthorized(err)).To(BeTrue(), "old CA: %v", err)
	g.Expect(whoami(after)).To(HaveField("Username", "bob"))
	g.Expect(whoami(cp.Config())).To(HaveField("Groups", ContainElement("system:masters")))
	minted, err := cp.ConfigFor("carol")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(whoami(minted)).To(HaveField("Username", "carol"))
}

func testStop(t *testing.T, cp *controlplane.ControlPlane) {
	g := NewWithT(t)
	g.Expect(cp.Stop()).To(Succeed())
	g.Expect(processesOf(g, cp.Dir())).To(BeEmpty())
	g.Expect(cp.Dir()).NotTo(BeAnExistingFile())
	g.Expect(cp.Stop()).To(Succeed(), "a second time")
	g.Expect(cp.StartComponent(ctx, controlplane.Etcd)).To(MatchError(ContainSubstring("is stopped")))
}
