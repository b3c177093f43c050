// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"flag"
	"os"
	"path"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/clientidentity/operator/internal/manager"
)

// podCA is in every pod.
const podCA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

// options returns what flags make of the operator.
func options(args []string) manager.Options {
	GinkgoHelper()
	parsed, logging := manager.DefaultOptions(), manager.Logging{}
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	parsed.BindFlags(flags)
	logging.BindFlags(flags)
	Expect(flags.Parse(args)).To(Succeed())
	return parsed
}

var _ = Describe("The flags in the Deployment", func() {
	It("are accepted by the operator in each variant, and the files that they name are in the pod", func() {
		ca := filepath.Join(GinkgoT().TempDir(), "ca.crt")
		Expect(os.WriteFile(ca, cp.ServerCA(), 0o600)).To(Succeed())
		for _, v := range variants() {
			found := charted("--values", v.file)
			started := options(running(found).Args)
			for _, file := range []*string{&started.KubeconfigCAFile, &started.Audit.ClientCAFile, &started.Authorization.ClientCAFile} {
				if *file == "" {
					continue
				}
				if *file != podCA {
					expectMounted(found, *file)
				}
				*file = ca
			}
			Expect(started.Validate()).To(Succeed(), v.name)
		}
	})
})

// expectMounted checks that a file is one of a ConfigMap that the container mounts, and that other content makes other pods: the operator
// reads it when it starts.
func expectMounted(found objects, file string) {
	GinkgoHelper()
	authorities := found["/v1, Kind=ConfigMap client-identity-system/client-identity-operator-certificate-authorities"]
	Expect(authorities).NotTo(BeNil())
	Expect(authorities.Object["data"]).To(HaveKeyWithValue(path.Base(file), HavePrefix("-----BEGIN CERTIFICATE-----\n")))
	Expect(running(found).VolumeMounts).To(ContainElement(HaveField("MountPath", path.Dir(file))))
	deployment := as[appsv1.Deployment](found, "apps/v1, Kind=Deployment client-identity-system/client-identity-operator")
	Expect(deployment.Spec.Template.Annotations).To(HaveKey("checksum/certificate-authorities"))
	Expect(deployment.Spec.Template.Spec.Volumes).To(ContainElement(HaveField("ConfigMap", HaveField("Name", authorities.GetName()))))
}
