// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// countingMapper counts how often it is asked.
type countingMapper struct {
	*meta.DefaultRESTMapper
	asked int
}

func (c *countingMapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	c.asked++
	return c.DefaultRESTMapper.RESTMapping(kind, versions...)
}

func TestAMapperIsAskedOnceForAKind(t *testing.T) {
	cluster := &countingMapper{DefaultRESTMapper: meta.NewDefaultRESTMapper(nil)}
	cluster.Add(rbacv1.SchemeGroupVersion.WithKind("Role"), meta.RESTScopeNamespace)
	mapper := &rememberingMapper{RESTMapper: cluster}
	role, identity := schema.GroupKind{Group: rbacv1.GroupName, Kind: "Role"}, v1alpha1.GroupVersion.WithKind("ClientIdentity").GroupKind()
	for range 3 {
		if mapping, err := mapper.RESTMapping(role, "v1"); err != nil || mapping.Scope != meta.RESTScopeNamespace || mapping.Resource.Resource != "roles" {
			t.Fatalf("got %v, %v", mapping, err)
		}
		if _, err := mapper.RESTMapping(identity, "v1alpha1"); !meta.IsNoMatchError(err) {
			t.Fatalf("a kind that is not installed: %v", err)
		}
	}
	if cluster.asked != 1+3 {
		t.Errorf("asked %d times: once for a kind that is there, and each time for one that is not", cluster.asked)
	}
	cluster.Add(v1alpha1.GroupVersion.WithKind("ClientIdentity"), meta.RESTScopeRoot)
	if mapping, err := mapper.RESTMapping(identity, "v1alpha1"); err != nil || mapping.Scope != meta.RESTScopeRoot {
		t.Errorf("a kind that was installed meanwhile: %v, %v", mapping, err)
	}
	if mapping, err := mapper.RESTMapping(role, "v1beta1"); !meta.IsNoMatchError(err) {
		t.Errorf("another version of a kind that is there: %v, %v", mapping, err)
	}
}
