// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
)

// requestsOf returns the names of the CertificateSigningRequests with the identity's label, finished ones too.
func requestsOf(name string) func() []string {
	return func() []string {
		GinkgoHelper()
		names := []string{}
		for _, csr := range signingRequests(name) {
			names = append(names, csr.Name)
		}
		return names
	}
}

func signingRequests(name string) []certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	var list certificatesv1.CertificateSigningRequestList
	Expect(admin.List(ctx, &list, client.MatchingLabels(ourLabels(name)))).To(Succeed())
	return list.Items
}

// openRequest waits until one request is open and returns it.
func openRequest(name string) *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	var open []certificatesv1.CertificateSigningRequest
	Eventually(func() []certificatesv1.CertificateSigningRequest {
		open = slices.DeleteFunc(signingRequests(name), func(csr certificatesv1.CertificateSigningRequest) bool { return closed(&csr) })
		return open
	}).Should(HaveLen(1))
	return &open[0]
}

// closed says whether a request was signed, denied or failed.
func closed(csr *certificatesv1.CertificateSigningRequest) bool {
	return len(csr.Status.Certificate) > 0 || slices.ContainsFunc(csr.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
		return c.Type == certificatesv1.CertificateDenied || c.Type == certificatesv1.CertificateFailed
	})
}

// decideOn approves or denies a request as an administrator does.
func decideOn(csr *certificatesv1.CertificateSigningRequest, decision certificatesv1.RequestConditionType) {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(cp.Config())
	Expect(err).NotTo(HaveOccurred())
	requests := clients.CertificatesV1().CertificateSigningRequests()
	Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := requests.Get(ctx, csr.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now.Status.Conditions = append(now.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: decision, Status: corev1.ConditionTrue, Reason: "AdministratorDecided", Message: "not today",
		})
		_, err = requests.UpdateApproval(ctx, csr.Name, now, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
}

// recorder keeps what a watch has seen.
type recorder struct {
	mu     sync.Mutex
	events []watch.Event
}

// record watches objects from now until the end of the spec.
func record(list client.ObjectList, options ...client.ListOption) *recorder {
	GinkgoHelper()
	watching, err := client.NewWithWatch(cp.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	stream, err := watching.Watch(ctx, list, options...)
	Expect(err).NotTo(HaveOccurred())
	r, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		for event := range stream.ResultChan() {
			r.mu.Lock()
			r.events = append(r.events, event)
			r.mu.Unlock()
		}
	}()
	DeferCleanup(func() { stream.Stop(); <-done })
	return r
}

// seen returns the events so far, in the order in which they happened.
func (r *recorder) seen() []watch.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// created returns how many objects came into being.
func (r *recorder) created() int {
	uids := map[types.UID]bool{}
	for _, event := range r.seen() {
		uids[event.Object.(client.Object).GetUID()] = true
	}
	return len(slices.Collect(maps.Keys(uids)))
}

// mostOpen returns how many CertificateSigningRequests were open at a time, at most.
func (r *recorder) mostOpen() int {
	open, most := map[types.UID]bool{}, 0
	for _, event := range r.seen() {
		csr := event.Object.(*certificatesv1.CertificateSigningRequest)
		if event.Type == watch.Deleted || closed(csr) {
			delete(open, csr.UID)
		} else {
			open[csr.UID] = true
		}
		most = max(most, len(open))
	}
	return most
}
