// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// What a request takes longer, at most.
const (
	// atOnce is without waiting for an answer.
	atOnce = 500 * time.Millisecond
	// afterTimeout is the timeout of the AuthorizationConfiguration, a second, and some more.
	afterTimeout = 2 * time.Second
	// afterRetries is what the API server takes to ask five times where it is answered 500, 429 or anything with Retry-After.
	afterRetries = 8 * time.Second
)

// serve answers in place of the operator, with its certificate.
func serve(answer http.HandlerFunc) (address string) {
	GinkgoHelper()
	return serveAs(authorizer.CA, answer)
}

// serveAs answers in place of the operator, with a certificate of a CA.
func serveAs(ca *controlplane.CA, answer http.HandlerFunc) (address string) {
	GinkgoHelper()
	cert, key, err := ca.ServerCertificate(authorizationconfig.ServerName(operator.Namespace))
	Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(cert, key)
	Expect(err).NotTo(HaveOccurred())
	server := httptest.NewUnstartedServer(answer)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(GinkgoWriter, "", 0)
	server.StartTLS()
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

func answering(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// slowest returns the longest that a bystander waits for one request, all of them at a time; none of them is refused.
func slowest() time.Duration {
	GinkgoHelper()
	var all sync.WaitGroup
	waited := make(chan time.Duration, len(bystanders))
	for who, config := range bystanders {
		all.Go(func() {
			defer GinkgoRecover()
			began := time.Now()
			Expect(whoami(config)).To(Succeed(), who)
			waited <- time.Since(began)
		})
	}
	all.Wait()
	close(waited)
	var longest time.Duration
	for one := range waited {
		longest = max(longest, one)
	}
	return longest
}

var _ = Describe("With an operator that does not answer", Serial, func() {
	var opened func() float64
	BeforeEach(func() {
		before := metric(controlplane.APIServer, failOpen)
		opened = func() float64 { return metric(controlplane.APIServer, failOpen) - before }
	})

	DescribeTable("nobody who is not revoked is refused, nor waits long, and the API server counts it: where it",
		func(longer time.Duration, fall func()) {
			usual := slowest()
			stopOperator()
			ask()
			fall()
			longest := slowest()
			AddReportEntry("slowest", fmt.Sprintf("%s, usually %s", longest, usual))
			Expect(longest).To(BeNumerically("<", longer+10*usual))
			Expect(opened()).To(BeNumerically(">=", 3), "the bystanders with certificates")

			By("being well again")
			startOperator()
			before := opened()
			Expect(slowest()).To(BeNumerically("<", atOnce+10*usual))
			Expect(opened()).To(Equal(before))
		},
		Entry("is not there", atOnce, func() {}),
		Entry("was killed", atOnce, func() {
			p := startProcess()
			ask(p.replica.Address)
			everybodyElseGoesOn()
			p.kill()
			ask()
		}),
		Entry("was stopped in its tracks", afterTimeout, func() {
			p := startProcess()
			ask(p.replica.Address)
			everybodyElseGoesOn()
			DeferCleanup(p.pause())
		}),
		Entry("never ends its answer", afterTimeout, func() {
			ask(serve(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, `{"kind":"SubjectAccessReview",`)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}))
		}),
		Entry("answers garbage", atOnce, func() { ask(serve(answering(http.StatusOK, "\x00<html>", "Content-Type", "application/json"))) }),
		Entry("answers with another object", atOnce, func() {
			ask(serve(answering(http.StatusOK, `{"kind":"ConfigMap","apiVersion":"v1","status":{"denied":true}}`, "Content-Type", "application/json")))
		}),
		Entry("answers 503", atOnce, func() { ask(serve(answering(http.StatusServiceUnavailable, "no"))) }),
		Entry("answers 404, as another server at its address", atOnce, func() { ask(serve(answering(http.StatusNotFound, "no"))) }),
		Entry("answers 500", afterRetries, func() { ask(serve(answering(http.StatusInternalServerError, "no"))) }),
	)

	It("a revoked copy has what RBAC grants, and no more from the first answer on", func() {
		name := uniqueName("meanwhile")
		leaked := leak(name)
		update(name, withdrawn)
		canDoNothing(leaked, "has no access")
		stopOperator()
		ask()
		Expect(refused(leaked.Connection())()).To(BeEmpty(), "others have made its user an administrator: this is what NoOpinion costs")
		startOperator()
		Expect(allowed(leaked.Connection())()).To(BeEmpty())
	})

	listsSecrets := func(config *rest.Config) error {
		_, err := clientsOf(config).CoreV1().Secrets("default").List(ctx, metav1.ListOptions{Limit: 1})
		return err
	}

	It("who answers in its place may allow whatever he likes, to whom it is asked about: its Secret is an administrator's", func() {
		visitor, err := cp.ConfigFor("visitor")
		Expect(err).NotTo(HaveOccurred())
		stopOperator()
		ask(serve(answering(http.StatusOK, `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`,
			"Content-Type", "application/json")))
		Expect(listsSecrets(visitor)).To(Succeed())
		Expect(listsSecrets(rest.AnonymousClientConfig(visitor))).To(MatchError(apierrors.IsForbidden, "IsForbidden"))

		By("another one without its certificate")
		other, err := controlplane.NewCA(authorizer.CA.Certificate().Subject.CommonName, time.Hour)
		Expect(err).NotTo(HaveOccurred())
		ask(serveAs(other, answering(http.StatusOK, `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`,
			"Content-Type", "application/json")))
		Expect(listsSecrets(visitor)).To(HaveOccurred())
		everybodyElseGoesOn()
	})

	It("who lacks a right is refused all the same", func() {
		visitor, err := cp.ConfigFor("visitor")
		Expect(err).NotTo(HaveOccurred())
		Expect(listsSecrets(visitor)).To(MatchError(apierrors.IsForbidden, "IsForbidden"))
		stopOperator()
		ask()
		err = listsSecrets(visitor)
		Expect(err).To(HaveOccurred())
		AddReportEntry("is told", err.Error())
		Expect(err).To(MatchError(apierrors.IsInternalError, "IsInternalError"), "the API server prefers the error of the webhook to the refusal")
		Expect(whoami(visitor)).To(Succeed())
	})
})
