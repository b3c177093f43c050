// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// server is a Prometheus that runs on this machine.
type server struct {
	ctx     context.Context
	address string
}

// startPrometheus starts a Prometheus that scrapes an operator and an API server every second with a token, and evaluates rules as
// often. It ends with the spec.
func startPrometheus(ctx context.Context, operatorAddress, apiServer, token string, rules ruleFile) *server {
	GinkgoHelper()
	binary := prometheus(specTB{})
	dir := GinkgoT().TempDir()
	rules.write(specTB{}, filepath.Join(dir, "rules.yaml"))
	Expect(os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600)).To(Succeed())
	// As config/prometheus has it: an authorized client, and a certificate that the operator signs itself.
	config := fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
- job_name: client-identity-operator
  scheme: https
  authorization: {credentials_file: token}
  tls_config: {insecure_skip_verify: true}
  static_configs: [{targets: ["%s"]}]
- job_name: kube-apiserver
  scheme: https
  authorization: {credentials_file: token}
  tls_config: {insecure_skip_verify: true}
  static_configs: [{targets: ["%s"]}]
  metric_relabel_configs: [{source_labels: [__name__], regex: apiserver_authorization_.*, action: keep}]
`, operatorAddress, strings.TrimPrefix(apiServer, "https://"))
	Expect(os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600)).To(Succeed())
	s := &server{ctx: ctx, address: freeAddress()}
	cmd := exec.CommandContext(ctx, binary, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+s.address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = GinkgoWriter, GinkgoWriter
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	Expect(cmd.Start()).To(Succeed())
	DeferCleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails where it has ended
		_ = cmd.Wait()                          // says that a signal ended it
	})
	return s
}

// ask asks the HTTP API of Prometheus and decodes the data of the answer.
func (s *server) ask(path string, parameters url.Values, into any) error {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "http://"+s.address+"/api/v1/"+path+"?"+parameters.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// target is what Prometheus knows of an endpoint that it scrapes.
type target struct {
	Health    string            `json:"health"`
	LastError string            `json:"lastError"`
	Labels    map[string]string `json:"labels"`
}

// operator returns the one target that is the operator.
func (s *server) operator() (target, error) {
	var found struct {
		Active []target `json:"activeTargets"`
	}
	if err := s.ask("targets", nil, &found); err != nil {
		return target{}, err
	}
	for _, t := range found.Active {
		if t.Labels["job"] == "client-identity-operator" {
			return t, nil
		}
	}
	return target{}, fmt.Errorf("of %d targets none is the operator", len(found.Active))
}

// alert is one that is pending or fires.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"`
}

// firing returns the names of the alerts that fire for an identity.
func (s *server) firing(identity string) ([]string, error) {
	var found struct {
		Alerts []alert `json:"alerts"`
	}
	if err := s.ask("alerts", nil, &found); err != nil {
		return nil, err
	}
	names := []string{}
	for _, a := range found.Alerts {
		if a.State == "firing" && a.Labels["identity"] == identity {
			names = append(names, a.Labels["alertname"])
		}
	}
	return names, nil
}

// sample is one of the answers to a query.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// query returns the samples of a query.
func (s *server) query(expression string) ([]sample, error) {
	var found struct {
		Result []sample `json:"result"`
	}
	err := s.ask("query", url.Values{"query": {expression}}, &found)
	return found.Result, err
}

// metricNames returns the names of all metrics that were ever scraped.
func (s *server) metricNames() ([]string, error) {
	var names []string
	err := s.ask("label/__name__/values", nil, &names)
	return names, err
}

// specTB ends or skips the spec that runs.
type specTB struct{}

func (specTB) Fatal(args ...any) { Fail(fmt.Sprintln(args...), 1) }
func (specTB) Skip(args ...any)  { Skip(fmt.Sprintln(args...), 1) }

// freeAddress returns an address on the loopback that nobody listens on.
func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
