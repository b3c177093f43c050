// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// What the operator costs is counted where it costs: in the audit log of the API server.
var _ = Describe("Requests to the API server", Serial, func() {
	It("are none for unchanged identities, and only those that fill the caches after a restart", func() {
		const identities = 10
		namespace := createNamespace("unchanged", nil)
		var names []string
		for range identities {
			name := uniqueName("unchanged")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace)}
			}))
			names = append(names, name)
		}
		before := map[string]string{}
		for _, name := range names {
			before[name] = eventuallyReady(name).ResourceVersion
		}

		from := whenQuiet()
		Consistently(func() requestCounts { return operatorRequests(from) }, "5s").Should(BeEmpty(), "over a quiet period")

		from = auditLogSize()
		stopOperator()
		startOperator()
		// Every identity is looked at right after the start.
		Consistently(func() requestCounts { return operatorRequests(from).without("list", "discover") }, "3s").Should(BeEmpty(), "over a restart")
		Expect(operatorRequests(from)).To(HaveKey("discover /api"), "the restart is in the log")
		for _, name := range names {
			Expect(get(name).ResourceVersion).To(Equal(before[name]))
		}
	})
})

// bindEdit returns a binding of the user to the ClusterRole edit in a namespace.
func bindEdit(namespace string) v1alpha1.RoleBinding {
	return v1alpha1.RoleBinding{Name: namespace, Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "edit"}}
}

// requestCounts are requests by verb and resource. What a watch costs is not counted.
type requestCounts map[string]int

// without returns the counts of all other verbs.
func (c requestCounts) without(verbs ...string) requestCounts {
	rest := requestCounts{}
	for request, count := range c {
		rest[request] = count
		for _, verb := range verbs {
			if strings.HasPrefix(request, verb+" ") {
				delete(rest, request)
			}
		}
	}
	return rest
}

// auditEvent is what is read of an event in the audit log.
type auditEvent struct {
	Verb       string                    `json:"verb"`
	RequestURI string                    `json:"requestURI"`
	User       authenticationv1.UserInfo `json:"user"`
	ObjectRef  *struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
}

func (e *auditEvent) request() string {
	switch {
	case e.ObjectRef == nil && (e.RequestURI == "/api" || strings.HasPrefix(e.RequestURI, "/apis") || strings.HasPrefix(e.RequestURI, "/api/")):
		return "discover " + e.RequestURI
	case e.ObjectRef == nil:
		return e.Verb + " " + e.RequestURI
	case e.ObjectRef.Subresource != "":
		return e.Verb + " " + e.ObjectRef.Resource + "/" + e.ObjectRef.Subresource
	}
	return e.Verb + " " + e.ObjectRef.Resource
}

// auditLogSize returns where the audit log ends now.
func auditLogSize() int64 {
	GinkgoHelper()
	info, err := os.Stat(cp.AuditLog())
	Expect(err).NotTo(HaveOccurred())
	return info.Size()
}

// requestsBy counts the requests of users since the audit log had that size.
func requestsBy(from int64, usernames ...string) requestCounts {
	GinkgoHelper()
	file, err := os.Open(cp.AuditLog())
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()
	_, err = file.Seek(from, io.SeekStart)
	Expect(err).NotTo(HaveOccurred())
	content, err := io.ReadAll(file)
	Expect(err).NotTo(HaveOccurred())
	counts := requestCounts{}
	for line := range bytes.Lines(content) {
		event := auditEvent{}
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // the rest of it is still being written
		}
		Expect(json.Unmarshal(line, &event)).To(Succeed())
		if event.Verb != "watch" && slices.Contains(usernames, event.User.Username) {
			counts[event.request()]++
		}
	}
	return counts
}

func operatorRequests(from int64) requestCounts {
	GinkgoHelper()
	return requestsBy(from, operator.Username)
}

// whenQuiet waits until the operator has nothing to do any more, and returns the size of the audit log.
func whenQuiet() int64 {
	GinkgoHelper()
	var from int64
	Eventually(func(g Gomega) {
		from = auditLogSize()
		g.Consistently(func() requestCounts { return operatorRequests(from) }, "1s").Should(BeEmpty())
	}).Should(Succeed())
	return from
}
