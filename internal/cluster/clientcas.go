// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ClientCAs is the ConfigMap in which the API server publishes the CAs that it checks client certificates against.
// The list only grows: a CA that was dropped stays in it. A change is a hint, and no more.
var ClientCAs = types.NamespacedName{Namespace: "kube-system", Name: "extension-apiserver-authentication"}

// clientCAKey is the key of the list (PEM).
const clientCAKey = "client-ca-file"

// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=extension-apiserver-authentication,namespace=kube-system,verbs=get;list;watch

// WatchClientCAs returns a cache that is to be started, and a channel that is told, without blocking, whenever the
// published list of client CAs has changed.
func WatchClientCAs(ctx context.Context, connection *rest.Config) (cache.Cache, <-chan struct{}, error) {
	watch, err := cache.New(connection, cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.ConfigMap{}: {
			Namespaces: map[string]cache.Config{ClientCAs.Namespace: {}},
			Field:      fields.OneTermEqualSelector("metadata.name", ClientCAs.Name),
		},
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("set up the watch on ConfigMap %s: %w", ClientCAs, err)
	}
	informer, err := watch.GetInformer(ctx, &corev1.ConfigMap{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, nil, fmt.Errorf("set up the watch on ConfigMap %s: %w", ClientCAs, err)
	}
	changed := make(chan struct{}, 1)
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{UpdateFunc: func(before, after any) {
		was, ok := before.(*corev1.ConfigMap)
		is, isToo := after.(*corev1.ConfigMap)
		if !ok || !isToo || was.Data[clientCAKey] == is.Data[clientCAKey] {
			return
		}
		select {
		case changed <- struct{}{}:
		default: // the last one has not been taken yet
		}
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("set up the watch on ConfigMap %s: %w", ClientCAs, err)
	}
	return watch, changed, nil
}
