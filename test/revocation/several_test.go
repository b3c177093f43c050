// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

// another is one more operator, whose way to the API server can be held.
type another struct {
	*faults.Transport
	running *operator.Running
}

// startAnother starts one more operator, until the end of the spec.
func startAnother(configure func(*manager.Options)) *another {
	GinkgoHelper()
	o := &another{Transport: faults.NewTransport()}
	var err error
	o.running, err = operator.Start(ctx, o.Through(connection), func(options *manager.Options) {
		options.SlowLook, options.APIServerLag = slowLook, apiServerLag
		if configure != nil {
			configure(options)
		}
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(o.end)
	return o
}

// end cuts the operator off and ends it.
func (o *another) end() {
	if o.running != nil {
		o.Kill()
		_ = o.running.Stop() // it could do nothing in an orderly way
		o.running = nil
	}
}

// holding holds what matches until the end of the spec at the latest.
func (o *another) holding(matches func(*http.Request) bool) (release func(), waiting <-chan struct{}) {
	release, waiting = o.Hold(matches)
	DeferCleanup(release)
	return release, waiting
}

// writesOf matches the writes of a resource by a method.
func writesOf(method, resource string) func(*http.Request) bool {
	return func(request *http.Request) bool {
		return request.Method == method && slices.Contains(strings.Split(request.URL.Path, "/"), resource)
	}
}

// watchesOf matches the watches of a resource.
func watchesOf(resource string) func(*http.Request) bool {
	return func(request *http.Request) bool {
		return request.URL.Query().Get("watch") != "" && strings.HasSuffix(request.URL.Path, "/"+resource)
	}
}

// stopOperator stops the operator of the suite until the end of the spec.
func stopOperator() {
	GinkgoHelper()
	Expect(running.Stop()).To(Succeed())
	running = nil
	DeferCleanup(func() {
		if running == nil {
			startOperator()
		}
	})
}

// chronicle is what was seen of objects, in order.
type chronicle struct {
	mu   sync.Mutex
	seen []string
}

// follow notes, until the end of the spec, what there is to say of objects whenever one comes or changes.
func follow(list client.ObjectList, describe func(runtime.Object) []string, options ...client.ListOption) *chronicle {
	GinkgoHelper()
	watching, err := client.NewWithWatch(cp.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	events, err := watching.Watch(ctx, list, options...)
	Expect(err).NotTo(HaveOccurred())
	c, ended := &chronicle{}, make(chan struct{})
	go func() {
		defer close(ended)
		for event := range events.ResultChan() {
			if event.Type == watch.Added || event.Type == watch.Modified {
				c.mu.Lock()
				c.seen = append(c.seen, describe(event.Object)...)
				c.mu.Unlock()
			}
		}
	}()
	DeferCleanup(func() { events.Stop(); <-ended })
	return c
}

// followBindings notes whom the role bindings of an identity name.
func followBindings(name string) *chronicle {
	GinkgoHelper()
	return follow(&rbacv1.RoleBindingList{}, func(object runtime.Object) []string {
		var named []string
		binding := object.(*rbacv1.RoleBinding)
		for _, s := range binding.Subjects {
			named = append(named, binding.Namespace+" names "+s.Name)
		}
		return named
	}, client.MatchingLabels{v1alpha1.IdentityLabel: name})
}

// followClaims notes what the status says of the revocation, where it is about the current spec.
func followClaims(name string) *chronicle {
	GinkgoHelper()
	return follow(&v1alpha1.ClientIdentityList{}, func(object runtime.Object) []string {
		identity := object.(*v1alpha1.ClientIdentity)
		c := meta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionRevocationComplete)
		if c == nil || identity.Status.ObservedGeneration != identity.Generation {
			return nil
		}
		return []string{string(c.Status) + " " + c.Reason}
	}, client.MatchingFields{"metadata.name": name})
}

// since returns what was seen after the first so many.
func (c *chronicle) since(start int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen[start:])
}

// length returns how much was seen.
func (c *chronicle) length() int { return len(c.since(0)) }

// naming matches what was seen of a binding to a group of the copy.
func naming(c *holder.Copy) []any {
	var names []any
	for _, group := range c.Groups {
		names = append(names, HaveSuffix(" names "+group))
	}
	return names
}

// aSecondLater waits until another revocation can be told from one that was made just now: whole seconds count.
func aSecondLater() {
	GinkgoHelper()
	began := time.Now().Truncate(time.Second)
	Eventually(time.Now).Should(BeTemporally(">=", began.Add(time.Second)))
}

// standby is an operator that waits to become the leader.
type standby struct {
	*another
	// began is closed once it works.
	began chan struct{}
}

// standBy starts an operator that waits to become the leader, and waits until its caches are filled.
func standBy(configure func(*manager.Options)) *standby {
	GinkgoHelper()
	s := &standby{another: &another{Transport: faults.NewTransport()}, began: make(chan struct{})}
	address := freeAddress()
	life, cancel := context.WithCancel(ctx)
	go func() {
		defer GinkgoRecover()
		defer close(s.began)
		running, err := operator.Start(life, s.Through(connection), func(options *manager.Options) {
			options.SlowLook, options.HealthProbeBindAddress = slowLook, address
			configure(options)
		})
		Expect(err).NotTo(HaveOccurred())
		s.running = running
	}()
	DeferCleanup(func() {
		s.Kill()
		cancel()
		<-s.began
		s.end()
	})
	Eventually(func() (int, error) {
		response, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}).Should(Equal(http.StatusOK))
	return s
}

// freeAddress returns a local address that nobody listens on.
func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
