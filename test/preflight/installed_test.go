// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/preflight"
	"github.com/clientidentity/operator/test/operator"
)

// managerRole is the ClusterRole of the operator.
const managerRole = "client-identity-operator-manager"

func afterIt() {
	var account string
	var running *operator.Running
	var connection *rest.Config

	BeforeAll(func() {
		// Where the specs before do not run.
		Expect(cp.PublishClusterInfo(ctx)).To(Succeed())
		Expect(operator.Install(ctx, cp)).To(Succeed())
		var err error
		connection, err = operator.Connection(ctx, cp)
		Expect(err).NotTo(HaveOccurred())
		account = filepath.Join(GinkgoT().TempDir(), "operator.kubeconfig")
		Expect(operator.WriteKubeconfig(account, connection)).To(Succeed())
	})

	It("says that no replica is available, and that nobody checks who asks for identities", func() {
		r := asAdmin()
		Expect(r.results()).To(Equal(but(map[string]preflight.Result{"operator": preflight.Fail, "holder-role": preflight.OK, "admission": preflight.Fail, "policies": preflight.OK})))
		Expect(r.check("operator").Message).To(ContainSubstring("none of 2 replicas"))
		Expect(r.check("admission").Message).To(ContainSubstring("no ValidatingWebhookConfiguration"))
		Expect(r.check("rights").Message).To(HavePrefix("ServiceAccount client-identity-system/client-identity-operator has its"))
		Expect(*r.report.Facts.Installed).To(BeTrue())
	})

	It("works with a webhook that answers, for administrators and for the operator itself", func() {
		webhook, err := operator.UseWebhook(ctx, cp)
		Expect(err).NotTo(HaveOccurred())
		// No kubelet says so here.
		var deployment appsv1.Deployment
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "client-identity-operator"}, &deployment)).To(Succeed())
		deployment.Status = appsv1.DeploymentStatus{Replicas: 2, AvailableReplicas: 2, ReadyReplicas: 2, UpdatedReplicas: 2}
		Expect(admin.Status().Update(ctx, &deployment)).To(Succeed())

		running, err = operator.Start(ctx, connection, func(options *manager.Options) { webhook.Configure(options) })
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() {
			if running != nil {
				Expect(running.Stop()).To(Succeed())
			}
		})
		Expect(webhook.Ready(ctx)).To(Succeed())
		r := asAdmin()
		Expect(r.results()).To(Equal(but(map[string]preflight.Result{"holder-role": preflight.OK, "admission": preflight.OK, "policies": preflight.OK})))
		Expect(r.check("admission").Message).To(ContainSubstring("the webhook answers"))
		Expect(r.code).To(Equal(0))

		By("as the operator, with its shipped rights and no other")
		r = as(account)
		Expect(r.results()).To(Equal(but(map[string]preflight.Result{"admission": preflight.OK, "policies": preflight.Skip})))
		Expect(r.check("caller").Message).To(ContainSubstring("the operator itself"))
		Expect(r.code).To(Equal(0))

		By("stopping the operator")
		Expect(running.Stop()).To(Succeed())
		running = nil
		Expect(asAdmin().check("admission")).To(And(HaveField("Result", preflight.Fail), HaveField("Message", ContainSubstring("does not answer"))))
	})

	It("takes the flags of the operator from its Deployment", func() {
		var deployment appsv1.Deployment
		key := client.ObjectKey{Namespace: operator.Namespace, Name: "client-identity-operator"}
		Expect(admin.Get(ctx, key, &deployment)).To(Succeed())
		container := &deployment.Spec.Template.Spec.Containers[0]
		container.Args = append(container.Args, "--kubeconfig-server=https://api.example.com:6443", "--secret-namespaces=client-identities,team-a", "--zap-log-level=debug")
		Expect(admin.Update(ctx, &deployment)).To(Succeed())
		r := asAdmin()
		Expect(r.check("kubeconfig-server").Message).To(Equal("kubeconfigs carry https://api.example.com:6443 (from --kubeconfig-server, Deployment client-identity-system/client-identity-operator)"))
		Expect(r.check("secret-namespaces").Message).To(ContainSubstring("namespace team-a does not exist"))
		Expect(r.report.Facts.MissingRights).To(ContainElement(preflight.Right{Namespace: "team-a", Resource: "secrets", Verb: "create"}))
		Expect(r.check("rights").Fix).To(ContainSubstring("config/overlays/secret-namespace"))

		By("flags that are given come first")
		r = asAdmin("--kubeconfig-server="+cp.URL(), "--secret-namespaces=client-identities")
		Expect(r.check("kubeconfig-server").Message).To(ContainSubstring("as given here"))
		Expect(r.results()).To(HaveKeyWithValue("rights", preflight.OK))
	})

	It("names a right that was taken away from the operator, to administrators and to the operator", func() {
		var role rbacv1.ClusterRole
		Expect(admin.Get(ctx, client.ObjectKey{Name: managerRole}, &role)).To(Succeed())
		whole := role.DeepCopy()
		DeferCleanup(func() {
			Expect(admin.Get(ctx, client.ObjectKey{Name: managerRole}, &role)).To(Succeed())
			role.Rules = whole.Rules
			Expect(admin.Update(ctx, &role)).To(Succeed())
		})
		role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
			return slices.Contains(rule.Resources, "certificatesigningrequests/approval")
		})
		Expect(role.Rules).To(HaveLen(len(whole.Rules) - 1))
		Expect(admin.Update(ctx, &role)).To(Succeed())
		missing := []preflight.Right{{APIGroup: "certificates.k8s.io", Resource: "certificatesigningrequests/approval", Verb: "update"}}
		flags := []string{"--kubeconfig-server=" + cp.URL(), "--secret-namespaces=client-identities"}
		Eventually(func() []preflight.Right { return as(account, flags...).report.Facts.MissingRights }).Should(Equal(missing))
		r := as(account, flags...)
		Expect(r.check("rights")).To(And(HaveField("Result", preflight.Fail), HaveField("Details", Equal([]string{"update certificatesigningrequests.certificates.k8s.io/approval"})),
			HaveField("Fix", ContainSubstring(`resources: ["certificatesigningrequests/approval"], verbs: ["update"]`))))
		Expect(r.check("signer").Message).To(ContainSubstring("cannot be approved"))
		Expect(asAdmin(flags...).report.Facts.MissingRights).To(Equal(missing))
	})

	It("knows an operator that may bind named roles only", func() {
		var role rbacv1.ClusterRole
		Expect(admin.Get(ctx, client.ObjectKey{Name: "client-identity-operator-bind"}, &role)).To(Succeed())
		whole := role.DeepCopy()
		DeferCleanup(func() {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(whole), &role)).To(Succeed())
			role.Rules = whole.Rules
			Expect(admin.Update(ctx, &role)).To(Succeed())
		})
		role.Rules[0].ResourceNames = []string{"edit", "view"}
		Expect(admin.Update(ctx, &role)).To(Succeed())
		Eventually(func() preflight.Finding { return as(account).check("rights") }).Should(And(
			HaveField("Result", preflight.Warn), HaveField("Message", ContainSubstring("but for binding any role"))))
	})

	It("says that the policies are gone", func() {
		Expect(operator.Delete(ctx, cp, "config/policy")).To(Succeed())
		DeferCleanup(func() { Expect(operator.Apply(ctx, cp, "config/policy")).To(Succeed()) })
		Expect(client.IgnoreNotFound(admin.Delete(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "client-identity-operator"}}))).To(Succeed())
		Eventually(func() preflight.Result { return asAdmin().results()["policies"] }).Should(Equal(preflight.Fail))
	})
}
