// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// An operator that is killed takes the keys of its open requests with it, and nothing else.
var _ = Describe("An operator that is killed", Serial, Ordered, func() {
	var manager string
	BeforeAll(func() {
		var err error
		manager, err = gexec.Build("github.com/clientidentity/operator/cmd", "-race")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(gexec.CleanupBuildArtifacts)
	})
	BeforeEach(stopOperator)

	DescribeTable("right after it has requested a certificate: the next one issues one credential and leaves no request open",
		func(signedMeanwhile bool) {
			stopSigner()
			process := startManager(manager)
			namespace := createNamespace("killed", nil)
			name := uniqueName("killed")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace)}
			}))
			lost := eventuallyRequested(name, "")
			process.Kill().Wait()

			if signedMeanwhile {
				Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
				Eventually(func() []byte { return signingRequests(name)[0].Status.Certificate }).ShouldNot(BeEmpty())
				startOperator()
			} else {
				startOperator()
				Expect(eventuallyRequested(name, lost)).NotTo(Equal(lost))
				Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
			}
			identity := eventuallyReady(name)
			expectOneCredential(identity)
			Expect(identity.Status.Certificate.Revision).To(BeEquivalentTo(1))
			Eventually(func() bool { return may(holder(identity), "list", "", "pods", namespace) }).Should(BeTrue())
		},
		Entry("its request is still unsigned when the next one starts", false),
		Entry("its request is signed by then, for a key that nobody has", true),
	)

	It("in the midst of its work: the next one brings all identities to their end", func() {
		const identities = 40
		process := startManager(manager)
		var names []string
		for range identities {
			name := uniqueName("midst")
			create(newIdentity(name))
			names = append(names, name)
		}
		Eventually(func() int { return published(names) }).ShouldNot(BeZero())
		process.Kill().Wait()
		GinkgoWriter.Printf("killed when %d of %d were published\n", published(names), identities)
		startOperator()
		for _, name := range names {
			expectOneCredential(eventuallyReady(name))
		}
	})
})

// published returns how many of the identities have told in their status of a certificate.
func published(names []string) int {
	GinkgoHelper()
	count := 0
	for _, name := range names {
		if get(name).Status.Certificate != nil {
			count++
		}
	}
	return count
}

// stopSigner stops the controller manager, which signs, until the end of the spec.
func stopSigner() {
	GinkgoHelper()
	Expect(cp.StopComponent(controlplane.ControllerManager)).To(Succeed())
	DeferCleanup(func() { Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed()) })
}

// managerLogs are what the operators logged that ran in processes of their own.
var managerLogs []string

// startManager runs the operator in a process of its own, as its ServiceAccount, until the end of the spec.
func startManager(path string) *gexec.Session {
	GinkgoHelper()
	dir := filepath.Join(filepath.Dir(logFile), uniqueName("manager"))
	Expect(os.Mkdir(dir, 0o700)).To(Succeed())
	kubeconfig := filepath.Join(dir, "kubeconfig")
	Expect(operator.WriteKubeconfig(kubeconfig, connection)).To(Succeed())
	log, err := os.Create(filepath.Join(dir, "log"))
	Expect(err).NotTo(HaveOccurred())
	managerLogs = append(managerLogs, log.Name())
	command := exec.Command(path, "--kubeconfig="+kubeconfig, "--health-probe-bind-address=0", "--zap-devel")
	session, err := gexec.Start(command, log, io.MultiWriter(log, prefixed(GinkgoWriter)))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() {
		session.Kill().Wait()
		Expect(log.Close()).To(Succeed())
	})
	return session
}

// prefixed marks what another process prints.
func prefixed(writer io.Writer) io.Writer { return gexec.NewPrefixedWriter("[manager] ", writer) }

// expectOneCredential checks that the identity has the credential that its status tells of, and no open request.
func expectOneCredential(identity *v1alpha1.ClientIdentity) {
	GinkgoHelper()
	Expect(digest(publishedCertificate(identity).Raw)).To(Equal(identity.Status.Certificate.Fingerprint))
	expectUser(identity)
	Consistently(func() error {
		for _, request := range signingRequests(identity.Name) {
			if len(request.Status.Certificate) == 0 {
				return fmt.Errorf("request %s is not finished: %v", request.Name, conditionsOf(request))
			}
		}
		return nil
	}, "300ms").Should(Succeed())
}

func conditionsOf(request certificatesv1.CertificateSigningRequest) []certificatesv1.RequestConditionType {
	var types []certificatesv1.RequestConditionType
	for _, c := range request.Status.Conditions {
		types = append(types, c.Type)
	}
	return types
}
