// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// direction is where something is sent.
type direction string

const (
	toServer direction = "to the API server"
	toClient direction = "to the device"
)

// stall is a device's way to the API server, which ends after some TLS records in one direction: each request, each part of an answer is one.
// What it passes on, it does not read: there is no other end of TLS than client and API server.
type stall struct {
	listener net.Listener

	mu      sync.Mutex
	passed  map[direction]int
	where   direction
	left    int           // records until it ends, where armed
	stalled chan struct{} // nil where not armed
}

// newStall returns a way that works, until the end of the spec.
func newStall() *stall {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	s := &stall{listener: listener, passed: map[direction]int{}}
	go s.serve()
	DeferCleanup(listener.Close)
	return s
}

// url is that of the API server, by this way.
func (s *stall) url() string { return "https://" + s.listener.Addr().String() }

// after ends the way after so many more records in a direction; the channel is closed then. What was sent before arrives.
func (s *stall) after(records int, where direction) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.where, s.left, s.stalled = where, records, make(chan struct{})
	return s.stalled
}

// mend lets connections work that are opened from now on.
func (s *stall) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalled = nil
}

// records returns how many records have passed.
func (s *stall) records(where direction) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed[where]
}

func (s *stall) serve() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return // it is closed
		}
		server, err := net.Dial("tcp", strings.TrimPrefix(cp.URL(), "https://"))
		if err != nil {
			_ = client.Close()
			continue
		}
		go s.pass(server, client, toServer)
		go s.pass(client, server, toClient)
	}
}

// pass passes records on until one end is closed. A way that has ended keeps both ends open, as a network does that loses everything.
func (s *stall) pass(to, from net.Conn, where direction) {
	defer func() { _, _ = to.Close(), from.Close() }()
	const header = 5 // type, version, length (RFC 8446, 5.1)
	for {
		record := make([]byte, header, header+1<<16)
		if _, err := io.ReadFull(from, record); err != nil {
			return
		}
		record = record[:header+int(binary.BigEndian.Uint16(record[3:]))]
		if _, err := io.ReadFull(from, record[header:]); err != nil {
			return
		}
		if !s.may(where) {
			_, _ = io.Copy(io.Discard, from) // until it is closed
			return
		}
		if _, err := to.Write(record); err != nil {
			return
		}
	}
}

// may counts a record, and says whether it passes.
func (s *stall) may(where direction) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stalled != nil && where == s.where {
		if s.left == 0 {
			select {
			case <-s.stalled:
			default:
				close(s.stalled)
			}
			return false
		}
		s.left--
	}
	s.passed[where]++
	return true
}
