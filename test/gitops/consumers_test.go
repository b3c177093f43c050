// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("A published Secret", Ordered, func() {
	var program string
	BeforeAll(func() {
		// Argo CD, Cluster API and Flux want other versions of libraries than we do: their code is a program of its own.
		program = filepath.Join(GinkgoT().TempDir(), "consumers")
		build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
		build.Dir = filepath.Join(root(), "test", "consumers")
		build.Env = append(os.Environ(), "GOWORK=off")
		out, err := build.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
	})

	// user returns the name that a consumer of a Secret has at the API server.
	user := func(consumer string, secret *corev1.Secret) string {
		GinkgoHelper()
		content, err := json.Marshal(secret)
		Expect(err).NotTo(HaveOccurred())
		cmd := exec.CommandContext(ctx, program, consumer)
		cmd.Stdin = bytes.NewReader(content)
		var problems bytes.Buffer
		cmd.Stderr = &problems
		out, err := cmd.Output()
		Expect(err).NotTo(HaveOccurred(), problems.String())
		return strings.TrimSpace(string(out))
	}
	secretOf := func(name string) *corev1.Secret {
		GinkgoHelper()
		secret := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}, secret)).To(Succeed())
		return secret
	}
	shaped := func(format v1alpha1.SecretFormat, key string) change {
		return func(i *v1alpha1.ClientIdentity) { i.Spec.Secret.Format, i.Spec.Secret.KubeconfigKey = format, key }
	}

	It("of which a sample tells is one that Argo CD and Flux know", func() {
		for _, folder := range []string{"argocd", "flux"} {
			files, err := filepath.Glob(filepath.Join(root(), "config", "samples", "gitops", folder, "*.yaml"))
			Expect(err).NotTo(HaveOccurred())
			Expect(files).NotTo(BeEmpty())
			for _, file := range files {
				if filepath.Base(file) == "argocd-cm.yaml" {
					continue // a part of a ConfigMap
				}
				content, err := os.ReadFile(file)
				Expect(err).NotTo(HaveOccurred())
				for _, object := range objectsIn(string(content)) {
					data, err := object.MarshalJSON()
					Expect(err).NotTo(HaveOccurred())
					cmd := exec.CommandContext(ctx, program, "manifests")
					cmd.Stdin = bytes.NewReader(data)
					out, err := cmd.CombinedOutput()
					Expect(err).NotTo(HaveOccurred(), "%s: %s", file, out)
				}
			}
		}
	})

	DescribeTable("is read by the code of the tool that it is for, before and after a renewal",
		func(consumer, name string, shape change) {
			create(name, shape)
			revision(name, 1)
			before := secretOf(name)
			Expect(user(consumer, before)).To(Equal(name + "@example.com"))
			Expect(act(admin, name, "renew")).To(Succeed())
			revision(name, 2)
			after := secretOf(name)
			Expect(after.UID).To(Equal(before.UID))
			Expect(bytes.Equal(after.Data[v1alpha1.CertificateKey], before.Data[v1alpha1.CertificateKey])).To(BeFalse(), "the certificate is the one before")
			Expect(user(consumer, after)).To(Equal(name + "@example.com"))
			Expect(user(consumer, before)).To(Equal(name+"@example.com"), "with what it read before the renewal")
		},
		Entry("Argo CD", "argocd", "argo", shaped(v1alpha1.FormatArgoCDCluster, "")),
		Entry("Cluster API", "clusterapi", "capi", shaped(v1alpha1.FormatClusterAPI, "")),
		Entry("Flux, with a key of its own", "flux", "flux", shaped("", "value")),
		Entry("Flux, with another one", "flux", "flux-yaml", shaped("", "value.yaml")),
		Entry("Flux, with what Cluster API reads", "flux", "flux-capi", shaped(v1alpha1.FormatClusterAPI, "")),
	)

	It("changes its format without another certificate, and keeps nothing of the one before", func() {
		create("shape")
		revision("shape", 1)
		plain := secretOf("shape")
		Expect(plain.Type).To(Equal(corev1.SecretTypeOpaque))
		for _, test := range []struct {
			format     v1alpha1.SecretFormat
			consumer   string
			secretType corev1.SecretType
		}{
			{v1alpha1.FormatClusterAPI, "clusterapi", "cluster.x-k8s.io/secret"},
			{v1alpha1.FormatArgoCDCluster, "argocd", corev1.SecretTypeOpaque},
		} {
			patch("shape", shaped(test.format, "kubeconfig"))
			Eventually(func() corev1.SecretType { return secretOf("shape").Type }).Should(Equal(test.secretType))
			Eventually(func(g Gomega) {
				identity, secret := get("shape"), secretOf("shape")
				g.Expect(identity.Status.SecretRef.UID).To(Equal(secret.UID))
				g.Expect(identity.Status.SecretRef.ResourceVersion).To(Equal(secret.ResourceVersion))
			}).Should(Succeed())
			Expect(user(test.consumer, secretOf("shape"))).To(Equal("shape@example.com"))
		}
		By("what somebody takes out of it comes back")
		edited := secretOf("shape")
		base := edited.DeepCopy()
		delete(edited.Data, "config")
		delete(edited.Labels, "argocd.argoproj.io/secret-type")
		Expect(admin.Patch(ctx, edited, client.MergeFrom(base))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(secretOf("shape").Data).To(HaveKey("config"))
			g.Expect(secretOf("shape").Labels).To(HaveKey("argocd.argoproj.io/secret-type"))
		}).Should(Succeed())
		By("and back")
		patch("shape", shaped("", "kubeconfig"))
		Eventually(func() map[string]string { return secretOf("shape").Labels }).Should(Equal(plain.Labels))
		last := secretOf("shape")
		Expect(last.Data).To(HaveLen(len(plain.Data)))
		for key := range plain.Data {
			Expect(bytes.Equal(last.Data[key], plain.Data[key])).To(BeTrue(), "another %s than before", key)
		}
		Expect(get("shape").Status.Certificate.Revision).To(BeEquivalentTo(1))
	})
})
