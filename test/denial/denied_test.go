// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
)

// end is how access ends for a copy.
type end struct {
	// how changes the identity that the copy is of; nil deletes it.
	how func(*holder.Copy) change
	// told is what the holder is told, with the name of the identity.
	told string
	// goesOn says whether the identity gets another credential.
	goesOn bool
}

func whatever(c change) func(*holder.Copy) change { return func(*holder.Copy) change { return c } }

var (
	byRevocation  = end{how: whatever(revoked), told: "ClientIdentity %q has revoked the certificates issued before", goesOn: true}
	byWithdrawal  = end{how: whatever(withdrawn), told: "ClientIdentity %q has no access any more"}
	byTime        = end{how: whatever(endingSoon), told: "ClientIdentity %q has no access any more"}
	byGroup       = end{how: whatever(inNoGroup), told: "ClientIdentity %q is not in group \"developers\", which this certificate has", goesOn: true}
	byDeletion    = end{told: "its ClientIdentity is not known: it was deleted, so ask an administrator"}
	byFingerprint = end{
		how:  func(c *holder.Copy) change { return stolen(c.Fingerprint) },
		told: "ClientIdentity %q has revoked this certificate (the laptop was stolen)", goesOn: true,
	}
)

var _ = Describe("A copy of a kubeconfig, of a user whom others have made an administrator", func() {
	DescribeTable("can do nothing any more once",
		func(to v1alpha1.BindTo, e end) {
			name := uniqueName("leaked")
			leaked := leak(name, bound(to), inGroup("developers"))
			update(name, e.how(leaked))
			told := time.Now()
			Eventually(whoami).WithArguments(leaked.Connection()).Should(MatchError(apierrors.IsForbidden, "IsForbidden"))
			AddReportEntry("denied", time.Since(told).String())
			canDoNothing(leaked, fmt.Sprintf(e.told, name))
			everybodyElseGoesOn()
			if e.goesOn {
				another(name, leaked)
				canDoNothing(leaked, fmt.Sprintf(e.told, name))
			}
		},
		Entry("its certificates are revoked (bindTo: Username)", v1alpha1.BindToUsername, byRevocation),
		Entry("its certificates are revoked (bindTo: Credential)", v1alpha1.BindToCredential, byRevocation),
		Entry("its identity is withdrawn (bindTo: Username)", v1alpha1.BindToUsername, byWithdrawal),
		Entry("its identity is withdrawn (bindTo: Credential)", v1alpha1.BindToCredential, byWithdrawal),
		Entry("its time is over (bindTo: Username)", v1alpha1.BindToUsername, byTime),
		Entry("its time is over (bindTo: Credential)", v1alpha1.BindToCredential, byTime),
		Entry("it has left a group (bindTo: Username)", v1alpha1.BindToUsername, byGroup),
		Entry("it has left a group (bindTo: Credential)", v1alpha1.BindToCredential, byGroup),
		Entry("this certificate alone is revoked (bindTo: Username)", v1alpha1.BindToUsername, byFingerprint),
		Entry("this certificate alone is revoked (bindTo: Credential)", v1alpha1.BindToCredential, byFingerprint),
	)

	DescribeTable("can do nothing any more once its identity is deleted", func(to v1alpha1.BindTo) {
		name := uniqueName("deleted")
		leaked := leak(name, bound(to))
		Expect(admin.Delete(ctx, get(name))).To(Succeed())
		canDoNothing(leaked, "ClientIdentity")
		Eventually(func() error { return admin.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ClientIdentity{}) }).
			Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
		canDoNothing(leaked, byDeletion.told)
		everybodyElseGoesOn()
	},
		Entry("(bindTo: Username)", v1alpha1.BindToUsername),
		Entry("(bindTo: Credential)", v1alpha1.BindToCredential),
	)

	It("is denied, too, by those who ask the API server about its certificate, as kubelets do", func() {
		name := uniqueName("asked-about")
		leaked := leak(name)
		asked := func() authorizationv1.SubjectAccessReviewStatus {
			GinkgoHelper()
			review, err := clientsOf(cp.Config()).AuthorizationV1().SubjectAccessReviews().Create(ctx, reviewOf(name, leaked), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			return review.Status
		}
		Expect(asked().Allowed).To(BeTrue())
		update(name, withdrawn)
		Eventually(func() bool { return asked().Allowed }).Should(BeFalse())
		Expect(asked().Denied).To(BeTrue())
		Expect(asked().Reason).To(ContainSubstring("has no access any more"))
	})

	It("keeps what it had open before: a watch is authorized when it begins", func() {
		name := uniqueName("open")
		leaked := leak(name)
		watching, err := clientsOf(leaked.Connection()).CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		defer watching.Stop()
		update(name, withdrawn)
		canDoNothing(leaked, "has no access any more")
		create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}})
		Eventually(watching.ResultChan()).Should(Receive(HaveField("Object.ObjectMeta.Name", name)))
	})

	It("stays denied after many renewals and another revocation", func() {
		name := uniqueName("often")
		copies := []*holder.Copy{leak(name)}
		for range 3 {
			aSecondLater()
			update(name, revoked)
			copies = append(copies, another(name, copies...))
		}
		current := copies[len(copies)-1]
		for _, old := range copies[:len(copies)-1] {
			canDoNothing(old, "has revoked the certificates issued before")
		}
		Expect(refused(current.Connection())()).To(BeEmpty())
	})

	It("is told by kubectl what happened and whom to ask", func() {
		name := uniqueName("told")
		leaked := leak(name)
		home := GinkgoT().TempDir()
		kubeconfig := filepath.Join(home, "kubeconfig")
		Expect(os.WriteFile(kubeconfig, leaked.Kubeconfig(), 0o600)).To(Succeed())
		kubectl := func(arguments ...string) (string, error) {
			command := exec.Command(cp.Kubectl(), append([]string{"--kubeconfig", kubeconfig}, arguments...)...)
			command.Env = append(os.Environ(), "HOME="+home)
			output, err := command.CombinedOutput()
			return string(output), err
		}
		Expect(kubectl("get", "secrets")).To(ContainSubstring("No resources found"))
		update(name, withdrawn)
		canDoNothing(leaked, "")
		for _, arguments := range [][]string{{"get", "secrets"}, {"get", "--raw", "/api"}, {"create", "namespace", "mine"}} {
			output, err := kubectl(arguments...)
			Expect(err).To(HaveOccurred(), "%v", arguments)
			Expect(output).To(And(ContainSubstring("Forbidden"), ContainSubstring("ClientIdentity %q has no access any more", name),
				ContainSubstring("ask an administrator of this cluster")), "%v", arguments)
		}
		By("having words of its own where it does not know the kinds of the cluster yet, or is asked who one is")
		Expect(os.RemoveAll(filepath.Join(home, ".kube"))).To(Succeed())
		output, err := kubectl("get", "secrets")
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("Forbidden"))
		output, err = kubectl("auth", "whoami")
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("you do not have permission"))
	})
})
