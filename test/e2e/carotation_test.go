// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// caName is the name of the old CA and of the new one: kubeadm's rotated CA keeps its name, too.
const caName = "kubernetes"

var _ = Describe("Rotation of the client CA", func() {
	var (
		ctx    context.Context
		cp     *controlplane.ControlPlane
		admin  client.Client
		oldCA  *controlplane.CA
		names  = []string{"alice", "bob", "carol", "dave"}
		issued map[string]string // the key of the CA, by identity
	)

	BeforeEach(func() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(context.Background())
		DeferCleanup(func() { cancel() })
		var err error
		cp, err = controlplane.Start(ctx, controlplane.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(cp.Stop()).To(Succeed()) })
		Expect(operator.Install(ctx, cp)).To(Succeed())
		oldCA, err = controlplane.NewCA(caName, 10*365*24*time.Hour)
		Expect(err).NotTo(HaveOccurred())
		Expect(cp.TrustClientCAs(ctx, oldCA)).To(Succeed())
		Expect(cp.UseSigningCA(ctx, oldCA)).To(Succeed())
		admin, err = client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		connection, err := operator.Connection(ctx, cp)
		Expect(err).NotTo(HaveOccurred())
		running, err := operator.Start(ctx, connection, func(o *manager.Options) {
			o.IssuerInterval, o.Spread = 2*time.Second, 5*time.Second
		})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
		for _, name := range names {
			identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
			identity.Spec.Username = name
			Expect(admin.Create(ctx, identity)).To(Succeed())
		}
		issued = map[string]string{}
		for _, name := range names {
			Eventually(ready).WithArguments(ctx, admin, name).Should(BeTrue())
			issued[name] = get(ctx, admin, name).Status.Certificate.AuthorityKeyID
			Expect(issued[name]).NotTo(BeEmpty())
		}
	})

	It("re-issues everything on request while both CAs are trusted, without interrupting a holder", func() {
		newCA := mustCA()
		holder := newPoller(ctx, admin, "alice")
		By("trusting both, and signing with the new one")
		Expect(cp.TrustClientCAs(ctx, oldCA, newCA)).To(Succeed())
		Expect(cp.UseSigningCA(ctx, newCA)).To(Succeed())
		By("renewing one: the others say that their CA is being replaced")
		renew(ctx, admin, "dave")
		Eventually(issuerKey).WithArguments(ctx, admin, "dave").ShouldNot(Equal(issued["dave"]))
		for _, name := range []string{"alice", "bob", "carol"} {
			Eventually(certificateReason).WithArguments(ctx, admin, name).Should(Equal(v1alpha1.ReasonIssuerSuperseded))
			Expect(ready(ctx, admin, name)).To(BeTrue(), name)
		}
		By("renewing all, and dropping the old CA")
		for _, name := range names {
			renew(ctx, admin, name)
		}
		for _, name := range names {
			Eventually(issuerKey).WithArguments(ctx, admin, name).ShouldNot(Equal(issued[name]))
			Eventually(certificateReason).WithArguments(ctx, admin, name).Should(Equal(v1alpha1.ReasonIssued))
		}
		Expect(cp.TrustClientCAs(ctx, newCA)).To(Succeed())
		revisions := map[string]int64{}
		for _, name := range names {
			revisions[name] = get(ctx, admin, name).Status.Certificate.Revision
			Eventually(whoAmI).WithArguments(ctx, admin, name).Should(Equal(name))
		}
		holder.expectNeverRefused()
		By("and nothing is issued again for it")
		Consistently(func() map[string]int64 {
			now := map[string]int64{}
			for _, name := range names {
				now[name] = get(ctx, admin, name).Status.Certificate.Revision
			}
			return now
		}, "6s").Should(Equal(revisions))
	})

	It("re-issues by itself, once, what the API server no longer accepts", func() {
		newCA := mustCA()
		Expect(cp.UseSigningCA(ctx, newCA)).To(Succeed())
		Expect(cp.TrustClientCAs(ctx, newCA)).To(Succeed())
		for _, name := range names {
			Eventually(issuerKey).WithArguments(ctx, admin, name).ShouldNot(Equal(issued[name]))
			Eventually(ready).WithArguments(ctx, admin, name).Should(BeTrue())
			Eventually(whoAmI).WithArguments(ctx, admin, name).Should(Equal(name))
			Expect(get(ctx, admin, name).Status.Certificate.Revision).To(BeEquivalentTo(2))
		}
	})
})

func mustCA() *controlplane.CA {
	GinkgoHelper()
	ca, err := controlplane.NewCA(caName, 10*365*24*time.Hour)
	Expect(err).NotTo(HaveOccurred())
	return ca
}

func get(ctx context.Context, admin client.Client, name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Eventually(func() error { return admin.Get(ctx, client.ObjectKey{Name: name}, identity) }).Should(Succeed())
	return identity
}

func ready(ctx context.Context, admin client.Client, name string) bool {
	return meta.IsStatusConditionTrue(get(ctx, admin, name).Status.Conditions, v1alpha1.ConditionReady)
}

func certificateReason(ctx context.Context, admin client.Client, name string) string {
	c := meta.FindStatusCondition(get(ctx, admin, name).Status.Conditions, v1alpha1.ConditionCertificateIssued)
	if c == nil {
		return ""
	}
	return c.Reason
}

func issuerKey(ctx context.Context, admin client.Client, name string) string {
	return get(ctx, admin, name).Status.Certificate.AuthorityKeyID
}

func renew(ctx context.Context, admin client.Client, name string) {
	GinkgoHelper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RenewRequestedAtAnnotation, time.Now().Format(time.RFC3339Nano))
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(admin.Patch(ctx, identity, client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}

// whoAmI returns the user that the published kubeconfig of an identity authenticates as.
func whoAmI(ctx context.Context, admin client.Client, name string) (string, error) {
	secret := &corev1.Secret{}
	if err := admin.Get(ctx, client.ObjectKey{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}, secret); err != nil {
		return "", err
	}
	return operator.HolderOf(ctx, secret.Data["kubeconfig"])
}

// poller uses a published kubeconfig all the time, as a holder does who reads it from the Secret each time.
type poller struct {
	mu      sync.Mutex
	refused []error
	served  int
}

func newPoller(ctx context.Context, admin client.Client, name string) *poller {
	p := &poller{}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, err := whoAmI(ctx, admin, name)
			p.mu.Lock()
			switch {
			case err == nil:
				p.served++
			case apierrors.IsUnauthorized(err):
				p.refused = append(p.refused, err)
			}
			// Anything else is the API server restarting: it does not answer, or answers before it has read its RBAC,
			// which lets every authenticated user ask who they are.
			p.mu.Unlock()
			time.Sleep(20 * time.Millisecond)
		}
	}()
	DeferCleanup(func() { cancel(); <-done })
	return p
}

func (p *poller) expectNeverRefused() {
	GinkgoHelper()
	p.mu.Lock()
	defer p.mu.Unlock()
	Expect(p.refused).To(BeEmpty())
	Expect(p.served).To(BeNumerically(">", 10))
}
