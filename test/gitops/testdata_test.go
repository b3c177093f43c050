// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// taken are the identities that were taken, by name.
var taken map[string]map[string]any

// hold is somebody's finalizer.
const hold = "example.com/hold"

var _ = Describe("The objects that the scripts of config/argocd are tested with", Ordered, Serial, func() {
	// take takes an identity once it is in a state.
	take := func(name string, state v1alpha1.ObservedState, reason string) {
		GinkgoHelper()
		inState(name, state, reason)
		taken[name] = scrubbed(name)
	}
	ago := func() *metav1.Time { return &metav1.Time{Time: time.Now().Add(-time.Minute).Truncate(time.Second)} }

	It("come from an identity that is on its way", func() {
		create("pending", func(i *v1alpha1.ClientIdentity) { i.Spec.SignerName = unserved })
		take("pending", v1alpha1.ObservedWaiting, v1alpha1.ReasonApprovalForbidden)
		allowApproval(unserved)
		take("pending", v1alpha1.ObservedPending, v1alpha1.ReasonPending)
	})

	It("that waits, and that stalls", func() {
		create("waiting", func(i *v1alpha1.ClientIdentity) { i.Spec.RoleBindings[0].Namespace = "missing" })
		take("waiting", v1alpha1.ObservedWaiting, v1alpha1.ReasonNamespaceMissing)
		create("stalled", func(i *v1alpha1.ClientIdentity) { i.Spec.SignerName = "example.com/another" })
		take("stalled", v1alpha1.ObservedStalled, v1alpha1.ReasonSignerNotAllowed)
	})

	It("that is ready, also with a shorter lifetime than it asks for", func() {
		create("ready")
		take("ready", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
		create("shortened", func(i *v1alpha1.ClientIdentity) { i.Spec.TTL.Duration = 2 * 8760 * time.Hour })
		take("shortened", v1alpha1.ObservedReady, v1alpha1.ReasonTTLShortened)
	})

	It("whose renewal is in trouble, and then denied, while its certificate is valid", func() {
		create("at-risk")
		inState("at-risk", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
		forbidApproval()
		patch("at-risk", func(i *v1alpha1.ClientIdentity) {
			i.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "now"}
		})
		take("at-risk", v1alpha1.ObservedAtRisk, v1alpha1.ReasonApprovalForbidden)
		deny("at-risk")
		inState("at-risk", v1alpha1.ObservedStalled, v1alpha1.ReasonDenied)
		taken["renewal-denied"] = scrubbed("at-risk")
	})

	It("that was revoked, with bindings to the credential and to the user name", func() {
		create("revoked", func(i *v1alpha1.ClientIdentity) { i.Spec.BindTo = v1alpha1.BindToCredential })
		inState("revoked", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
		patch("revoked", func(i *v1alpha1.ClientIdentity) { i.Spec.RevokeIssuedBefore = ago() })
		revision("revoked", 2)
		take("revoked", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
	})

	It("that is being withdrawn, and that is", func() {
		create("withdrawing")
		inState("withdrawing", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
		release := holdSecret("withdrawing")
		patch("withdrawing", func(i *v1alpha1.ClientIdentity) { i.Spec.State = v1alpha1.StateWithdrawn })
		take("withdrawing", v1alpha1.ObservedWithdrawing, v1alpha1.ReasonWithdrawing)
		release()
		create("withdrawn")
		inState("withdrawn", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
		patch("withdrawn", func(i *v1alpha1.ClientIdentity) { i.Spec.State = v1alpha1.StateWithdrawn })
		take("withdrawn", v1alpha1.ObservedWithdrawn, v1alpha1.ReasonWithdrawnByState)
		create("ended", func(i *v1alpha1.ClientIdentity) {
			i.Spec.AccessUntil = ptr.To(metav1.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
		})
		take("ended", v1alpha1.ObservedWithdrawn, v1alpha1.ReasonAccessEnded)
	})

	It("that is being deleted", func() {
		create("deleting", func(i *v1alpha1.ClientIdentity) { i.Finalizers = []string{hold} })
		inState("deleting", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
		Expect(admin.Delete(ctx, get("deleting"))).To(Succeed())
		take("deleting", v1alpha1.ObservedWithdrawn, v1alpha1.ReasonDeleting)
		patch("deleting", func(i *v1alpha1.ClientIdentity) { i.Finalizers = nil })
	})

	It("and that was changed while no operator runs", func() {
		create("changed")
		inState("changed", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
		Expect(running.Stop()).To(Succeed())
		patch("changed", func(i *v1alpha1.ClientIdentity) { i.Spec.State = v1alpha1.StateWithdrawn })
		taken["changed"] = scrubbed("changed")
		startOperator()
	})

	It("are those that are checked in, and so is what the actions are to make of them", func() {
		settle(testdata, taken)
		settle("config/argocd/resource_customizations/clientidentity.dev/ClientIdentity/actions/testdata", map[string]map[string]any{
			"renewed":   acted("ready", "2026-11-22T03:04:00Z", "metadata", "annotations", v1alpha1.RenewRequestedAtAnnotation),
			"withdrawn": acted("ready", "Withdrawn", "spec", "state"),
			"activated": acted("withdrawn", "Active", "spec", "state"),
			"revoked":   acted("revoked", "2026-11-22T03:04:00Z", "spec", "revokeIssuedBefore"),
		})
	})
})

// acted returns an identity that was taken with one field changed.
func acted(name, value string, path ...string) map[string]any {
	object := copyOf(taken[name])
	at := object
	for _, field := range path[:len(path)-1] {
		next, ok := at[field].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[field] = next
		}
		at = next
	}
	at[path[len(path)-1]] = value
	return object
}

// allowApproval lets the operator approve requests for a signer.
func allowApproval(signer string) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "approve-unserved"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{certificatesv1.GroupName}, Resources: []string{"signers"}, ResourceNames: []string{signer}, Verbs: []string{"approve"},
	}}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operator.Namespace, Name: operator.ServiceAccount}},
	}
	for _, object := range []client.Object{role, binding} {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, object)).To(Succeed()) })
	}
}

// forbidApproval takes the right to approve from the operator, until the end of the spec.
func forbidApproval() {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "client-identity-operator-manager"}, role)).To(Succeed())
	whole := role.DeepCopy()
	role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Resources, "signers") })
	Expect(role.Rules).NotTo(HaveLen(len(whole.Rules)))
	Expect(admin.Update(ctx, role)).To(Succeed())
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: operator.Username, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "approve", Group: certificatesv1.GroupName, Resource: "signers", Name: certificatesv1.KubeAPIServerClientSignerName,
		},
	}}
	Eventually(func(g Gomega) {
		asked := review.DeepCopy()
		g.Expect(admin.Create(ctx, asked)).To(Succeed())
		g.Expect(asked.Status.Allowed).To(BeFalse())
	}).Should(Succeed())
	DeferCleanup(func() {
		whole.ResourceVersion = ""
		Expect(admin.Update(ctx, whole)).To(Succeed())
	})
}

// deny denies the open request of an identity.
func deny(name string) {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(cp.Config())
	Expect(err).NotTo(HaveOccurred())
	requests := clients.CertificatesV1().CertificateSigningRequests()
	request, err := requests.Get(ctx, get(name).Status.Issuance.CertificateSigningRequest, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	request.Status.Conditions = append(request.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateDenied, Status: corev1.ConditionTrue, Reason: "AdministratorDecided", Message: "not today",
	})
	_, err = requests.UpdateApproval(ctx, request.Name, request, metav1.UpdateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// holdSecret puts a finalizer on the Secret of an identity. It returns what takes it off.
func holdSecret(name string) (release func()) {
	GinkgoHelper()
	set := func(finalizers ...string) {
		secret := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.SecretNamespace, Name: name + "-kubeconfig"}, secret)).To(Succeed())
		base := secret.DeepCopy()
		secret.Finalizers = finalizers
		Expect(admin.Patch(ctx, secret, client.MergeFrom(base))).To(Succeed())
	}
	set(hold)
	return func() { set() }
}
