// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"fmt"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// renewalWindow is from when a certificate of renewsSoon is due to when the next one would be.
const renewalWindow = 20 * time.Second

// renewsSoon asks for the shortest certificates that there are, and renews them soon after they were issued.
func renewsSoon(identity *v1alpha1.ClientIdentity) {
	identity.Spec.TTL = metav1.Duration{Duration: 10 * time.Minute}
	identity.Spec.RenewBefore = &metav1.Duration{Duration: 10*time.Minute - renewalWindow}
}

// loop runs kubectl get pods on a machine again and again, and keeps what went wrong.
type loop struct {
	machine *machine
	stop    chan struct{}
	done    sync.WaitGroup

	mu       sync.Mutex
	runs     int
	failures []string
}

// looping begins a loop, which ends with the spec at the latest.
func looping(m *machine, namespace string) *loop {
	l := &loop{machine: m, stop: make(chan struct{})}
	l.done.Go(func() {
		defer GinkgoRecover()
		for {
			select {
			case <-l.stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
			_, err := m.kubectl("get", "pods", "--namespace", namespace)
			m.keepKeys()
			l.mu.Lock()
			l.runs++
			if err != nil {
				l.failures = append(l.failures, fmt.Sprintf("%s: %v", time.Now().UTC().Format(time.TimeOnly), err))
			}
			l.mu.Unlock()
		}
	})
	DeferCleanup(l.end)
	return l
}

// end ends the loop and returns how often it ran, and what failed.
func (l *loop) end() (int, []string) {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.done.Wait()
	return l.soFar()
}

func (l *loop) soFar() (int, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs, l.failures
}

// more waits until the loop has run some more times, and has never failed.
func (l *loop) more(times int) {
	GinkgoHelper()
	before, _ := l.soFar()
	Eventually(func() int { runs, _ := l.soFar(); return runs }).Should(BeNumerically(">=", before+times))
	_, failures := l.soFar()
	Expect(failures).To(BeEmpty())
}

var _ = Describe("Devices that nobody looks after", Ordered, func() {
	const renewals = 3
	var (
		front           *operator.Forwarder
		identity        *v1alpha1.ClientIdentity
		laptop, desktop *machine
		atLaptop        *loop
		atDesktop       *loop
		namespace       string
	)

	BeforeAll(func() {
		var err error
		front, err = operator.NewForwarder()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(front.To()).To(Succeed()) })
		_, err = cp.AddAPIServer(ctx)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(cp.StopComponent(controlplane.SecondAPIServer)).To(Succeed()) })
		Expect(front.To(apiServers()...)).To(Succeed())
		denying()

		namespace = uniqueName("work")
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
			&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "list-pods"}, Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
			}})
		identity = enrollable("lea", renewsSoon, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Kubeconfig.Server = "https://" + front.Address()
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{{
				Name: "pods", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "Role", Name: "list-pods"},
			}}
		})
		laptop, desktop = newMachine("laptop"), newMachine("desktop")
		for _, m := range []*machine{laptop, desktop} {
			m.enrol(invitation(identity))
			m.hasNoKey()
			Eventually(func() error { _, err := m.kubectl("get", "pods", "--namespace", namespace); return err }).Should(Succeed())
		}
		atLaptop, atDesktop = looping(laptop, namespace), looping(desktop, namespace)
	})

	// eventuallyRenewed waits until a device has renewed so many times more. Where the machine was slow before, the device has had as
	// many certificates as it gets in a while.
	eventuallyRenewed := func(name string, times int64) {
		GinkgoHelper()
		last, seen := device(identity.Name, name).Fingerprint, int64(0)
		Eventually(func() int64 {
			if now := device(identity.Name, name).Fingerprint; now != last {
				last, seen = now, seen+1
			}
			return seen
		}).WithTimeout(renewal.LimitInterval + 4*renewalWindow*time.Duration(times)).Should(BeNumerically(">=", times))
	}

	It("renew three times by themselves", func() {
		var both sync.WaitGroup
		for _, name := range []string{"laptop", "desktop"} {
			both.Go(func() {
				defer GinkgoRecover()
				eventuallyRenewed(name, renewals)
			})
		}
		both.Wait()
		atLaptop.more(1)
		atDesktop.more(1)
		expectUnnoticed(identity.Name)
		for _, m := range []*machine{laptop, desktop} {
			Expect(m.keys()).To(BeNumerically(">", renewals), "each renewal has a key of its own")
		}
	})

	It("go on while API servers are restarted, one after the other", func() {
		servers := apiServers()
		for i, component := range []controlplane.Component{controlplane.APIServer, controlplane.SecondAPIServer} {
			// As a load balancer does that is told before.
			Expect(front.Next(servers[1-i])).To(Succeed())
			atLaptop.more(2)
			atDesktop.more(2)
			Expect(cp.RestartComponent(ctx, component)).To(Succeed())
			Expect(front.Next(servers...)).To(Succeed())
		}
		eventuallyRenewed("laptop", 1)
		atLaptop.more(1)
		atDesktop.more(1)
	})

	It("go on while the operator is down for longer than a renewal window", func() {
		withoutOperator(func() {
			before := device(identity.Name, "laptop")
			Eventually(time.Now).Should(BeTemporally(">", before.RenewalTime.Add(renewalWindow)))
			atLaptop.more(2)
			atDesktop.more(2)
			Expect(device(identity.Name, "laptop").Fingerprint).To(Equal(before.Fingerprint))
		})
		eventuallyRenewed("laptop", 1)
		expectUnnoticed(identity.Name)
	})

	It("stop when they are revoked, each for itself", func() {
		runs, failures := atLaptop.end()
		Expect(failures).To(BeEmpty(), "in %d runs", runs)
		// expectStopped checks that a machine can do nothing any more, and that its kubectl says why.
		expectStopped := func(m *machine) {
			GinkgoHelper()
			_, err := m.kubectl("get", "pods", "--namespace", namespace)
			Expect(err).To(MatchError(And(ContainSubstring("Forbidden"), ContainSubstring("revoked"))))
		}
		due := device(identity.Name, "laptop").RenewalTime
		By("revoking one, which waits until that is done")
		_, err := administrator().kubectl("clientidentity", "revoke", identity.Name, "--device", "laptop")
		Expect(err).NotTo(HaveOccurred())
		expectStopped(laptop)
		Expect(device(identity.Name, "laptop").State).To(Equal(v1alpha1.DeviceRevoked))
		revoked := device(identity.Name, "laptop").Fingerprint
		By("the other going on, while the first one does not renew")
		Eventually(time.Now).Should(BeTemporally(">", due.Time))
		expectStopped(laptop)
		atDesktop.more(3)
		Expect(device(identity.Name, "laptop").Fingerprint).To(Equal(revoked))

		By("revoking all")
		runs, failures = atDesktop.end()
		Expect(failures).To(BeEmpty(), "in %d runs", runs)
		_, err = administrator().kubectl("clientidentity", "revoke", identity.Name, "--all")
		Expect(err).NotTo(HaveOccurred())
		expectStopped(desktop)
	})
})

// apiServers are the addresses of both.
func apiServers() []string {
	return []string{strings.TrimPrefix(cp.URL(), "https://"), strings.TrimPrefix(cp.ThroughSecond(cp.Config()).Host, "https://")}
}
