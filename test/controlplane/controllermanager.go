// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// controllerManager runs kube-controller-manager as envtest runs the API server.
type controllerManager struct {
	path string
	args []string
	log  *os.File

	health *http.Client
	url    string

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// newControllerManager returns the controller manager, not started yet.
func (cp *ControlPlane) newControllerManager(port int) (*controllerManager, error) {
	log, err := cp.openLog(ControllerManager)
	if err != nil {
		return nil, err
	}
	// Without --use-service-account-credentials all controllers share this identity, hence its group.
	config, err := withCertificate(cp.adminCA, cp.baseConfig(), "system:kube-controller-manager", "system:masters")
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(cp.dir, "controller-manager.kubeconfig")
	if err := writeKubeconfig(kubeconfig, config); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cp.serverCA.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	return &controllerManager{
		path:   filepath.Join(cp.binDir, string(ControllerManager)),
		args:   cp.controllerManagerArgs(kubeconfig, port),
		log:    log,
		health: &http.Client{Transport: transport, Timeout: time.Second},
		url:    "https://" + net.JoinHostPort(loopback, strconv.Itoa(port)) + "/healthz?verbose=true",
	}, nil
}

func (cp *ControlPlane) controllerManagerArgs(kubeconfig string, port int) []string {
	orDefault := func(value, otherwise int) string {
		if value == 0 {
			value = otherwise
		}
		return strconv.Itoa(value)
	}
	file := func(name string) string { return filepath.Join(cp.pki(), name) }
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--controllers=" + strings.Join(cp.controllers(), ","),
		"--use-service-account-credentials=false",
		"--leader-elect=false",
		"--kube-api-qps=" + orDefault(cp.options.SignerQPS, 1000),
		"--kube-api-burst=" + orDefault(cp.options.SignerBurst, 2000),
		"--cluster-signing-cert-file=" + file(signingCA+".crt"),
		"--cluster-signing-key-file=" + file(signingCA+".key"),
		"--service-account-private-key-file=" + file(serviceAccount+".key"),
		"--root-ca-file=" + cp.serverCAFile(),
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + file(serving+".crt"),
		"--tls-private-key-file=" + file(serving+".key"),
	}
	if cp.options.SigningDuration > 0 {
		args = append(args, "--cluster-signing-duration="+cp.options.SigningDuration.String())
	}
	return args
}

// Start starts the process and waits until it is healthy, has ended, or has taken too long.
func (m *controllerManager) Start() error {
	m.cmd = exec.Command(m.path, m.args...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	m.cmd.SysProcAttr = childAttributes()
	if err := m.cmd.Start(); err != nil {
		m.cmd = nil
		return err
	}
	m.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // its log says why it ended
		close(exited)
	}(m.cmd, m.exited)

	tooLate := time.After(startTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if m.healthy() {
			return nil
		}
		select {
		case <-m.exited:
			return fmt.Errorf("it ended: %s", m.cmd.ProcessState)
		case <-tooLate:
			return fmt.Errorf("it was not healthy within %s", startTimeout)
		case <-tick.C:
		}
	}
}

// Stop ends the process: SIGTERM, then SIGKILL.
func (m *controllerManager) Stop() error {
	if m.cmd == nil {
		return nil
	}
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Kill} {
		if err := m.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-m.exited:
			m.cmd = nil
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return fmt.Errorf("process %d is still there after SIGKILL", m.cmd.Process.Pid)
}

// lastCheck is the check that is there once all controllers are started. Before that it ends where the API server goes away, and
// nobody starts it again, as a kubelet would.
const lastCheck = "certificatesigningrequest-signing-controller ok"

func (m *controllerManager) healthy() bool {
	response, err := m.health.Get(m.url)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	checks, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == http.StatusOK && strings.Contains(string(checks), lastCheck)
}
