// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/test/operator"
)

const (
	// loadRate is how many reviews a second are sent, if the machine is as fast, and loadFor how long.
	loadRate, loadFor = 2000, 5 * time.Second
	// loadClients is how many connections they come by.
	loadClients = 16
)

// load asks an operator again and again, in turn about each body, and counts. The first body is about a revoked certificate, and no other one.
type load struct {
	answered, wrong, failed atomic.Int64
	client                  *http.Client
	url                     string
	bodies                  [][]byte
}

// run sends so many reviews a second for some time. What is late is sent at once.
func (l *load) run(rate int, duration time.Duration) {
	var all sync.WaitGroup
	began := time.Now()
	for worker := range loadClients {
		all.Go(func() {
			for n := worker; ; n += loadClients {
				due := time.Duration(n) * time.Second / time.Duration(rate)
				if due > duration || time.Since(began) > duration {
					return
				}
				time.Sleep(due - time.Since(began))
				l.ask(n % len(l.bodies))
			}
		})
	}
	all.Wait()
}

func (l *load) ask(n int) {
	response, err := l.client.Post(l.url, "application/json", bytes.NewReader(l.bodies[n]))
	if err != nil {
		l.failed.Add(1)
		return
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		l.failed.Add(1)
		return
	}
	l.answered.Add(1)
	if denied := bytes.Contains(answer, []byte(`"denied":true`)); denied != (n == 0) {
		l.wrong.Add(1)
	}
}

var _ = Describe("Two thousand reviews a second", Serial, func() {
	It("are answered by an operator that stays under its memory limit and works meanwhile", func() {
		name := uniqueName("load")
		leaked := leak(name)
		update(name, revoked)
		current := another(name, leaked)
		stopOperator()
		p := startProcess()
		config, err := authorizer.ClientTLS()
		Expect(err).NotTo(HaveOccurred())
		transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: loadClients}
		defer transport.CloseIdleConnections()
		usual := &load{
			client: &http.Client{Transport: transport}, url: "https://" + p.replica.Address + "/authorize",
			bodies: [][]byte{encoded(reviewOf(name, leaked)), encoded(reviewOf(name, current)), encoded(review("stranger", "ab", "strangers"))},
		}
		prepare := func() time.Duration {
			another := uniqueName("meanwhile")
			began := time.Now()
			create(newIdentity(another))
			Eventually(ready(another)).Should(BeTrue())
			return time.Since(began)
		}
		before := prepare()
		quiet, err := operator.PeakMemory(p.Command.Process.Pid)
		if errors.Is(err, os.ErrNotExist) {
			Skip("this system does not tell the peak memory of a process in /proc")
		}
		Expect(err).NotTo(HaveOccurred())

		began, ended := time.Now(), make(chan struct{})
		go func() { defer close(ended); usual.run(loadRate, loadFor) }()
		while := prepare()
		Eventually(ended).Should(BeClosed())
		took := time.Since(began)
		loaded, err := operator.PeakMemory(p.Command.Process.Pid)
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("rate", fmt.Sprintf("%.0f answers a second, %d failed", float64(usual.answered.Load())/took.Seconds(), usual.failed.Load()))
		AddReportEntry("an identity was ready", fmt.Sprintf("after %s without, %s with the load", before, while))

		By("some of them being as long as they can be, all at once")
		longest := &load{client: usual.client, url: usual.url, bodies: [][]byte{withSelector(encoded(reviewOf(name, leaked)))}}
		longest.run(loadClients, time.Second)
		most, err := operator.PeakMemory(p.Command.Process.Pid)
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("peak memory", fmt.Sprintf("%d MiB before, %d MiB with the load, %d MiB with %d reviews of %d MiB, of which %d were too slow",
			quiet, loaded, most, loadClients, len(longest.bodies[0])>>20, longest.failed.Load()))

		Expect(usual.failed.Load()).To(BeZero())
		Expect(usual.answered.Load()).To(BeNumerically(">", 3))
		Expect(usual.wrong.Load()).To(BeZero(), "the revoked one is denied, and no other one")
		Expect(longest.answered.Load()).To(BeNumerically(">", 0))
		Expect(longest.wrong.Load()).To(BeZero())
		container, err := operator.Container(ctx, admin)
		Expect(err).NotTo(HaveOccurred())
		Expect(most).To(BeNumerically("<", container.Resources.Limits.Memory().Value()>>20))
		Expect(while).To(BeNumerically("<", 10*before+10*time.Second))
	})
})

// withSelector makes a review as long as an API server can be made to ask.
func withSelector(body []byte) []byte {
	GinkgoHelper()
	const requirement = `{"key":"","operator":"In","values":[""]}`
	selector := `"fieldSelector":{"requirements":[` + strings.Repeat(requirement+",", 500_000) + requirement + `]}`
	long := bytes.Replace(body, []byte(`"verb":`), []byte(selector+`,"verb":`), 1)
	Expect(len(long)).To(BeNumerically(">", len(body)))
	return long
}
