// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package controlplane starts a real Kubernetes control plane for tests, benchmarks and demos: etcd, kube-apiserver and
// kube-controller-manager, so that certificates are signed by the real signer and garbage is collected by the real
// collector. Nodes, a scheduler and pods there are none, unless Options.Nodes makes room for them: see test/node.
//
// etcd and the API server are run by controller-runtime's envtest. The controller manager, which envtest does not know,
// and the client CAs, which the signer needs the keys of, are ours.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// DefaultControllers are the controllers that the controller manager runs: those that issue certificates, end objects
// and make a namespace usable.
var DefaultControllers = []string{
	"certificatesigningrequest-signing-controller",
	"certificatesigningrequest-cleaner-controller",
	"root-ca-certificate-publisher-controller",
	"garbage-collector-controller",
	"namespace-controller",
	"serviceaccount-controller",
	"clusterrole-aggregation-controller",
}

// Options say what to start. The zero value is a complete control plane in a directory of its own.
type Options struct {
	// BinDir holds etcd, kube-apiserver, kube-controller-manager and kubectl. Default: the environment variable
	// CONTROL_PLANE_BIN, else the directory below bin/k8s that make control-plane builds.
	BinDir string
	// SecondBinDir holds the kube-apiserver of SecondAPIServer, where that is of another version. Default: BinDir.
	SecondBinDir string
	// Dir holds data, keys and logs. One that is given must not hold a control plane yet, and Stop leaves it in place.
	// Default: a new temporary directory, which Stop removes.
	Dir string
	// SigningDuration is the longest lifetime of a signed certificate (--cluster-signing-duration). Default: one year.
	SigningDuration time.Duration
	// SignerQPS and SignerBurst bound the requests of the controller manager. Default: 1000 and 2000.
	SignerQPS, SignerBurst int
	// APIServerFlags are set on top of this package's own, by name without dashes, and replace them; an empty list
	// removes a flag. With authorization-config, authorization-mode is removed.
	APIServerFlags map[string][]string
	// Controllers are run in addition to DefaultControllers.
	Controllers []string
	// AuditPolicy is an audit policy in YAML; with it, the API server writes AuditLog.
	AuditPolicy []byte
	// Authorization makes what API servers authorize by, instead of authorization-mode: see ReplaceAuthorization.
	Authorization func(AuthorizationFiles) (Authorization, error)
	// State is what the control plane goes on from: that of another one, which is gone.
	State State
	// Nodes make it a control plane that nodes can join, if set.
	Nodes *Nodes
	// Progress is called once per step, if set.
	Progress func(format string, args ...any)
}

// ControlPlane is a running control plane. Its methods may be called from several goroutines.
type ControlPlane struct {
	options Options
	dir     string
	binDir  string

	serverCA  *CA
	adminCA   *CA
	clientCAs *clientCAs
	admin     *rest.Config
	// authorization is nil where the API servers are started with authorization-mode.
	authorization *authorization

	etcdURL   *url.URL
	apiServer *envtest.APIServer
	second    *envtest.APIServer // nil until there is one
	runners   map[Component]runner
	logs      map[Component]*os.File
	thread    *thread

	mu      sync.Mutex // guards what follows, and starting and stopping
	running map[Component]bool
	stopped bool
}

// Start starts a control plane and waits until it is usable: the API server is ready, and the controller manager has
// done its first work. On failure it stops what it started, and the error names the component and ends with its log.
// A cancelled context is noticed between two steps.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	binDir, err := findBinaries(options.BinDir)
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(options.Dir)
	if err != nil {
		return nil, err
	}
	cp := &ControlPlane{
		options: options,
		dir:     dir,
		binDir:  binDir,
		logs:    map[Component]*os.File{},
		thread:  newThread(),
		running: map[Component]bool{},
	}
	if err := cp.start(ctx); err != nil {
		return nil, errors.Join(err, cp.Stop())
	}
	return cp, nil
}

// Stop stops every component and removes the directory, unless the caller gave it. Further calls do nothing.
func (cp *ControlPlane) Stop() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped {
		return nil
	}
	cp.stopped = true

	var errs []error
	for _, c := range []Component{ControllerManager, SecondAPIServer, APIServer, Etcd} {
		errs = append(errs, cp.stopComponent(c))
	}
	for _, log := range cp.logs {
		errs = append(errs, log.Close())
	}
	cp.thread.close()
	if cp.options.Dir == "" {
		errs = append(errs, os.RemoveAll(cp.dir))
	}
	return errors.Join(errs...)
}

// Config returns a client configuration of an administrator (group system:masters). It outlives restarts and client
// CAs: its certificate comes from a CA of its own that the API server always trusts.
func (cp *ControlPlane) Config() *rest.Config { return rest.CopyConfig(cp.admin) }

// Kubeconfig returns the path of the administrator's kubeconfig.
func (cp *ControlPlane) Kubeconfig() string { return filepath.Join(cp.dir, "admin.kubeconfig") }

// Kubectl returns the path of kubectl.
func (cp *ControlPlane) Kubectl() string { return filepath.Join(cp.binDir, "kubectl") }

// URL returns the API server's URL.
func (cp *ControlPlane) URL() string {
	return cp.apiServer.SecureServing.URL("https", "").String()
}

// ServerCA returns the CA of the API server's own certificate, in PEM.
func (cp *ControlPlane) ServerCA() []byte { return cp.serverCA.CertPEM() }

// Dir returns the directory that holds data, keys and logs.
func (cp *ControlPlane) Dir() string { return cp.dir }

// Log returns the path of a component's log. A restart appends to it.
func (cp *ControlPlane) Log(c Component) string {
	return filepath.Join(cp.dir, "logs", string(c)+".log")
}

// AuditLog returns the path of the API server's audit log, empty without Options.AuditPolicy.
func (cp *ControlPlane) AuditLog() string {
	if len(cp.options.AuditPolicy) == 0 {
		return ""
	}
	return filepath.Join(cp.dir, "logs", "audit.log")
}

// ConfigFor returns a client configuration of any user, with a certificate from the current signing CA (see ClientCA).
func (cp *ControlPlane) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	return cp.clientCAs.AddUser(envtest.User{Name: user, Groups: groups}, cp.baseConfig())
}

// baseConfig returns a client configuration of nobody.
func (cp *ControlPlane) baseConfig() *rest.Config {
	return &rest.Config{
		Host:            cp.URL(),
		TLSClientConfig: rest.TLSClientConfig{CAData: cp.ServerCA()},
		// The server is the bound, not the client.
		QPS:   1000,
		Burst: 2000,
	}
}

// start creates keys and files, and starts the components in order.
func (cp *ControlPlane) start(ctx context.Context) error {
	if err := cp.prepare(); err != nil {
		return err
	}
	for _, c := range []Component{Etcd, APIServer, ControllerManager} {
		if err := cp.StartComponent(ctx, c); err != nil {
			return err
		}
		if c == Etcd && cp.options.State.Fill != nil {
			if err := cp.options.State.Fill(ctx, cp.EtcdURL()); err != nil {
				return fmt.Errorf("fill etcd: %w", err)
			}
		}
	}
	if err := cp.waitForControllers(ctx); err != nil {
		return fmt.Errorf("%s: %w\n%s", ControllerManager, err, logTail(cp.Log(ControllerManager)))
	}
	cp.progress("control plane is ready at %s", cp.URL())
	return nil
}

func (cp *ControlPlane) progress(format string, args ...any) {
	if cp.options.Progress != nil {
		cp.options.Progress(format, args...)
	}
}

// makeDir returns the directory to work in: the one that was given, or a new one.
func makeDir(given string) (string, error) {
	if given == "" {
		return os.MkdirTemp("", "controlplane-")
	}
	dir, err := filepath.Abs(given)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, etcdDir)); err == nil {
		return "", fmt.Errorf("directory %s holds a control plane already: remove it or choose another", dir)
	}
	return dir, os.MkdirAll(dir, 0o700)
}
