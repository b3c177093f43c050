// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

func held(identity *v1alpha1.ClientIdentity) {
	identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder
	identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "view", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}}
}

// newMachine returns somebody's machine: there is no kubeconfig on it, and nobody knows its user.
func newMachine(base string) *person {
	p := &person{name: uniqueName(base), home: GinkgoT().TempDir()}
	p.kubeconfig = p.file(".kube/config")
	return p
}

// invitation returns an invitation, as whoever may create tokens makes them.
func invitation(identity *v1alpha1.ClientIdentity) string {
	GinkgoHelper()
	ref := identity.Status.EnrolmentRef
	Expect(ref).NotTo(BeNil())
	clients, err := kubernetes.NewForConfig(cp.Config())
	Expect(err).NotTo(HaveOccurred())
	token, err := clients.CoreV1().ServiceAccounts(ref.Namespace).CreateToken(ctx, ref.Name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(600))}}, metav1.CreateOptions{})
	Expect(err == nil).To(BeTrue(), "a token is made")
	secret := &corev1.Secret{}
	place := types.NamespacedName{Namespace: identity.Status.SecretRef.Namespace, Name: identity.Status.SecretRef.Name}
	Expect(admin.Get(ctx, place, secret)).To(Succeed())
	parameters, _, _, err := kubeconfig.ReadExec(secret.Data["kubeconfig"])
	Expect(err).NotTo(HaveOccurred())
	request, err := holder.ParseParameters(secret.Data[v1alpha1.RequestKey])
	Expect(err).NotTo(HaveOccurred())
	encoded, err := holder.Invitation{
		Kubeconfig: parameters, Token: token.Status.Token, Expires: token.Status.ExpirationTimestamp.Time, Parameters: request, Secret: place,
	}.Encode()
	Expect(err == nil).To(BeTrue(), "it is encoded")
	return encoded
}

// enrolled returns a machine that was enrolled with an invitation, under that name.
func enrolled(identity *v1alpha1.ClientIdentity, device string) *person {
	GinkgoHelper()
	machine := newMachine(device)
	seen := machine.runWith(strings.NewReader(invitation(identity)), "enroll", "-", "--device", device)
	Expect(seen.code).To(BeZero(), seen.stderr)
	return machine
}

// deviceOf returns what the status says of a device.
func deviceOf(identity *v1alpha1.ClientIdentity, name string) v1alpha1.Device {
	GinkgoHelper()
	for _, d := range get(identity.Name).Status.Devices {
		if d.Name == name {
			return d
		}
	}
	return v1alpha1.Device{}
}

// renewsAt returns when kubectl asks again for the credential of a machine.
func (p *person) renewsAt(identity *v1alpha1.ClientIdentity) time.Time {
	GinkgoHelper()
	seen := p.run("credential", "--identity", identity.Name, "--uid", string(identity.UID))
	Expect(seen.code).To(BeZero(), seen.stderr)
	credential := &clientauthenticationv1.ExecCredential{}
	Expect(json.Unmarshal([]byte(seen.stdout), credential) == nil).To(BeTrue(), "it is an ExecCredential")
	return credential.Status.ExpirationTimestamp.Time
}

// requestsOf returns how many requests were made for a device.
func requestsOf(identity *v1alpha1.ClientIdentity, device string) int {
	GinkgoHelper()
	list := &certificatesv1.CertificateSigningRequestList{}
	Expect(admin.List(ctx, list, client.MatchingLabels{v1alpha1.IdentityLabel: identity.Name})).To(Succeed())
	requests := 0
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].Name, identity.Name+"."+device+".") {
			requests++
		}
	}
	return requests
}

// staying returns the certificate that a client that stays is known by; answered is false where its connection was closed under it. That is
// what client-go does with all connections when it is given another credential: it sends GETs again, which never fail here, and nothing else.
func staying(clients kubernetes.Interface) (fingerprint string, answered bool) {
	GinkgoHelper()
	Expect(clients.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error()).To(Succeed())
	review, err := clients.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if utilnet.IsProbableEOF(err) {
		return "", false
	}
	Expect(err).NotTo(HaveOccurred())
	_, fingerprint = identified(review)
	return fingerprint, true
}

var _ = Describe("enroll", func() {
	It("makes a machine a device, which renews its certificate with no action of its holder", func() {
		identity := newIdentity("enrolled", shortLived, held)
		machine := enrolled(identity, "laptop")
		Expect(machine.expectPrivate()).To(BeNumerically(">", 1))
		content, err := os.ReadFile(machine.kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		Expect(bytes.Contains(content, []byte("key-data"))).To(BeFalse(), "there is a key in the kubeconfig")
		user, first := machine.whoami(machine.kubeconfig)
		Expect(user).To(Equal(identity.Spec.Username))
		Eventually(func() string { return deviceOf(identity, "laptop").Fingerprint }).Should(Equal(first))

		By("using it with kubectl and with a client that stays, beyond a renewal")
		clients := machine.client(machine.kubeconfig)
		byKubectl, byClient := map[string]bool{}, map[string]bool{}
		Eventually(func() int {
			seen := machine.kubectl(machine.kubeconfig, "get", "pods", "-A")
			Expect(seen.code).To(BeZero(), seen.stderr)
			_, fingerprint := machine.whoami(machine.kubeconfig)
			byKubectl[fingerprint] = true
			if fingerprint, answered := staying(clients); answered {
				byClient[fingerprint] = true
			}
			return min(len(byKubectl), len(byClient))
		}).WithTimeout(90 * time.Second).Should(BeNumerically(">=", 2))

		By("letting many processes at once renew once")
		requests := requestsOf(identity, "laptop")
		due := deviceOf(identity, "laptop").RenewalTime
		Expect(due).NotTo(BeNil())
		Eventually(time.Now).WithTimeout(30 * time.Second).Should(BeTemporally(">", due.Time))
		var wait sync.WaitGroup
		codes := make([]result, 12)
		for i := range codes {
			wait.Go(func() {
				defer GinkgoRecover()
				codes[i] = machine.kubectl(machine.kubeconfig, "get", "pods", "-A")
			})
		}
		wait.Wait()
		for _, seen := range codes {
			Expect(seen.code).To(BeZero(), seen.stderr)
		}
		Expect(requestsOf(identity, "laptop")).To(Equal(requests + 1))
		device := deviceOf(identity, "laptop")
		Expect(device.State).To(Equal(v1alpha1.DeviceActive))
		Expect(device.EnrolledRevision).To(BeNumerically("<", device.Revision))
	})

	It("takes a free name, and keeps what else is in the kubeconfig", func() {
		identity := newIdentity("named", held)
		first := enrolled(identity, "laptop")
		Eventually(func() string { return deviceOf(identity, "laptop").Fingerprint }).ShouldNot(BeEmpty())
		Expect(first.renewsAt(identity)).To(BeTemporally("==", deviceOf(identity, "laptop").RenewalTime.Time), "machine and operator count alike")
		machine := newPerson("holder") // with a kubeconfig of its own
		before, err := clientcmd.LoadFromFile(machine.kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		file := machine.file("invitation")
		Expect(os.WriteFile(file, []byte(invitation(identity)), 0o600)).To(Succeed())
		seen := machine.run("enroll", file, "--device", "laptop")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring(holder.ReasonDeviceExists))
		Expect(seen.stderr).To(ContainSubstring("--device"))
		now, err := clientcmd.LoadFromFile(machine.kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		expectSameKubeconfig(now, before)

		By("not using the invitation up, and going on without it")
		seen = machine.run("enroll", "--device", "desk", "--context-name", "work")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(seen.stdout).To(ContainSubstring(fmt.Sprintf("This machine is device %q of %s", "desk", identity.Name)))
		user, _ := machine.whoami(machine.kubeconfig)
		Expect(user).To(Equal(machine.name), "the current context is kept")
		user, _ = machine.whoami(machine.kubeconfig, "--context", "work")
		Expect(user).To(Equal(identity.Spec.Username))

		By("saying what became of an invitation that was used")
		other := newMachine("other")
		used, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		seen = other.runWith(bytes.NewReader(used), "enroll", "-", "--device", "third")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("ask for another invitation"))
		Expect(seen.stderr).NotTo(ContainSubstring("eyJ"), "no token is told")
	})

	It("lets an administrator enrol without an invitation, and nobody who may less", func() {
		identity := newIdentity("administered", held)
		administrator := newPerson("administrator")
		seen := administrator.run("enroll", "--identity", identity.Name)
		Expect(seen.stderr).To(ContainSubstring("Missing permission of user"))
		administrator.grant("", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clientidentities"}, ResourceNames: []string{identity.Name}, Verbs: []string{"get"}})
		administrator.grant(identity.Status.SecretRef.Namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{identity.Status.SecretRef.Name}, Verbs: []string{"get"}})
		administrator.grant("", rbacv1.PolicyRule{APIGroups: []string{certificatesv1.GroupName}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"create", "get"}})
		seen = administrator.run("enroll", "--identity", identity.Name, "--device", "desk")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring(holder.ReasonNotEntitled))
		administrator.grant("", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{identity.Spec.Username}, Verbs: []string{"impersonate"}})
		target := administrator.file("alice")
		seen = administrator.run("enroll", "--merge-into", target)
		Expect(seen.code).To(BeZero(), seen.stderr)
		user, _ := administrator.whoami(target)
		Expect(user).To(Equal(identity.Spec.Username))
	})

	It("works where kubectl may run some programs only", func() {
		identity := newIdentity("allowed", held)
		machine := enrolled(identity, "laptop")
		for policy, want := range map[string]int{
			"credentialPluginPolicy: DenyAll": 1,
			"credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: other-plugin\n":               1,
			"credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: kubectl-clientidentity\n":     0,
			"credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: " + binary + "\n":             0,
			"credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: kubectl-clientidentity # 1.35\n": 0,
		} {
			file := machine.file("kuberc")
			Expect(os.WriteFile(file, []byte("apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"+policy), 0o600)).To(Succeed())
			seen := machine.kubectl(machine.kubeconfig, "--kuberc", file, "get", "pods")
			Expect(seen.code).To(Equal(want), "%s: %s", policy, seen.stderr)
		}
	})
})
