// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// bench is what the modes of their own work with: an operator in this process.
type bench struct {
	admin      client.WithWatch
	connection *rest.Config
	workers    int
}

// connectionOf returns an administrator's connection without a limit of its own.
func connectionOf(cp *controlplane.ControlPlane) *rest.Config {
	config := cp.Config()
	config.QPS = -1
	return config
}

// newBench connects to a control plane as an administrator and as the operator, without limits of their own.
func newBench(ctx context.Context, cp *controlplane.ControlPlane, workers int) (*bench, error) {
	connection, err := operator.Connection(ctx, cp)
	if err != nil {
		return nil, err
	}
	connection.QPS = -1
	admin, err := client.NewWithWatch(connectionOf(cp), client.Options{Scheme: manager.Scheme()})
	return &bench{admin: admin, connection: connection, workers: workers}, err
}

// identity returns the i-th identity of a run: with one role binding.
func identity(prefix string, i int) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", prefix, i)}}
	id.Spec.Username = id.Name
	id.Spec.Groups = []string{"developers"}
	id.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "view", Namespace: "default", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}}}
	return id
}
