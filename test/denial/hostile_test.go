// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
)

// send sends a GET as the holder of a connection, with a query and headers as they are, and returns status and body of the answer.
func send(config *rest.Config, path, query string, headers ...string) (status int, body string) {
	GinkgoHelper()
	client, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	target, err := url.Parse(config.Host)
	Expect(err).NotTo(HaveOccurred())
	target.Path, target.RawQuery = path, query
	request := &http.Request{Method: http.MethodGet, URL: target, Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(request.WithContext(ctx))
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return response.StatusCode, string(content)
}

// Of about a megabyte, the most that an API server reads of a request line and its headers: one byte more or less of a requirement
// in the URL makes up to forty in the review.
var longQueries = map[string]string{
	"half a megabyte of label selector":           "labelSelector=" + strings.Repeat("a,", 250_000) + "a",
	"a label selector of many values":             "labelSelector=a+in+(" + strings.Repeat("a,", 250_000) + "a)",
	"a megabyte of label selector":                "labelSelector=" + strings.Repeat("a,", 500_000) + "a",
	"a megabyte of field selector":                "fieldSelector=" + strings.Repeat("=,", 500_000) + "a=b",
	"a megabyte of what is escaped in a selector": "fieldSelector=a=" + strings.Repeat("<", 1_000_000),
	"a name as long as it goes":                   "",
}

var _ = Describe("Whoever is revoked", func() {
	It("is denied however long the request is", Serial, func() {
		stopOperator()
		p := startProcess() // without the race detector, which makes it slow
		ask(p.replica.Address)
		name := uniqueName("long")
		leaked := leak(name)
		update(name, withdrawn)
		canDoNothing(leaked, "has no access")
		before := metric(controlplane.APIServer, failOpen)
		for what, query := range longQueries {
			path := "/api/v1/namespaces/default/secrets"
			if query == "" {
				path += "/" + strings.Repeat("<", 300_000)
			}
			began, asked := time.Now(), metric(controlplane.APIServer, durations)
			status, body := send(leaked.Connection(), path, query)
			AddReportEntry(what, fmt.Sprintf("%d after %s, %.3f s of it asking", status, time.Since(began), metric(controlplane.APIServer, durations)-asked))
			Expect(status).To(Equal(http.StatusForbidden), what)
			Expect(body).To(ContainSubstring("has no access any more"), what)
		}
		Expect(metric(controlplane.APIServer, failOpen)).To(Equal(before))
	})

	It("is denied before he may be somebody else", func() {
		name := uniqueName("impersonator")
		leaked := leak(name)
		update(name, withdrawn)
		canDoNothing(leaked, "has no access")
		path := "/api/v1/namespaces/default/secrets"
		for what, headers := range map[string][]string{
			"another user":    {"Impersonate-User", "stranger"},
			"himself":         {"Impersonate-User", name + "@example.com"},
			"a group of many": {"Impersonate-User", "stranger", "Impersonate-Group", "system:masters"},
			"somebody with another certificate": {"Impersonate-User", name + "@example.com",
				"Impersonate-Extra-Authentication.kubernetes.io%2fcredential-id", "X509SHA256=" + strings.Repeat("0", 64)},
		} {
			status, body := send(leaked.Connection(), path, "", headers...)
			Expect(status).To(Equal(http.StatusForbidden), what)
			Expect(body).To(ContainSubstring("has no access any more"), what)
		}
	})
})

var _ = Describe("Nobody else is denied", func() {
	It("by an identity of another user that revokes his certificate", func() {
		victim := leak(uniqueName("victim"))
		for _, to := range []v1alpha1.BindTo{v1alpha1.BindToUsername, v1alpha1.BindToCredential} {
			create(newIdentity(uniqueName("attacker"), bound(to), stolen(victim.Fingerprint)))
		}
		Consistently(refused(victim.Connection())).Should(BeEmpty())
	})

	It("for what he impersonates, be it a revoked certificate, or thousands of groups", func() {
		name := uniqueName("forged")
		leaked := leak(name)
		update(name, stolen(leaked.Fingerprint))
		canDoNothing(leaked, "has revoked this certificate")
		another(name, leaked)
		credential := []string{"Impersonate-Extra-Authentication.kubernetes.io%2fcredential-id", "X509SHA256=" + leaked.Fingerprint}
		path := "/api/v1/namespaces/default/secrets"
		for who, config := range bystanders {
			status, _ := send(config, path, "", append(credential, "Impersonate-User", "stranger")...)
			Expect(status).To(Equal(http.StatusOK), who)
			status, _ = send(config, path, "", "Impersonate-User", name+"@example.com")
			Expect(status).To(Equal(http.StatusOK), "%s as the user, with whatever certificate", who)
			many := []string{"Impersonate-User", "stranger"}
			for n := range 5000 {
				many = append(many, "Impersonate-Group", fmt.Sprint("clientidentity.dev:", n))
			}
			status, _ = send(config, path, "", many...)
			Expect(status).To(Equal(http.StatusOK), who)
		}
		By("the user with the revoked certificate being denied to administrators, too")
		status, body := send(cp.Config(), path, "", append(credential, "Impersonate-User", name+"@example.com")...)
		Expect(status).To(Equal(http.StatusForbidden))
		Expect(body).To(ContainSubstring("has revoked this certificate"))
	})
})
