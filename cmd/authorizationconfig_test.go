// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/internal/authorizationconfig"
)

// run runs the subcommand, with an empty home.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out, problems bytes.Buffer
	err = printAuthorizationConfig(t.Context(), args, &out, &problems)
	return out.String(), problems.String(), err
}

// caFile is a file with the PEM of a CA, that of a test server of Go.
func caFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(path, caOf(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// caOf returns the PEM of some CA.
func caOf(t *testing.T) []byte {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func TestItPrintsWithoutACluster(t *testing.T) {
	stdout, stderr, err := run(t, "--for=kubeadm", "--server=https://10.96.0.99", "--certificate-authority="+caFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if documents := strings.Split(stdout, "---\n"); len(documents) != 3 || !strings.Contains(documents[1], "kind: AuthorizationConfiguration") {
		t.Errorf("unexpected output:\n%s", stdout)
	}
	if !strings.Contains(stderr, "--authorization-webhook-client-name=kube-apiserver-kubelet-client") || strings.Contains(stderr, "WARNING") {
		t.Errorf("unexpected notes: %s", stderr)
	}
}

func TestDenyIsWarnedOf(t *testing.T) {
	_, stderr, err := run(t, "--for=k3s", "--server=https://10.96.0.99", "--certificate-authority="+caFile(t), "--failure-policy=Deny")
	if err != nil || !strings.Contains(stderr, "WARNING") {
		t.Errorf("no warning: %v, %s", err, stderr)
	}
}

func TestFilesAreOverwrittenOnlyWhenForced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	args := []string{"--for=file", "--server=https://10.96.0.99", "--certificate-authority=" + caFile(t),
		"--client-certificate=/pki/client.crt", "--client-key=/pki/client.key", "--output-dir=" + dir}
	stdout, _, err := run(t, args...)
	if err != nil || stdout != "" {
		t.Fatalf("%v, printed: %s", err, stdout)
	}
	config := filepath.Join(dir, "authorization.yaml")
	if err := os.WriteFile(config, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run(t, args...); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("error %v, want one that tells of --force", err)
	}
	if content, _ := os.ReadFile(config); string(content) != "mine" {
		t.Error("the file was overwritten")
	}
	if _, _, err := run(t, append(args, "--force")...); err != nil {
		t.Error(err)
	}
	if content, _ := os.ReadFile(config); string(content) == "mine" {
		t.Error("the file was not overwritten")
	}
}

func TestBadInputSaysWhatToDo(t *testing.T) {
	ca := caFile(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no kind of cluster":   {nil, "--for must say how the cluster was made: one of kubeadm, k3s, rke2, talos, file"},
		"no cluster":           {[]string{"--for=kubeadm"}, "set --server and --certificate-authority, with which no cluster is asked"},
		"a wrong flag":         {[]string{"--kind=kubeadm"}, "see manager authorization-config --help"},
		"an argument":          {[]string{"kubeadm"}, `unexpected argument "kubeadm"`},
		"half a certificate":   {[]string{"--for=kubeadm", "--client-key=/a"}, "belong together"},
		"no certificate":       {[]string{"--for=file"}, "--client-certificate must be set"},
		"a file without a CA":  {[]string{"--for=k3s", "--server=https://10.96.0.99", "--certificate-authority=main.go"}, "the CA bundle has no certificate"},
		"a CA that is missing": {[]string{"--for=k3s", "--server=https://10.96.0.99", "--certificate-authority=" + ca + "x"}, "--certificate-authority: "},
		"a server without TLS": {[]string{"--for=k3s", "--server=10.96.0.99", "--certificate-authority=" + ca}, "must be an https:// URL"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := run(t, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if stdout != "" {
				t.Errorf("printed all the same: %s", stdout)
			}
		})
	}
}

func TestHelpNamesEachFlag(t *testing.T) {
	stdout, _, err := run(t, "--help")
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(stdout, "-failure-policy") || !strings.Contains(stdout, "docs/guides/deny.md") {
		t.Errorf("%v, printed: %s", err, stdout)
	}
	if subcommandOf([]string{"--leader-elect"}) != nil || subcommandOf(nil) != nil || subcommandOf([]string{"authorization-config", "--help"}) == nil {
		t.Error("the operator itself takes no subcommand, and authorization-config is one")
	}
}

// answers are what a cluster says.
type answers struct {
	version apiversion.Info
	service corev1.Service
	webhook admissionregistrationv1.ValidatingWebhookConfiguration
}

// aCluster is an API server that knows the operator's Service and webhook, after the changes given; it returns its kubeconfig.
func aCluster(t *testing.T, change func(*answers)) string {
	t.Helper()
	a := answers{
		version: apiversion.Info{Major: "1", Minor: "36+", GitVersion: "v1.36.3"},
		service: corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.99", Ports: []corev1.ServicePort{{Port: 443}, {Port: authorizationconfig.Port}}}},
		webhook: admissionregistrationv1.ValidatingWebhookConfiguration{Webhooks: []admissionregistrationv1.ValidatingWebhook{
			{ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: caOf(t)}}}},
	}
	change(&a)
	mux := http.NewServeMux()
	for path, object := range map[string]any{
		"/version": a.version,
		"/api/v1/namespaces/client-identity-system/services/client-identity-operator-webhook":            a.service,
		"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/client-identity-operator": a.webhook,
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(object); err != nil {
				t.Error(err)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test"}
	config.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheClusterSaysWhereTheOperatorIs(t *testing.T) {
	kubeconfig := aCluster(t, func(*answers) {})
	stdout, _, err := run(t, "--for=talos", "--kubeconfig="+kubeconfig)
	if err != nil || !strings.Contains(stdout, "server: https://10.96.0.99:9445/authorize") {
		t.Errorf("%v, printed: %s", err, stdout)
	}
}

func TestAClusterThatIsNotReadyIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*answers)
		want   string
	}{
		"an old one": {func(a *answers) {
			a.version.Minor, a.version.GitVersion = "33", "v1.33.1"
		}, "the API server is v1.33.1: denying takes Kubernetes 1.34"},
		"without the overlay": {func(a *answers) {
			a.service.Spec.Ports = a.service.Spec.Ports[:1]
		}, "install config/overlays/authorization-webhook first"},
		"without a ClusterIP": {func(a *answers) {
			a.service.Spec.ClusterIP = corev1.ClusterIPNone
		}, "set --server to an address that the API server reaches"},
		"without a CA": {func(a *answers) {
			a.webhook.Webhooks[0].ClientConfig.CABundle = nil
		}, "wait until the operator is ready"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := run(t, "--for=kubeadm", "--kubeconfig="+aCluster(t, test.change)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	kubeconfig := aCluster(t, func(*answers) {})
	if _, _, err := run(t, "--for=kubeadm", "--namespace=elsewhere", "--kubeconfig="+kubeconfig); err == nil || !strings.Contains(err.Error(), "set --namespace") {
		t.Errorf("error %v, want one that tells of --namespace", err)
	}
}
