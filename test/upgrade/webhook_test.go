// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/serving"
	"github.com/clientidentity/operator/test/operator"
)

// service stands in for the Service of the webhook: whom the API server asks about identities.
type service struct {
	w *world
	*operator.Forwarder
}

// newService points the configuration of the webhook, as it is in the cluster, at a Service without endpoints.
func (w *world) newService() *service {
	GinkgoHelper()
	forwarder, err := operator.NewForwarder()
	Expect(err).NotTo(HaveOccurred())
	w.atEnd(func() { Expect(forwarder.To()).To(Succeed()) })
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(w.admin.Get(w, client.ObjectKey{Name: name}, configuration)).To(Succeed())
	for i := range configuration.Webhooks {
		to := &configuration.Webhooks[i].ClientConfig
		to.URL, to.Service = ptr.To("https://"+forwarder.Address()+*to.Service.Path), nil
	}
	Expect(w.admin.Update(w, configuration)).To(Succeed())
	return &service{w, forwarder}
}

// to makes it the only endpoint, and waits until it answers: the API server learns of a CA a little later.
func (s *service) to(p *process) {
	GinkgoHelper()
	Expect(s.To(p.webhook)).To(Succeed())
	Eventually(s.answers).Should(Succeed())
}

// answers asks for an identity that is not stored.
func (s *service) answers() error {
	probe := &v1alpha1.ClientIdentity{}
	probe.Name, probe.Spec.Username = "webhook-probe", "webhook-probe"
	return s.w.admin.Create(s.w, probe, client.DryRunAll)
}

// certificate is the Secret of the serving certificate.
func (w *world) certificate() *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(w.admin.Get(w, client.ObjectKey{Namespace: operator.Namespace, Name: serving.SecretName}, secret)).To(Succeed())
	return secret
}

// mount does for the release before what the kubelet does: it writes the serving certificate to files, whenever it changes. It returns
// the flag that names them.
func (w *world) mount() string {
	GinkgoHelper()
	dir := w.dir()
	seen := ""
	go wait.UntilWithContext(w, func(ctx context.Context) {
		secret := &corev1.Secret{}
		err := w.admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: serving.SecretName}, secret)
		if err != nil || secret.ResourceVersion == seen || len(secret.Data[corev1.TLSCertKey]) == 0 {
			return
		}
		// The certificate comes last: it is what the operator waits for.
		for _, name := range []string{corev1.TLSPrivateKeyKey, corev1.TLSCertKey} {
			file := filepath.Join(dir, name)
			if os.WriteFile(file+".new", secret.Data[name], 0o600) != nil || os.Rename(file+".new", file) != nil {
				return
			}
		}
		seen = secret.ResourceVersion
	}, 100*time.Millisecond)
	return fmt.Sprintf("--webhook-cert-dir=%s", dir)
}
