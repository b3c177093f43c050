// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"io"
	"net"
	"strconv"
	"sync"
)

// Forwarder passes connections on, in turn to those of its backends that listen: as a Service does to ready pods. Without backends it
// refuses connections, as a Service does.
type Forwarder struct {
	address string

	mu       sync.Mutex
	listener net.Listener // nil without backends
	backends []string
	next     int
	open     map[net.Conn]struct{}
}

// NewForwarder returns a forwarder without backends.
func NewForwarder() (*Forwarder, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return &Forwarder{address: net.JoinHostPort("localhost", strconv.Itoa(port)), open: map[net.Conn]struct{}{}}, nil
}

// Address is where it listens.
func (f *Forwarder) Address() string { return f.address }

// To sets the backends and ends the connections there are, so that the next request goes to one of these.
func (f *Forwarder) To(backends ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for connection := range f.open {
		_ = connection.Close()
	}
	clear(f.open)
	return f.set(backends)
}

// Next sets the backends for connections that are opened from now on, and leaves those alone that there are: as a Service does when
// its endpoints change.
func (f *Forwarder) Next(backends ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set(backends)
}

func (f *Forwarder) set(backends []string) error {
	f.backends, f.next = backends, 0
	switch {
	case len(backends) == 0 && f.listener != nil:
		err := f.listener.Close()
		f.listener = nil
		return err
	case len(backends) > 0 && f.listener == nil:
		listener, err := net.Listen("tcp", f.address)
		if err != nil {
			return err
		}
		f.listener = listener
		go f.serve(listener)
	}
	return nil
}

func (f *Forwarder) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // it is closed
		}
		go f.forward(client)
	}
}

func (f *Forwarder) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	backend := f.dial(client)
	if backend == nil {
		return
	}
	defer f.forget(client, backend)
	go func() {
		_, _ = io.Copy(backend, client)
		_ = backend.Close()
	}()
	_, _ = io.Copy(client, backend)
}

// dial connects to the next backend that listens, nil where none does.
func (f *Forwarder) dial(client net.Conn) net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.backends {
		address := f.backends[f.next%len(f.backends)]
		f.next++
		// A process on this machine that has stopped still has its connections accepted, at once.
		if backend, err := net.Dial("tcp", address); err == nil {
			f.open[client], f.open[backend] = struct{}{}, struct{}{}
			return backend
		}
	}
	return nil
}

func (f *Forwarder) forget(connections ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, connection := range connections {
		_ = connection.Close()
		delete(f.open, connection)
	}
}
