// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package property

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/holder"
)

// namespaces is how many there are, alternately of team a and team b.
const namespaces = 6

// resources are what roles let somebody list: each has a ClusterRole, by this name.
var resources = []string{"configmaps", "services", "nodes"}

func roleName(resource string) string { return "property-" + resource }

func namespaceName(i int) string { return fmt.Sprintf("property-%d", i) }

func team(i int) v1alpha1.LabelValue {
	if i%2 == 0 {
		return "a"
	}
	return "b"
}

// furnish creates the namespaces and roles that are drawn from.
func (r *run) furnish(ctx context.Context) error {
	var objects []client.Object
	for i := range namespaces {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: namespaceName(i), Labels: map[string]string{"team": string(team(i))},
		}})
	}
	for _, resource := range resources {
		objects = append(objects, &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: roleName(resource)},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{"list"}}},
		})
	}
	for _, object := range objects {
		if err := client.IgnoreAlreadyExists(r.admin.Create(ctx, object)); err != nil {
			return err
		}
	}
	return nil
}

// interpose lets a webhook decide about the operator's writes, and waits until it is asked. What is returned ends it.
func (r *run) interpose(ctx context.Context) (end func() error, err error) {
	r.admission = faults.NewAdmission()
	configuration, err := r.admission.Install(ctx, r.admin, "property", faults.Scope{
		Resources: []string{"rolebindings", "clusterrolebindings", "roles", "secrets"},
	})
	if err != nil {
		return nil, err
	}
	probe := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespaceName(0), Name: "probe"}}
	for r.admission.Asked() == 0 {
		if err := r.admin.Create(ctx, probe.DeepCopy(), client.DryRunAll); err != nil {
			return nil, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return func() error {
		err := r.admin.Delete(context.WithoutCancel(ctx), configuration)
		r.admission.Close()
		return err
	}, nil
}

// drawBindings draws what an identity grants.
func drawBindings(random *rand.Rand, spec *v1alpha1.ClientIdentitySpec) {
	spec.RoleBindings, spec.ClusterRoleBindings = nil, nil
	for i := range random.IntN(4) {
		binding := v1alpha1.RoleBinding{
			Name:    fmt.Sprintf("b%d", i),
			RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: roleName(resources[random.IntN(2)])},
		}
		if random.IntN(2) == 0 {
			binding.Namespace = namespaceName(random.IntN(namespaces))
		} else {
			binding.NamespaceSelector = &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": team(random.IntN(2))}}
		}
		spec.RoleBindings = append(spec.RoleBindings, binding)
	}
	if random.IntN(3) == 0 {
		spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{
			Name: "c", RoleRef: v1alpha1.ClusterRoleRef{Name: roleName(resources[random.IntN(len(resources))])},
		}}
	}
}

// rights returns what the bindings of a spec grant.
func rights(spec *v1alpha1.ClientIdentitySpec) []holder.Right {
	var all []holder.Right
	resourceOf := func(role string) string { return role[len(roleName("")):] }
	for _, b := range spec.RoleBindings {
		for i := range namespaces {
			selected := b.NamespaceSelector != nil && b.NamespaceSelector.MatchLabels["team"] == team(i)
			if selected || b.Namespace == namespaceName(i) {
				all = append(all, holder.List(resourceOf(b.RoleRef.Name), namespaceName(i)))
			}
		}
	}
	for _, b := range spec.ClusterRoleBindings {
		all = append(all, holder.List(resourceOf(b.RoleRef.Name), ""))
	}
	return all
}
