// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/holder"
)

// review is what an API server asks about somebody with a certificate.
func review(user, fingerprint string, groups ...string) *authorizationv1.SubjectAccessReview {
	return &authorizationv1.SubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"},
		Spec: authorizationv1.SubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: "secrets", Namespace: "default", Version: "v1"},
			User:               user, Groups: append(groups, "system:authenticated"),
			Extra: map[string]authorizationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"X509SHA256=" + fingerprint}},
		},
	}
}

// reviewOf is what an API server asks about the holder of a copy.
func reviewOf(name string, c *holder.Copy) *authorizationv1.SubjectAccessReview {
	return review(name+"@example.com", c.Fingerprint, c.Groups...)
}

func encoded(review *authorizationv1.SubjectAccessReview) []byte {
	GinkgoHelper()
	body, err := json.Marshal(review)
	Expect(err).NotTo(HaveOccurred())
	return body
}

// caller is a client that shows a certificate, or none.
func caller(certificate *tls.Certificate) *http.Client {
	GinkgoHelper()
	config, err := authorizer.ClientTLS()
	Expect(err).NotTo(HaveOccurred())
	config.Certificates = nil
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: 30 * time.Second}
}

func certificateOf(ca *controlplane.CA, name string) *tls.Certificate {
	GinkgoHelper()
	cert, key, err := ca.ClientCertificate(name)
	Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(cert, key)
	Expect(err).NotTo(HaveOccurred())
	return &pair
}

// post asks the operator and returns its answer; a status of 0 means that there was no connection.
func post(client *http.Client, path string, review *authorizationv1.SubjectAccessReview) (int, *authorizationv1.SubjectAccessReview) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+replica.Address+path, bytes.NewReader(encoded(review)))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	answer := &authorizationv1.SubjectAccessReview{}
	if response.StatusCode == http.StatusOK {
		Expect(json.Unmarshal(content, answer)).To(Succeed())
	}
	return response.StatusCode, answer
}

var _ = Describe("The operator answers", func() {
	It("nobody but the API server: what is denied tells of identities", func() {
		name := uniqueName("asked")
		leaked := leak(name)
		update(name, withdrawn)
		canDoNothing(leaked, "has no access")
		stranger, err := controlplane.NewCA(cp.AuthorizationCA().Certificate().Subject.CommonName, time.Hour)
		Expect(err).NotTo(HaveOccurred())
		for who, certificate := range map[string]*tls.Certificate{
			"nobody":                      nil,
			"another CA of the same name": certificateOf(stranger, controlplane.AuthorizationClient),
			"the cluster's own CA, which another one stands in for here": certificateOf(cp.ClientCA(), controlplane.AuthorizationClient),
		} {
			status, _ := post(caller(certificate), "/authorize", reviewOf(name, leaked))
			Expect(status).To(BeZero(), who)
		}
		for _, other := range []string{"kube-apiserver-etcd-client", "", name + "@example.com"} {
			status, _ := post(caller(certificateOf(cp.AuthorizationCA(), other)), "/authorize", reviewOf(name, leaked))
			Expect(status).To(Equal(http.StatusForbidden), other)
		}
		apiServer := caller(certificateOf(cp.AuthorizationCA(), controlplane.AuthorizationClient))
		status, answer := post(apiServer, "/authorize", reviewOf(name, leaked))
		Expect(status).To(Equal(http.StatusOK))
		Expect(answer.Status.Denied).To(BeTrue())
		status, _ = post(apiServer, "/", reviewOf(name, leaked))
		Expect(status).To(Equal(http.StatusNotFound))
	})

	It("that it has no opinion, and never that somebody may do something", func() {
		name := uniqueName("opinion")
		current := leak(name)
		apiServer := caller(certificateOf(cp.AuthorizationCA(), controlplane.AuthorizationClient))
		for what, asked := range map[string]*authorizationv1.SubjectAccessReview{
			"the current certificate":  reviewOf(name, current),
			"another one of the user":  review(name+"@example.com", "ab"),
			"somebody else":            review("stranger", current.Fingerprint),
			"an administrator":         review(name+"@example.com", current.Fingerprint, "system:masters", "clientidentity.dev:00000000000000000000000000000000:0"),
			"a node":                   review("system:node:a", current.Fingerprint, "system:nodes", "clientidentity.dev:00000000000000000000000000000000:0"),
			"a service account":        review("system:serviceaccount:a:b", current.Fingerprint, "clientidentity.dev:00000000000000000000000000000000:0"),
			"a group that looks alike": review("stranger", "ab", "clientidentity.dev:", "clientidentity.dev:::", "clientidentity.dev:x:y"),
		} {
			status, answer := post(apiServer, "/authorize", asked)
			Expect(status).To(Equal(http.StatusOK), what)
			Expect(answer.Status).To(Equal(authorizationv1.SubjectAccessReviewStatus{}), what)
		}
	})
})
