// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"
)

// fixed is a certificate that is there, or not.
type fixed struct {
	certificate *tls.Certificate
}

func (f *fixed) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.certificate, f.Ready()
}

func (f *fixed) Ready() error {
	if f.certificate == nil {
		return errors.New("there is none")
	}
	return nil
}

// started is a server that runs until the end of the test.
type started struct {
	*Server
	url  string
	end  context.CancelFunc
	done chan error
}

func startServer(t *testing.T, handler http.HandlerFunc) *started {
	t.Helper()
	cert, key, err := certutil.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	server := NewServer(Options{Host: "localhost", Port: port, Certificate: &fixed{&pair}}, "/path", handler)
	if server.Ready(newRequest(t, "")) == nil {
		t.Error("is ready before it has begun")
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &started{Server: server, url: fmt.Sprintf("https://localhost:%d/path", port), end: cancel, done: make(chan error, 1)}
	go func() { s.done <- server.Start(ctx) }()
	eventually(t, func() bool {
		connection, err := net.Dial("tcp", net.JoinHostPort("localhost", fmt.Sprint(port)))
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
	return s
}

func newRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

func eventually(t *testing.T, so func() bool) {
	t.Helper()
	for !so() {
		select {
		case <-t.Context().Done():
			t.Fatal("never")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestARequestThatIsUnderWayWhenTheEndBeginsIsAnswered(t *testing.T) {
	arrived, release, alive := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		alive <- r.Context().Err()
		_, _ = io.WriteString(w, "answer")
	})
	if err := s.Ready(newRequest(t, "")); err != nil {
		t.Error(err)
	}
	answer := make(chan string, 1)
	go func() {
		response, err := newClient().Do(newRequest(t, s.url))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		content, _ := io.ReadAll(response.Body)
		answer <- string(content)
	}()
	<-arrived
	s.end()
	eventually(t, func() bool { return s.Ready(newRequest(t, "")) != nil })
	eventually(t, func() bool { // the listener is closed
		connection, err := net.Dial("tcp", newRequest(t, s.url).URL.Host)
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	close(release)
	if err := <-alive; err != nil {
		t.Errorf("its context has ended: %v", err)
	}
	if got := <-answer; got != "answer" {
		t.Error(got)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestOnceTheEndHasBegunEachAnswerIsTheLastOfItsConnection(t *testing.T) {
	s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Plain") == "" {
			w.WriteHeader(http.StatusAccepted)
		}
		_, _ = io.WriteString(w, "answer")
	})
	client := newClient()
	closes := func(plain string) bool {
		r := newRequest(t, s.url)
		r.Header.Set("Plain", plain)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.ReadAll(response.Body)
		return response.Close
	}
	if closes("") || closes("yes") {
		t.Error("a connection is closed before the end")
	}
	s.end()
	eventually(t, func() bool { return s.Ready(newRequest(t, "")) != nil })
	if !closes("") || !closes("yes") {
		t.Error("a connection stays open")
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestARequestWhoseClientHasGoneIsGivenUp(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan error, 1)
	s := startServer(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	request := newRequest(t, s.url).WithContext(ctx)
	go func() {
		if response, err := newClient().Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-arrived
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.end()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestIsNotReadyWithoutACertificate(t *testing.T) {
	s := startServer(t, http.NotFound)
	s.certificate = &fixed{}
	if s.Ready(newRequest(t, "")) == nil {
		t.Error("is ready")
	}
	s.end()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}
