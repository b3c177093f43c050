// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package preflight finds out by trying what a cluster does for the operator: whether somebody signs, and for how long at most, whether
// the API server takes what was signed, which URL and CA kubeconfigs would carry, whether admission and denial are on, and which rights
// are missing. It is run before an installation, by an administrator, and after it, also as the operator's own ServiceAccount.
//
// Each check is a look, which does I/O, and a judgement of what was seen, which is pure.
package preflight

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Settings are what the operator is started with, as far as it matters here.
type Settings struct {
	// KubeconfigServer and KubeconfigCA are what published kubeconfigs carry; empty means what the cluster says.
	KubeconfigServer string
	KubeconfigCA     []byte
	// SecretNamespaces are where it may publish Secrets; "*" alone means everywhere.
	SecretNamespaces []string
	// Signer is the signer that is asked, Signers are all that the operator may ask.
	Signer  string
	Signers []string
	// Source is where KubeconfigServer was found; empty stands for the arguments that were given.
	Source string
}

// Options say what is looked at, and how long.
type Options struct {
	// Connection is the one to look through, with the caller's own credentials.
	Connection *rest.Config
	// InCluster is set where it is that of a pod.
	InCluster bool
	// Namespace and ServiceAccount are the operator's.
	Namespace, ServiceAccount string
	// Settings returns what the operator is started with, given the arguments of the one that is installed; nil where none was found.
	Settings func(arguments []string) (Settings, error)
	// Tries is how often a certificate is tried, over a connection each.
	Tries int
	// SignerPatience is how long a signer is waited for.
	SignerPatience time.Duration
	// RequireDenial makes a certificate that is let through a failure.
	RequireDenial bool
	// Version is the operator's.
	Version string
	// Clock tells the time.
	Clock clock.PassiveClock
	// Progress is told what takes long, by any goroutine, and Found each finding, in order.
	Progress func(format string, args ...any)
	Found    func(Finding)
}

// probe is one run: what was found so far, for the checks that follow.
type probe struct {
	Options
	settings   Settings
	clientset  kubernetes.Interface
	objects    client.Client
	report     *Report
	server     serverLook
	caller     callerLook
	operator   operatorLook
	credential *credential
	short      signing
	endpoint   endpointLook
}

// check is one thing that is looked at.
type check struct {
	// name is told to people and programs, and does not change.
	name string
	// bound is how long it may take.
	bound time.Duration
	// unless returns why it is skipped; empty where it is not.
	unless func(*probe) string
	// look returns what was found.
	look func(*probe, context.Context) Finding
}

// quick bounds checks that only read, brief those of an address that may be out of reach.
const quick, brief = 30 * time.Second, 15 * time.Second

// sayAfter is how long a check takes in silence.
const sayAfter = 2 * time.Second

// checks are what is looked at, in this order.
func (p *probe) checks() []check {
	signing := p.SignerPatience + quick
	return []check{
		{"api-server", quick, nil, (*probe).lookAtServer},
		{"caller", quick, unreached, (*probe).lookAtCaller},
		{"clock", quick, unreached, (*probe).lookAtClock},
		{"operator", quick, unreached, (*probe).lookAtOperator},
		{"rights", time.Minute, unreached, (*probe).lookAtRights},
		{"holder-role", quick, unreached, (*probe).lookAtHolderRole},
		{"secret-namespaces", quick, unreached, (*probe).lookAtSecretNamespaces},
		{"pod-security", quick, unreached, (*probe).lookAtPodSecurity},
		{"signer", signing, unreached, (*probe).lookAtSigner},
		{"shortest-lifetime", quick, unsigned, (*probe).lookAtShortest},
		{"longest-lifetime", signing, unsigned, (*probe).lookAtLongest},
		{"authentication", time.Minute, unsigned, (*probe).lookAtAuthentication},
		{"kubeconfig-server", quick, unreached, (*probe).lookAtEndpoint},
		{"kubeconfig-ca", brief, unknownEndpoint, (*probe).lookAtEndpointCA},
		{"kubeconfig-authentication", time.Minute, (*probe).unprovable, (*probe).lookAtEndpointAuthentication},
		{"admission", quick, unreached, (*probe).lookAtAdmission},
		{"policies", quick, unreached, (*probe).lookAtPolicies},
		{"denial", 2 * time.Minute, unsigned, (*probe).lookAtDenial},
	}
}

func unreached(p *probe) string {
	if p.report.Facts.APIServer.Version == "" {
		return "the API server was not reached"
	}
	return ""
}

func unsigned(p *probe) string {
	if p.credential == nil {
		return "there is no certificate to try with"
	}
	return ""
}

func unknownEndpoint(p *probe) string {
	if p.endpoint.Server == "" {
		return "no URL is known"
	}
	return ""
}

// unprovable says why a certificate cannot be tried at the URL of kubeconfigs.
func (p *probe) unprovable() string {
	if why := unknownEndpoint(p); why != "" {
		return why
	}
	return unsigned(p)
}

// Run looks at everything and returns what it found. The error says why it could not begin; a context that ends makes it skip the rest.
func Run(ctx context.Context, options Options) (*Report, error) {
	p := &probe{Options: options, report: newReport(options)}
	p.Progress = func(format string, args ...any) { options.Progress("%s", foreign(fmt.Sprintf(format, args...))) }
	var err error
	if p.settings, err = options.Settings(nil); err != nil {
		return nil, err
	}
	connection := rest.CopyConfig(options.Connection)
	connection.QPS = -1 // API Priority and Fairness is the throttle
	if p.clientset, err = kubernetes.NewForConfig(connection); err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	if p.objects, err = newClient(connection); err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	for _, c := range p.checks() {
		p.report.add(p.run(ctx, c))
		p.Found(p.report.Checks[len(p.report.Checks)-1])
	}
	p.report.conclude()
	return p.report, nil
}

// run makes one check within its time.
func (p *probe) run(ctx context.Context, c check) Finding {
	finding := skip(interrupted)
	if ctx.Err() == nil {
		finding = p.attempt(ctx, c)
	}
	finding.Name = c.name
	return finding
}

func (p *probe) attempt(ctx context.Context, c check) Finding {
	if c.unless != nil {
		if why := c.unless(p); why != "" {
			return skip("%s", why)
		}
	}
	bounded, cancel := context.WithTimeout(ctx, c.bound)
	defer cancel()
	// Another goroutine tells it: a look may wait for somebody who does not answer.
	waiting := time.AfterFunc(sayAfter, func() { p.Progress("looking at %s, up to %s", c.name, c.bound) })
	defer waiting.Stop()
	finding := c.look(p, bounded)
	if ctx.Err() != nil {
		return skip(interrupted)
	}
	return finding
}
