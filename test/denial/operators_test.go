// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/holder"
)

// kept is a copy that is denied, and stays so.
type kept struct {
	*holder.Copy
	name, told string
}

// leakAll makes a copy that is denied for each reason there is.
func leakAll() []kept {
	GinkgoHelper()
	var copies []kept
	ends := map[string]end{}
	for _, to := range []v1alpha1.BindTo{v1alpha1.BindToUsername, v1alpha1.BindToCredential} {
		for _, e := range []end{byRevocation, byWithdrawal, byGroup, byFingerprint, byDeletion} {
			if e.how == nil && to == v1alpha1.BindToUsername {
				continue // nothing in such a certificate says whose it was
			}
			name := uniqueName("kept")
			identity := newIdentity(name, bound(to), inGroup("developers"))
			makeAdministrator(identity.Spec.Username)
			create(identity)
			ends[name] = e
		}
	}
	for name, e := range ends {
		Eventually(ready(name)).Should(BeTrue(), name)
		leaked := kept{published(name), name, e.told}
		if e.how == nil {
			Expect(admin.Delete(ctx, get(name))).To(Succeed())
		} else {
			leaked.told = fmt.Sprintf(e.told, name)
			update(name, e.how(leaked.Copy))
		}
		copies = append(copies, leaked)
	}
	for _, c := range copies {
		Eventually(whoami).WithArguments(c.Connection()).Should(MatchError(ContainSubstring(c.told)))
		canDoNothing(c.Copy, c.told)
	}
	return copies
}

// stillDenied waits until all of them are denied by whoever is asked now.
func stillDenied(copies []kept) {
	GinkgoHelper()
	for _, c := range copies {
		Eventually(whoami).WithArguments(c.Connection()).Should(MatchError(ContainSubstring(c.told)), c.name)
	}
	canDoNothing(copies[0].Copy, copies[0].told)
}

var _ = Describe("What is denied", Serial, Ordered, func() {
	var denied []kept
	BeforeAll(func() { denied = leakAll() })

	It("is denied after a restart of the operator, from its first answer on, and nobody else is while it starts", func() {
		stopOperator()
		end := goOn()
		for range 3 {
			startOperator()
			apiServer := caller(certificateOf(cp.AuthorizationCA(), controlplane.AuthorizationClient))
			for _, c := range denied {
				status, answer := post(apiServer, "/authorize", reviewOf(c.name, c.Copy))
				Expect(status).To(Equal(http.StatusOK))
				Expect(answer.Status.Denied).To(BeTrue(), c.told)
			}
			stillDenied(denied)
			Expect(running.Stop()).To(Succeed())
			running = nil
		}
		end()
		startOperator()
		everybodyElseGoesOn()
	})

	It("is denied by the replica that stands by, and when the leader dies", func() {
		stopOperator()
		leader := startProcess(elected...)
		standby := startProcess(elected...)
		for _, p := range []*process{leader, standby} {
			ask(p.replica.Address)
			stillDenied(denied)
			everybodyElseGoesOn()
		}
		By("a revocation that the leader carries out, with the other one asked")
		name := uniqueName("failover")
		leaked := leak(name)
		update(name, revoked)
		canDoNothing(leaked, "has revoked")
		current := another(name, leaked)

		ask(leader.replica.Address, standby.replica.Address)
		canDoNothing(leaked, "has revoked")
		leader.kill()
		Eventually(whoami).WithArguments(leaked.Connection()).Should(MatchError(ContainSubstring("has revoked")))
		for range 20 {
			Expect(whoami(leaked.Connection())).To(MatchError(apierrors.IsForbidden, "IsForbidden"))
		}
		stillDenied(denied)
		Expect(refused(current.Connection())()).To(BeEmpty())
		everybodyElseGoesOn()
	})

	It("is denied after a backup was restored: the identity of the same name is another one", func() {
		name := uniqueName("restored")
		leaked := leak(name, bound(v1alpha1.BindToCredential))
		backup := newIdentity(name)
		backup.Spec = get(name).Spec
		Expect(admin.Delete(ctx, get(name))).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ClientIdentity{}) }).
			Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
		create(backup)
		current := another(name, leaked)
		canDoNothing(leaked, "was deleted")
		Expect(refused(current.Connection())()).To(BeEmpty())
	})

	It("is nobody whose identity is new, however often one is made", func() {
		for range 5 {
			name := uniqueName("fresh")
			create(newIdentity(name, bound(v1alpha1.BindToCredential)))
			Eventually(ready(name)).Should(BeTrue())
			Expect(whoami(published(name).Connection())).To(Succeed())
		}
	})
})

// goOn has every bystander ask who he is again and again, until its end at the end of the spec at the latest; nobody is refused.
func goOn() (end func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(ended)
		for {
			for who, config := range bystanders {
				Expect(whoami(config)).To(Succeed(), who)
			}
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	end = sync.OnceFunc(func() { close(done); <-ended })
	DeferCleanup(end)
	return end
}
