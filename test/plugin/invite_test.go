// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("invite", func() {
	It("prints an invitation, and nothing else, on the standard output", func() {
		identity := newIdentity("invited", held)
		seen := newPerson("inviter").may(identity, "invite").run("invite", identity.Name, "--for", "1h", "--device", "laptop")
		expectSecretFree(seen.code, seen.stderr)
		Expect(strings.Count(seen.stdout, "\n")).To(Equal(1), "lines on the standard output")
		invitation, err := holder.ParseInvitation(seen.stdout)
		Expect(err).NotTo(HaveOccurred())
		Expect(seen.stderr).To(ContainSubstring("user " + identity.Spec.Username + ", which one device as laptop can accept once, until"))
		Expect(seen.stderr).NotTo(ContainSubstring(invitation.Token), "the explanation holds no token")
		Expect(len(seen.stdout)).To(BeNumerically("<=", 4095), "what a terminal takes in one line")

		Expect(invitation.Device).To(Equal("laptop"))
		Expect(time.Until(invitation.Expires)).To(BeNumerically("~", time.Hour, time.Minute))
		Expect(invitation.Parameters).To(Equal(holder.ParametersFor(get(identity.Name), 0)))
		Expect(invitation.Kubeconfig.Server).To(Equal(cp.URL()))

		By("looking what the token is good for")
		connection := rest.AnonymousClientConfig(cp.Config())
		connection.BearerToken = invitation.Token
		user, err := operator.WhoAmI(ctx, connection)
		Expect(err).NotTo(HaveOccurred())
		ref := get(identity.Name).Status.EnrolmentRef
		Expect(user.Username).To(Equal("system:serviceaccount:" + ref.Namespace + ":" + ref.Name))
		Expect(user.UID).To(BeEquivalentTo(ref.UID))
		as, err := client.New(connection, client.Options{Scheme: manager.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		Expect(apierrors.IsForbidden(as.List(ctx, &corev1.SecretList{}, client.InNamespace(operator.SecretNamespace)))).To(BeTrue())
		Expect(apierrors.IsForbidden(as.Get(ctx, client.ObjectKeyFromObject(identity), &v1alpha1.ClientIdentity{}))).To(BeTrue())
	})

	It("names the permission that is missing, and how it is granted", func() {
		identity := newIdentity("uninvited", held)
		viewer := newPerson("viewer").may(identity, "renew") // get, and not the token
		seen := viewer.run("invite", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(BeEmpty())
		Expect(seen.stderr).To(ContainSubstring(fmt.Sprintf("create serviceaccounts/token %q in namespace %q", "clientidentity-"+identity.Name+"-enrolment", operator.SecretNamespace)))
		Expect(seen.stderr).To(ContainSubstring("kubectl create rolebinding"))
	})

	It("says why nobody can be invited", func() {
		person := newPerson("inviter")
		byOperator := newIdentity("keyed")
		person.may(byOperator, "invite")
		seen := person.run("invite", byOperator.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(BeEmpty())
		Expect(seen.stderr).To(ContainSubstring("is not for holders who make their own keys: the operator makes its key"))

		Expect(person.run("invite", byOperator.Name, "--for", "5m").stderr).To(ContainSubstring("an invitation can be accepted for 10m to 7d"))
		Expect(person.run("invite", byOperator.Name, "--device", "My Phone").stderr).To(ContainSubstring("it must be a DNS label"))
	})
})

// expectSecretFree is for output that has an invitation beside it: it prints the other stream alone.
func expectSecretFree(code int, stderr string) {
	GinkgoHelper()
	Expect(code).To(BeZero(), stderr)
}
