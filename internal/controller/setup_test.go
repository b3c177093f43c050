// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestAnIdentityIsLookedAtWhereMoreThanMessagesChanged(t *testing.T) {
	told := func(message string) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) {
			id.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "Unavailable", Message: message, LastTransitionTime: *at(0)}}
		}
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.ClientIdentity)
		want   bool
	}{
		"not where a message quotes another port":    {told("read tcp 10.0.0.1:40002"), false},
		"where the reason is another one":            {func(id *v1alpha1.ClientIdentity) { id.Status.Conditions[0].Reason = "Denied" }, true},
		"where somebody lost its status":             {func(id *v1alpha1.ClientIdentity) { id.Status = v1alpha1.ClientIdentityStatus{} }, true},
		"where somebody changed what is published":   {func(id *v1alpha1.ClientIdentity) { id.Status.Certificate = issued(time.Hour) }, true},
		"where the spec is another one":              {func(id *v1alpha1.ClientIdentity) { id.Generation++ }, true},
		"where a renewal is requested":               {func(id *v1alpha1.ClientIdentity) { metav1.SetMetaDataAnnotation(&id.ObjectMeta, "a", "b") }, true},
		"where it is being deleted":                  {func(id *v1alpha1.ClientIdentity) { id.DeletionTimestamp = at(0) }, true},
		"every now and then, though nothing changed": {func(id *v1alpha1.ClientIdentity) { id.ResourceVersion = "1" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := identity("alice", told("read tcp 10.0.0.1:40001"))
			before.ResourceVersion = "1"
			after := before.DeepCopy()
			after.ResourceVersion = "2"
			test.change(after)
			if got := beyondMessages().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if !beyondMessages().Create(event.CreateEvent{Object: identity("alice")}) || !beyondMessages().Delete(event.DeleteEvent{Object: identity("alice")}) {
		t.Error("one that comes or goes is not looked at")
	}
}

func TestOwnerRequests(t *testing.T) {
	owned := func(label, kind, owner string, controller bool) *rbacv1.RoleBinding {
		binding := &rbacv1.RoleBinding{}
		if label != "" {
			binding.Labels = map[string]string{v1alpha1.IdentityLabel: label}
		}
		if owner != "" {
			binding.OwnerReferences = []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: owner, UID: "u", Controller: ptr.To(controller),
			}}
		}
		return binding
	}
	for name, test := range map[string]struct {
		object *rbacv1.RoleBinding
		want   []string
		index  []string
	}{
		"one of ours":                             {owned("alice", "ClientIdentity", "alice", true), []string{"alice"}, []string{"u"}},
		"one whose label somebody took off":       {owned("", "ClientIdentity", "alice", true), []string{"alice"}, []string{"u"}},
		"one whose owner somebody took off":       {owned("alice", "", "", false), []string{"alice"}, []string{"orphan/alice"}},
		"one whose label names another identity":  {owned("bob", "ClientIdentity", "alice", true), []string{"bob", "alice"}, []string{"u"}},
		"one that an identity owns, not controls": {owned("", "ClientIdentity", "alice", false), nil, []string{"orphan/"}},
		"one that something else controls":        {owned("", "Deployment", "alice", true), nil, nil},
		"one of nobody":                           {owned("", "", "", false), nil, []string{"orphan/"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := requestNames(ownerRequests(t.Context(), test.object)); !slices.Equal(got, test.want) {
				t.Errorf("asks for %q, want %q", got, test.want)
			}
			if got := ownerIndex(test.object); !slices.Equal(got, test.index) {
				t.Errorf("is indexed as %q, want %q", got, test.index)
			}
		})
	}
}

func requestNames(requests []reconcile.Request) []string {
	var names []string
	for _, r := range requests {
		names = append(names, r.Name)
	}
	return names
}

func TestClusterFactsAreTwoConfigMaps(t *testing.T) {
	for key, want := range map[[2]string]bool{
		{"kube-public", "cluster-info"}: true, {"kube-system", "kube-root-ca.crt"}: true,
		{"default", "kube-root-ca.crt"}: false, {"kube-system", "cluster-info"}: false,
	} {
		configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key[0], Name: key[1]}}
		if got := clusterFacts().Create(event.CreateEvent{Object: configMap}); got != want {
			t.Errorf("%v: got %t", key, got)
		}
	}
}

func TestEverybodyIsLookedAtWhereAFactOfTheClusterChanges(t *testing.T) {
	info := func(server string, annotations map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info", Annotations: annotations}, Data: map[string]string{"kubeconfig": server},
		}
	}
	changed := clusterFacts()
	for after, want := range map[*corev1.ConfigMap]bool{
		info("b", nil): true, info("a", map[string]string{"note": "new"}): false, info("a", nil): false,
	} {
		if got := changed.Update(event.UpdateEvent{ObjectOld: info("a", nil), ObjectNew: after}); got != want {
			t.Errorf("%+v: %t", after, got)
		}
	}
	if changed.Create(event.CreateEvent{Object: info("a", nil), IsInInitialList: true}) || !changed.Delete(event.DeleteEvent{Object: info("a", nil)}) {
		t.Error("it is looked at where it was there before, or not where it goes")
	}
}
