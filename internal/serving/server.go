// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

const (
	// shortestDrain is how long requests are taken at least after the end has begun.
	shortestDrain = time.Second
	// longestRequest is how long a request may go on once the end has begun. The API server waits no longer for a webhook.
	longestRequest = 30 * time.Second
)

// Options say where and how something is served.
type Options struct {
	// Host and Port are listened on.
	Host string
	Port int
	// Certificate is what is served with.
	Certificate Certificate
	// Drain is how long requests are still taken after the end has begun, each the last one of its connection: whoever keeps
	// connections open, as the API server does, then goes elsewhere, and loses no request with one that is closed. At least a second.
	Drain time.Duration
	// TLS changes the settings of TLS; nil for nothing.
	TLS func(*tls.Config)
}

// Server serves one handler over HTTPS, on every replica, without losing a request where it ends. A manager starts it once its caches
// are filled, and ends it before them: it is no webhook.Server, with which it would be the other way round.
type Server struct {
	inner       webhook.Server
	path        string
	certificate Certificate
	drain       time.Duration
	begun       atomic.Bool
	ends        atomic.Bool

	mu sync.Mutex
	// told is what the log has last said of why it is not ready.
	told string
}

// NewServer returns what serves a handler at a path. It can be started before there is a certificate.
func NewServer(options Options, path string, handler http.Handler) *Server {
	tlsOptions := []func(*tls.Config){Secure, func(config *tls.Config) { config.GetCertificate = options.Certificate.GetCertificate }}
	if options.TLS != nil {
		tlsOptions = append(tlsOptions, options.TLS)
	}
	s := &Server{
		inner:       webhook.NewServer(webhook.Options{Host: options.Host, Port: options.Port, TLSOpts: tlsOptions}),
		path:        path,
		certificate: options.Certificate,
		drain:       max(options.Drain, shortestDrain),
	}
	s.inner.Register(path, s.finishing(handler))
	return s
}

// Secure turns HTTP/2 off, whose rapid reset (CVE-2023-44487, CVE-2023-39325) is not worth a protocol that callers do
// not need, and TLS below 1.2.
func Secure(c *tls.Config) {
	c.NextProtos = []string{"http/1.1"}
	c.MinVersion = tls.VersionTLS12
}

// NeedLeaderElection says that every replica serves.
func (s *Server) NeedLeaderElection() bool { return false }

// Start serves until the context ends, and some more.
func (s *Server) Start(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		s.ends.Store(true)
		time.AfterFunc(s.drain, stop)
	})()
	s.begun.Store(true)
	return s.inner.Start(serving)
}

// finishing lets a request go on that is under way when the end begins, and makes it the last one of its connection.
func (s *Server) finishing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
		defer cancel(nil)
		defer context.AfterFunc(r.Context(), func() {
			if s.ends.Load() {
				time.AfterFunc(longestRequest, func() { cancel(context.DeadlineExceeded) })
			} else {
				cancel(context.Canceled) // whoever asked has gone
			}
		})()
		next.ServeHTTP(&closing{ResponseWriter: w, ends: &s.ends}, r.WithContext(ctx))
	})
}

// closing tells the client to close the connection, once the end has begun.
type closing struct {
	http.ResponseWriter
	ends *atomic.Bool
}

// WriteHeader writes the head of an answer.
func (c *closing) WriteHeader(code int) {
	if c.ends.Load() {
		c.Header().Set("Connection", "close")
	}
	c.ResponseWriter.WriteHeader(code)
}

// Write writes an answer, and its head where that has not been written.
func (c *closing) Write(content []byte) (int, error) {
	if c.ends.Load() {
		c.Header().Set("Connection", "close") // does nothing where the head has been written
	}
	return c.ResponseWriter.Write(content)
}

// Unwrap is for http.ResponseController.
func (c *closing) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Ready is a check for /readyz. It opens no connection, which might have to show a certificate and be logged where it does not. The
// probe is not told why, so the log is, once.
func (s *Server) Ready(r *http.Request) error {
	err := s.ready()
	why := ""
	if err != nil {
		why = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if why != s.told && why != "" {
		log.FromContext(r.Context()).WithName("serving").Info("not ready", "path", s.path, "why", why)
	}
	s.told = why
	return err
}

func (s *Server) ready() error {
	if !s.begun.Load() {
		return errors.New("it does not serve yet")
	}
	if s.ends.Load() {
		return errors.New("it is about to end")
	}
	return s.certificate.Ready()
}
