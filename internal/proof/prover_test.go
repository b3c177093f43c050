// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

var alice = certificate.Subject{Username: "alice", Groups: []string{"developers"}}

// credentialOf returns certificate and key (PEM) of a new credential, which any CA may have signed: its own does.
func credentialOf(t *testing.T, subject certificate.Subject) (certificatePEM, keyPEM []byte) {
	t.Helper()
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject.Username, Organization: subject.Groups}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if keyPEM, err = certificate.EncodeKey(key); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM
}

// apiServer answers SelfSubjectReviews, and takes the holder of a certificate for whom it names.
func apiServer(t *testing.T, answer func(http.ResponseWriter, *http.Request)) *rest.Config {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	// The operator's own credentials must not be used: they would prove the operator.
	return &rest.Config{Host: server.URL, BearerToken: "operator", TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

func TestProverAsksWithTheCredentialAlone(t *testing.T) {
	certificatePEM, keyPEM := credentialOf(t, alice)
	connection := apiServer(t, func(response http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "" {
			t.Error("the operator's token was sent")
		}
		holder := request.TLS.PeerCertificates[0].Subject
		response.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(response).Encode(&authenticationv1.SelfSubjectReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"},
			Status:   authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: holder.CommonName, Groups: holder.Organization}},
		})
	})
	user, err := New(connection).WhoAmI(t.Context(), certificatePEM, keyPEM)
	if err != nil || user.Username != "alice" || len(user.Groups) != 1 {
		t.Errorf("got %+v (%v)", user, err)
	}
}

func TestProverTellsARefusalFromAFailure(t *testing.T) {
	certificatePEM, keyPEM := credentialOf(t, alice)
	status := func(code int32, reason metav1.StatusReason) func(http.ResponseWriter, *http.Request) {
		return func(response http.ResponseWriter, _ *http.Request) {
			response.Header().Set("Content-Type", "application/json")
			response.WriteHeader(int(code))
			_ = json.NewEncoder(response).Encode(&metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code, Reason: reason,
			})
		}
	}
	for name, test := range map[string]struct {
		answer  func(http.ResponseWriter, *http.Request)
		refused bool
	}{
		"Unauthorized":          {status(http.StatusUnauthorized, metav1.StatusReasonUnauthorized), true},
		"Forbidden":             {status(http.StatusForbidden, metav1.StatusReasonForbidden), false},
		"an internal error":     {status(http.StatusInternalServerError, metav1.StatusReasonInternalError), false},
		"a lost connection":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
		"something of no sense": {func(response http.ResponseWriter, _ *http.Request) { _, _ = response.Write([]byte("<html>")) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(apiServer(t, test.answer)).WhoAmI(t.Context(), certificatePEM, keyPEM)
			if err == nil || apierrors.IsUnauthorized(err) != test.refused {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("quotes the key: %v", err)
			}
		})
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := New(apiServer(t, nil)).WhoAmI(stopped, certificatePEM, keyPEM); err == nil {
		t.Error("asks although the operator is being stopped")
	}
	if _, err := New(&rest.Config{Host: "https://localhost"}).WhoAmI(t.Context(), certificatePEM, []byte("-----BEGIN PRIVATE KEY-----")); err == nil {
		t.Error("asks without a key")
	}
}
