// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	loopback = "127.0.0.1"
	etcdDir  = "etcd"
)

// prepare makes keys, files and the three runners, and starts nothing.
func (cp *ControlPlane) prepare() error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	if err := cp.makeKeys(); err != nil {
		return fmt.Errorf("making keys: %w", err)
	}
	if err := cp.prepareAuthorization(); err != nil {
		return fmt.Errorf("preparing authorization: %w", err)
	}
	etcd, err := cp.newEtcd(ports[0])
	if err != nil {
		return err
	}
	cp.etcdURL = etcd.URL
	if cp.apiServer, err = cp.newAPIServer(APIServer, ports[1]); err != nil {
		return err
	}
	if err := cp.makeAdmin(); err != nil {
		return fmt.Errorf("making the administrator: %w", err)
	}
	manager, err := cp.newControllerManager(ports[2])
	if err != nil {
		return err
	}
	cp.runners = map[Component]runner{Etcd: etcd, APIServer: cp.apiServer, ControllerManager: manager}
	return nil
}

// newEtcd returns etcd, not started yet.
func (cp *ControlPlane) newEtcd(port int) (*envtest.Etcd, error) {
	log, err := cp.openLog(Etcd)
	if err != nil {
		return nil, err
	}
	path, err := cp.binary(Etcd)
	if err != nil {
		return nil, err
	}
	dataDir := filepath.Join(cp.dir, etcdDir)
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, err
	}
	return &envtest.Etcd{
		URL:          &url.URL{Scheme: "http", Host: net.JoinHostPort(loopback, strconv.Itoa(port))},
		Path:         path,
		DataDir:      dataDir,
		StartTimeout: startTimeout,
		StopTimeout:  etcdStopTimeout,
		Out:          log,
		Err:          log,
	}, nil
}

// newAPIServer returns the API server, not started yet.
func (cp *ControlPlane) newAPIServer(c Component, port int) (*envtest.APIServer, error) {
	log, err := cp.openLog(c)
	if err != nil {
		return nil, err
	}
	path, err := cp.binary(c)
	if err != nil {
		return nil, err
	}
	server := &envtest.APIServer{
		Path:    path,
		CertDir: cp.pki(),
		EtcdURL: cp.etcdURL,
		SecureServing: envtest.SecureServing{
			ListenAddr: envtest.ListenAddr{Address: cp.address(), Port: strconv.Itoa(port)},
			CA:         cp.serverCA.CertPEM(),
			Authn:      cp.clientCAs,
		},
		StartTimeout: startTimeout,
		StopTimeout:  stopTimeout,
		Out:          log,
		Err:          log,
	}
	return server, cp.configureAPIServer(server.Configure())
}

// configureAPIServer sets this package's flags, then the caller's.
func (cp *ControlPlane) configureAPIServer(args *envtest.Arguments) error {
	args.Set("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	// envtest turns the ServiceAccount plugin off because nobody makes the default service accounts. Here somebody does.
	args.Disable("disable-admission-plugins")
	// Without it, open watches keep a stopping API server alive for a minute.
	args.Set("shutdown-watch-termination-grace-period", "1s")
	if cp.AuditLog() != "" {
		policy := filepath.Join(cp.dir, "audit-policy.yaml")
		if err := writeFile(policy, cp.options.AuditPolicy); err != nil {
			return err
		}
		args.Set("audit-policy-file", policy).Set("audit-log-path", cp.AuditLog())
	}
	cp.configureForNodes(args)
	if cp.authorization != nil {
		args.Set("authorization-config", cp.authorization.file()).Disable("authorization-mode")
	}
	if len(cp.options.APIServerFlags["authorization-config"]) > 0 {
		args.Disable("authorization-mode")
	}
	for name, values := range cp.options.APIServerFlags {
		if name = strings.TrimLeft(name, "-"); len(values) == 0 {
			args.Disable(name)
			continue
		}
		args.Set(name, values...)
	}
	return nil
}

// freePorts returns n different ports that nobody listens on. They are below those that the kernel gives to outgoing
// connections, so that a stopped component finds its port free again.
func freePorts(n int) ([]int, error) {
	const lowest, highest, attempts = 20000, 32000, 1000
	var ports []int
	var held []net.Listener // until all are chosen: no port twice
	defer func() {
		for _, listener := range held {
			_ = listener.Close()
		}
	}()
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		held = append(held, listener)
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports on %s between %d and %d", n, loopback, lowest, highest)
}
