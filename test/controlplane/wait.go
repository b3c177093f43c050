// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waitForAPIServer waits until the API server at a URL says that it is ready.
func (cp *ControlPlane) waitForAPIServer(ctx context.Context, url string) error {
	admin, err := rest.HTTPClientFor(cp.admin)
	if err != nil {
		return err
	}
	defer admin.CloseIdleConnections()
	return poll(ctx, startTimeout, "waiting until it is ready", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := admin.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz answers %s", response.Status)
		}
		return nil
	})
}

// waitForControllers waits until the controller manager has done what every cluster relies on: the server's CA is
// published, the default service account is there, and the aggregated roles have rules.
func (cp *ControlPlane) waitForControllers(ctx context.Context) error {
	c, err := client.New(cp.admin, client.Options{})
	if err != nil {
		return err
	}
	return poll(ctx, startTimeout, "waiting for the controllers' first work", func(ctx context.Context) error {
		for _, namespace := range []string{metav1.NamespaceSystem, metav1.NamespaceDefault} {
			key := client.ObjectKey{Namespace: namespace, Name: "kube-root-ca.crt"}
			if err := c.Get(ctx, key, &corev1.ConfigMap{}); err != nil {
				return err
			}
		}
		key := client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "default"}
		if err := c.Get(ctx, key, &corev1.ServiceAccount{}); err != nil {
			return err
		}
		for _, name := range []string{"view", "edit", "admin"} {
			role := &rbacv1.ClusterRole{}
			if err := c.Get(ctx, client.ObjectKey{Name: name}, role); err != nil {
				return err
			}
			if len(role.Rules) == 0 {
				return fmt.Errorf("ClusterRole %q has no rules yet", name)
			}
		}
		return nil
	})
}

// poll calls the condition until it returns no error. What it returned last is the error when time is up.
func poll(ctx context.Context, bound time.Duration, what string, condition func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, bound, true, func(ctx context.Context) (bool, error) {
		if err := condition(ctx); err != nil {
			if ctx.Err() == nil { // else the error only says that time is up
				last = err
			}
			return false, nil
		}
		return true, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%s: %w: %w", what, err, last)
	}
	return err
}
