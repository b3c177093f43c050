// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package preflight runs manager preflight against a real control plane, as platform engineers do: before the operator is installed,
// after it is, as the operator itself, and on clusters that lack something.
package preflight

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/preflight"
	"github.com/clientidentity/operator/test/controlplane"
)

// month is the longest lifetime that is signed here.
const month = 30 * 24 * time.Hour

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// binary is the operator, home an empty directory.
	binary, home string
)

func TestPreflight(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Preflight Suite")
}

var _ = BeforeSuite(func() {
	var err error
	binary, err = gexec.Build("github.com/clientidentity/operator/cmd")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	home = GinkgoT().TempDir()
	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	DeferCleanup(func() { ctrl.SetLogger(logr.Discard()) })
	cp, err = controlplane.Start(ctx, controlplane.Options{SigningDuration: month})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cp.Stop()).To(Succeed()) })
	admin, err = client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
})

// run is one run of preflight.
type run struct {
	report preflight.Report
	stderr string
	code   int
}

// command returns preflight, not started yet, with no more than a kubeconfig and flags.
func command(kubeconfig string, flags ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{"preflight", "--tries=3", "--kubeconfig", kubeconfig}, flags...)...)
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// codeOf returns what a program ended with.
func codeOf(err error) int {
	GinkgoHelper()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode()
	}
	Expect(err).NotTo(HaveOccurred())
	return 0
}

// as runs preflight with a kubeconfig. Whatever came of it, no request is left behind, and its report holds no key.
func as(kubeconfig string, flags ...string) run {
	GinkgoHelper()
	cmd := command(kubeconfig, append([]string{"-o=json"}, flags...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	r := run{code: codeOf(cmd.Run()), stderr: stderr.String()}
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	Expect(decoder.Decode(&r.report)).To(Succeed(), r.stderr)
	Expect(decoder.More()).To(BeFalse(), "the report is alone on stdout")
	Expect(requests()).To(BeEmpty(), "requests that are left")
	Expect(r.code).To(Equal(map[preflight.Result]int{preflight.OK: 0, preflight.Fail: 1}[r.report.Result]))
	return r
}

// asAdmin runs preflight as an administrator.
func asAdmin(flags ...string) run {
	GinkgoHelper()
	return as(cp.Kubeconfig(), flags...)
}

// requests returns the names of all requests for certificates.
func requests() []string {
	GinkgoHelper()
	var list certificatesv1.CertificateSigningRequestList
	Expect(admin.List(ctx, &list)).To(Succeed())
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// results returns what came of each check.
func (r run) results() map[string]preflight.Result {
	results := map[string]preflight.Result{}
	for _, check := range r.report.Checks {
		results[check.Name] = check.Result
	}
	return results
}

// check returns one finding.
func (r run) check(name string) preflight.Finding {
	GinkgoHelper()
	for _, check := range r.report.Checks {
		if check.Name == name {
			return check
		}
	}
	Fail("there is no check " + name)
	return preflight.Finding{}
}

// but returns the results where all works, before an installation, but for some.
func but(others map[string]preflight.Result) map[string]preflight.Result {
	results := map[string]preflight.Result{
		"api-server": preflight.OK, "caller": preflight.OK, "clock": preflight.OK, "operator": preflight.OK, "rights": preflight.OK, "holder-role": preflight.Skip,
		"secret-namespaces": preflight.OK, "pod-security": preflight.OK, "signer": preflight.OK, "shortest-lifetime": preflight.OK,
		"longest-lifetime": preflight.Warn, "authentication": preflight.OK, "kubeconfig-server": preflight.OK, "kubeconfig-ca": preflight.OK,
		"kubeconfig-authentication": preflight.Skip, "admission": preflight.Skip, "policies": preflight.Skip, "denial": preflight.Off,
	}
	for name, result := range others {
		results[name] = result
	}
	return results
}

// kubeconfigOf writes a kubeconfig for a connection and returns its path.
func kubeconfigOf(connection *rest.Config) string {
	GinkgoHelper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: connection.Host, CertificateAuthorityData: connection.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: connection.CertData, ClientKeyData: connection.KeyData, Token: connection.BearerToken}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}
