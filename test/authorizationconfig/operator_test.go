// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/test/controlplane"
)

// clientName is the name in the certificate that the API server shows.
const clientName = "kube-apiserver-kubelet-client"

// reason is what the stand-in says when it denies.
const reason = "this certificate was revoked"

// operator stands in for the operator: it denies one user, and remembers whom it was asked about.
type operator struct {
	address string
	clients *x509.CertPool
	server  *http.Server

	mu    sync.Mutex
	users []string
}

func newOperator(g Gomega, clientCA *controlplane.CA) *operator {
	o := &operator{clients: x509.NewCertPool()}
	g.Expect(o.clients.AppendCertsFromPEM(clientCA.CertPEM())).To(BeTrue())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	o.address = listener.Addr().String()
	g.Expect(listener.Close()).To(Succeed())
	return o
}

// start serves with a certificate of a CA, to clients of another one.
func (o *operator) start(g Gomega, ca *controlplane.CA) {
	cert, key, err := ca.ServerCertificate(authorizationconfig.ServerName("client-identity-system"))
	g.Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(cert, key)
	g.Expect(err).NotTo(HaveOccurred())
	listener, err := net.Listen("tcp", o.address)
	g.Expect(err).NotTo(HaveOccurred())
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+authorizationconfig.Path, o.answer)
	o.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: o.clients},
	}
	go func(server *http.Server) { _ = server.ServeTLS(listener, "", "") }(o.server)
}

func (o *operator) stop(g Gomega) { g.Expect(o.server.Close()).To(Succeed()) }

func (o *operator) answer(w http.ResponseWriter, r *http.Request) {
	var review authorizationv1.SubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.TLS.PeerCertificates[0].Subject.CommonName != clientName {
		http.Error(w, "not the API server", http.StatusForbidden)
		return
	}
	o.mu.Lock()
	o.users = append(o.users, review.Spec.User)
	o.mu.Unlock()
	if review.Spec.User == "mallory" {
		review.Status = authorizationv1.SubjectAccessReviewStatus{Denied: true, Reason: reason}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// askedAbout returns the users that it was asked about, each of them once.
func (o *operator) askedAbout() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(o.users)))
}
