// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
)

// editor is the shipped ClusterRole for those who manage identities. It gives nothing that is not about identities.
const editor = "client-identity-operator-clientidentity-editor"

var nameCounter int

// uniqueName returns a name that no other spec uses.
func uniqueName(base string) string {
	nameCounter++
	return fmt.Sprintf("%s-%d", base, nameCounter)
}

// newIdentity returns an identity for the user of the same name, without groups and bindings.
func newIdentity(name string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = name
	identity.Spec.Username = name + "@example.com"
	for _, change := range changes {
		change(identity)
	}
	return identity
}

// as returns a client of any user.
func as(user string, groups ...string) client.Client {
	GinkgoHelper()
	config, err := cp.ConfigFor(user, groups...)
	Expect(err).NotTo(HaveOccurred())
	c, err := client.New(config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// newAuthor returns the name and a client of somebody who manages identities, and may do nothing else.
func newAuthor() (string, client.Client) {
	GinkgoHelper()
	user := uniqueName("author")
	create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: editor},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	author := as(user)
	Eventually(func() error { return author.List(ctx, &v1alpha1.ClientIdentityList{}) }).Should(Succeed())
	return user, author
}

// create creates objects as an administrator and deletes them after the spec.
func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		cleanUp(object)
	}
}

// cleanUp deletes an object after the spec.
func cleanUp(object client.Object) {
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
}

// right is a rule, in a namespace or in the whole cluster.
type right struct {
	namespace string
	rule      rbacv1.PolicyRule
}

// may returns the right to do something in the whole cluster, to the objects of these names if there are any.
func may(verb, resource string, names ...string) right {
	group := ""
	switch resource {
	case "roles", "clusterroles", "rolebindings", "clusterrolebindings":
		group = rbacv1.GroupName
	}
	return right{rule: rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}, ResourceNames: names}}
}

// in returns the same right in one namespace only.
func (r right) in(namespace string) right { return right{namespace: namespace, rule: r.rule} }

// grant gives a user rights, as an administrator.
func grant(user string, rights ...right) {
	GinkgoHelper()
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	for _, r := range rights {
		about := metav1.ObjectMeta{Namespace: r.namespace, Name: uniqueName("right")}
		rules := []rbacv1.PolicyRule{r.rule}
		if r.namespace == "" {
			create(&rbacv1.ClusterRole{ObjectMeta: about, Rules: rules})
			create(&rbacv1.ClusterRoleBinding{ObjectMeta: about, Subjects: subjects,
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: about.Name}})
			continue
		}
		create(&rbacv1.Role{ObjectMeta: about, Rules: rules})
		create(&rbacv1.RoleBinding{ObjectMeta: about, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: about.Name}})
	}
}

// beRefused matches an error of our webhook that contains these texts.
func beRefused(texts ...string) gomegatypes.GomegaMatcher {
	matchers := []gomegatypes.GomegaMatcher{
		WithTransform(apierrors.IsForbidden, BeTrue()),
		MatchError(ContainSubstring(`admission webhook "identities.clientidentity.dev" denied the request`)),
	}
	for _, text := range texts {
		matchers = append(matchers, MatchError(ContainSubstring(text)))
	}
	return And(matchers...)
}

// get returns the identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// patch changes an identity with a merge patch, as kubectl edit does.
func patch(c client.Client, name string, change func(*v1alpha1.ClientIdentity)) error {
	GinkgoHelper()
	identity := get(name)
	base := identity.DeepCopy()
	change(identity)
	return c.Patch(ctx, identity, client.MergeFrom(base))
}

// put changes an identity as it is now by an update.
func put(c client.Client, name string, changes ...change) error {
	identity := get(name)
	all(changes...)(identity)
	return c.Update(ctx, identity)
}

// eventuallyReady waits until the identity is ready and returns it.
func eventuallyReady(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	var identity *v1alpha1.ClientIdentity
	Eventually(func() bool {
		identity = get(name)
		return identity.Status.ObservedGeneration == identity.Generation &&
			meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady)
	}).Should(BeTrue(), "%s is not ready", name)
	return identity
}

// reason returns the reason of a condition, or "".
func reason(name, conditionType string) string {
	GinkgoHelper()
	if c := meta.FindStatusCondition(get(name).Status.Conditions, conditionType); c != nil {
		return c.Reason
	}
	return ""
}

// recordedWarnings keeps what the API server warns of.
type recordedWarnings struct {
	mu   sync.Mutex
	seen []string
}

// HandleWarningHeaderWithContext records one warning.
func (w *recordedWarnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, text)
}

func (w *recordedWarnings) texts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// clientWithWarnings returns an administrator's client that records warnings.
func clientWithWarnings(warnings *recordedWarnings) client.Client {
	GinkgoHelper()
	config := cp.Config()
	config.WarningHandlerWithContext = warnings
	c, err := client.New(config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}
