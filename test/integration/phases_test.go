// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// phase is something that is asked of many identities at once.
type phase struct {
	what string
	// change asks for it, and done is what an identity is like that has it; nil for one that is gone.
	change func(*v1alpha1.ClientIdentity)
	done   func(before *v1alpha1.ClientIdentity) gomegatypes.GomegaMatcher
	// requests are what the operator asks of the API server for each of them, and proofs how often it asks whom a new credential is of.
	requests requestCounts
	proofs   int
}

// ofReissue is what the next certificate costs, whatever it is for.
var ofReissue = requestCounts{
	"create certificatesigningrequests":          1,
	"update certificatesigningrequests/approval": 1,
	"get secrets":                   1,
	"update secrets":                1,
	"patch clientidentities/status": 1,
	"create events":                 1,
}

// phases are what a fleet lives through, each identity with two role bindings and a cluster role binding, and what each phase costs:
// the document of that, beside section "Cost" of the design. Who makes one dearer changes this table, and says why.
var phases = []phase{
	{
		what: "renewal, on request",
		change: func(identity *v1alpha1.ClientIdentity) {
			identity.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "now"}
		},
		done:     otherCertificate,
		requests: ofReissue,
		proofs:   1,
	},
	{
		what:     "another group",
		change:   func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"developers"} },
		done:     otherCertificate,
		requests: ofReissue,
		proofs:   1,
	},
	{
		what:   "another role in a binding",
		change: func(identity *v1alpha1.ClientIdentity) { identity.Spec.RoleBindings[0].RoleRef.Name = "view" },
		done:   current,
		requests: requestCounts{
			"create rolebindings":           1,
			"delete rolebindings":           1,
			"patch clientidentities/status": 1,
		},
	},
	{
		what:   "withdrawal",
		change: withdrawn,
		done: func(*v1alpha1.ClientIdentity) gomegatypes.GomegaMatcher {
			return haveCondition(v1alpha1.ConditionWithdrawn, metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState)
		},
		requests: requestCounts{
			"delete rolebindings":           2,
			"delete clusterrolebindings":    1,
			"get secrets":                   1, // also one that lost our labels
			"delete secrets":                1,
			"patch clientidentities/status": 2, // withdrawing; what is withdrawn is seen to be gone first
			"create events":                 1,
		},
	},
	{
		what:     "deletion: what there is of it goes by the garbage collector",
		requests: requestCounts{},
	},
}

// issuance is what a new identity costs.
var issuance = phase{
	what: "a new identity",
	requests: requestCounts{
		"create certificatesigningrequests":          1,
		"update certificatesigningrequests/approval": 1,
		"create secrets":                             1,
		"create rolebindings":                        2,
		"create clusterrolebindings":                 1,
		"patch clientidentities/status":              1,
		"create events":                              1,
	},
	proofs: 1,
}

var _ = Describe("Requests to the API server for many identities at once", Serial, func() {
	It("are exactly those that each phase of their life requires", func() {
		const fleet = 20
		namespace, other := createNamespace("phases", nil), createNamespace("phases", nil)
		var identities []*v1alpha1.ClientIdentity
		for range fleet {
			identities = append(identities, newIdentity(uniqueName("phases"), func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace), bindEdit(other)}
				identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "view", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}}
			}))
		}
		from := whenQuiet()
		for _, identity := range identities {
			create(identity.DeepCopy())
		}
		for i, identity := range identities {
			identities[i] = eventuallyReady(identity.Name)
		}
		from = expectRequests(from, identities, issuance)
		for _, phase := range phases {
			By(phase.what)
			for _, identity := range identities {
				if phase.change == nil {
					Expect(admin.Delete(ctx, identity)).To(Succeed())
				} else {
					// Only what changes is written: all else would be written as Go does, which reads as another spec.
					changed := identity.DeepCopy()
					phase.change(changed)
					Expect(admin.Patch(ctx, changed, client.MergeFrom(identity))).To(Succeed())
				}
			}
			for i, before := range identities {
				if phase.change == nil {
					continue
				}
				Eventually(func() *v1alpha1.ClientIdentity {
					identities[i] = get(before.Name)
					return identities[i]
				}).Should(phase.done(before), before.Name)
			}
			from = expectRequests(from, identities, phase)
		}
	})
})

// otherCertificate matches an identity that is ready, with another certificate than before.
func otherCertificate(before *v1alpha1.ClientIdentity) gomegatypes.GomegaMatcher {
	return And(current(before), HaveField("Status.Certificate.Fingerprint", Not(Equal(before.Status.Certificate.Fingerprint))))
}

// current matches an identity that is ready as its spec asks.
func current(*v1alpha1.ClientIdentity) gomegatypes.GomegaMatcher {
	return WithTransform(func(identity *v1alpha1.ClientIdentity) bool {
		return meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady) && identity.Status.ObservedGeneration == identity.Generation
	}, BeTrue())
}

// expectRequests checks that the operator has made exactly the requests of a phase for each of the identities, and then no more.
// Looks that serve many at once are not counted: lists. It returns where the audit log ends then.
func expectRequests(from int64, identities []*v1alpha1.ClientIdentity, phase phase) int64 {
	GinkgoHelper()
	var usernames []string
	for _, identity := range identities {
		usernames = append(usernames, identity.Spec.Username)
	}
	want := requestCounts{}
	for request, each := range phase.requests {
		want[request] = each * len(identities)
	}
	proofs := requestCounts{}
	if phase.proofs > 0 {
		proofs["create selfsubjectreviews"] = phase.proofs * len(identities)
	}
	var end int64
	made := func(g Gomega) {
		end = auditLogSize()
		g.Expect(operatorRequests(from).without("list")).To(Equal(want), "%s: as the operator", phase.what)
		g.Expect(requestsBy(from, usernames...)).To(Equal(proofs), "%s: as the holders of new credentials", phase.what)
	}
	// Events are sent, and requests are logged, a moment later.
	Eventually(made, 20*time.Second).Should(Succeed())
	Consistently(made, time.Second).Should(Succeed())
	return end
}
