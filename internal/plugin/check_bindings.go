// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// checkBindings checks that each role binding of the spec is there as asked for, and none that is asked for no longer.
func checkBindings(v *evidence) []Check {
	if v.bindings.err != nil {
		return []Check{unreadable("role bindings", v.bindings.err)}
	}
	if v.namespaces.err != nil {
		return []Check{unreadable("role bindings", v.namespaces.err)}
	}
	have := map[access.Key]*grant{}
	for i := range v.bindings.value {
		have[v.bindings.value[i].key] = &v.bindings.value[i]
	}
	desired := access.Desired(v.identity, v.namespaces.value, sets.New(placeOf(v.identity).Namespace), boundGroup(v.identity), v.now)
	var checks []Check
	left := 0
	for i := range desired.Bindings {
		want := &desired.Bindings[i]
		b := have[want.Key()]
		delete(have, want.Key())
		if b == nil && selected(v.identity, want) && int(v.identity.Status.BoundBindings) <= len(v.bindings.value) {
			left++ // a namespace that the operator publishes Secrets in: selectors never select those
			continue
		}
		checks = append(checks, checkBinding(v.identity, want, b))
	}
	for i := range desired.Missing {
		checks = append(checks, failed("binding "+desired.Missing[i].Binding, desired.Missing[i].Message))
	}
	for i := range v.bindings.value {
		if b := &v.bindings.value[i]; have[b.key] != nil && !auxiliary(b.key.Name) {
			checks = append(checks, checkLeftOver(v.identity, b))
		}
	}
	if len(checks) == 0 {
		message := "none is asked for now, and there is none"
		if left > 0 {
			message = "selectors select no namespace but those of Secrets, which are left out"
		}
		checks = append(checks, passed("role bindings", message))
	}
	return checks
}

// boundGroup is the group that bindings name, as the operator decides it; empty where they name the user.
func boundGroup(identity *v1alpha1.ClientIdentity) string {
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		return access.WantedGroup(identity)
	}
	var published []string
	if identity.Status.Certificate != nil && len(identity.Status.Certificates) > 0 {
		published = append([]string{}, identity.Status.Certificates[0].Groups...)
	}
	return access.BoundGroup(identity, published)
}

// selected says whether the namespace of a binding was selected, not named.
func selected(identity *v1alpha1.ClientIdentity, b *access.Binding) bool {
	for i := range identity.Spec.RoleBindings {
		if identity.Spec.RoleBindings[i].Name == b.SpecName && b.Namespace != "" {
			return identity.Spec.RoleBindings[i].Namespace == ""
		}
	}
	return false
}

// auxiliary says whether a binding is none of the spec's role bindings, but lets holders enrol and read: its name within the identity is
// no DNS label.
func auxiliary(name string) bool { return strings.Count(name, ":") > 3 }

// checkBinding checks a binding that is wanted; have is nil where there is none.
func checkBinding(identity *v1alpha1.ClientIdentity, want *access.Binding, have *grant) Check {
	name := "binding " + want.SpecName
	what := fmt.Sprintf("%s %s for %s", want.RoleRef.Kind, want.RoleRef.Name, want.Subject.Name)
	if want.Namespace != "" {
		what += " in namespace " + want.Namespace
	}
	switch {
	case have == nil:
		return failed(name, want.Key().String()+" is missing: "+what, repair, "kubectl clientidentity status "+identity.Name)
	case have.terminating:
		return failed(name, want.Key().String()+" is being deleted, and somebody's finalizer holds it", "Remove the finalizer.")
	case have.roleRef != want.RoleRef:
		return failed(name, fmt.Sprintf("%s binds %s %s, not %s", want.Key(), have.roleRef.Kind, have.roleRef.Name, what), repair)
	case len(have.subjects) != 1 || have.subjects[0] != want.Subject:
		return failed(name, fmt.Sprintf("%s names other subjects (%s), not %s", want.Key(), subjectsText(have.subjects), what), repair)
	case !metav1.IsControlledBy(&have.object, identity):
		return failed(name, want.Key().String()+" is not owned by this ClientIdentity", "Delete it, or choose another name for the binding.")
	}
	return passed(name, what)
}

// checkLeftOver judges a binding that has the identity's label, and that its spec does not ask for.
func checkLeftOver(identity *v1alpha1.ClientIdentity, b *grant) Check {
	if !metav1.IsControlledBy(&b.object, identity) {
		return failed("other binding", b.key.String()+" has the identity's label and is not owned by it: it grants "+b.roleRef.Name+" to "+subjectsText(b.subjects),
			"Delete it, or take the label off.")
	}
	return failed("other binding", b.key.String()+" is asked for no longer: it grants "+b.roleRef.Name+" to "+subjectsText(b.subjects), repair)
}

func subjectsText(subjects []rbacv1.Subject) string {
	if len(subjects) == 0 {
		return "nobody"
	}
	names := make([]string, len(subjects))
	for i, s := range subjects {
		names[i] = s.Kind + " " + s.Name
	}
	return strings.Join(names, ", ")
}

// checkWithdrawn checks that an identity without access has none: no Secret, and no role binding.
func checkWithdrawn(v *evidence) []Check {
	place := placeOf(v.identity)
	secret := passed("secret", "it is gone")
	switch {
	case v.secret.err == nil && metav1.IsControlledBy(v.secret.value, v.identity):
		secret = failed("secret", fmt.Sprintf("%s/%s still exists", place.Namespace, place.Name), repair)
	case v.secret.err != nil && !apierrors.IsNotFound(v.secret.err):
		secret = unreadable("secret", v.secret.err)
	}
	checks := []Check{secret}
	if v.bindings.err != nil {
		return append(checks, unreadable("role bindings", v.bindings.err))
	}
	for i := range v.bindings.value {
		checks = append(checks, checkLeftOver(v.identity, &v.bindings.value[i]))
	}
	if len(v.bindings.value) == 0 {
		checks = append(checks, passed("role bindings", "they are gone"))
	}
	if r := v.identity.Status.ResidualAccess; r != nil && r.Total > 0 {
		checks = append(checks, failed("other access", fmt.Sprintf("%d bindings of others still grant the user or its groups something", r.Total),
			"kubectl clientidentity offboard "+quote(v.identity.Spec.Username)))
	}
	return checks
}
