// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	certificateKind = schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"}
	issuerKind      = schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Issuer"}
)

func ofKind(kind schema.GroupVersionKind, name string, spec map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(kind)
	object.SetNamespace(certificatesIn)
	object.SetName(name)
	return object
}

// newCertificate returns what comes nearest to an identity: user, group, lifetime and key are the same.
func newCertificate(name string) *unstructured.Unstructured {
	return ofKind(certificateKind, name, map[string]any{
		"secretName": name,
		"commonName": name,
		"subject":    map[string]any{"organizations": []any{"developers"}},
		"duration":   "2160h",
		"usages":     []any{"digital signature", "client auth"},
		"privateKey": map[string]any{"algorithm": "ECDSA", "size": int64(256), "rotationPolicy": "Always"},
		"issuerRef":  map[string]any{"group": issuerKind.Group, "kind": issuerKind.Kind, "name": certManagerName},
	})
}

// certificates sees what becomes of Certificates, as observer does of identities: with one watch for the whole run.
type certificates struct {
	mu     sync.Mutex
	prefix string
	watch  *stopwatch // nil while nothing is waited for
	done   func(certificate *unstructured.Unstructured, deleted bool) bool
}

func watchCertificates(ctx context.Context, admin client.WithWatch) (*certificates, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(certificateKind.GroupVersion().WithKind("CertificateList"))
	if err := admin.List(ctx, list, client.InNamespace(certificatesIn)); err != nil {
		return nil, err
	}
	events, err := watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return admin.Watch(ctx, list.DeepCopy(), &client.ListOptions{Namespace: certificatesIn, Raw: &options})
		},
	})
	if err != nil {
		return nil, err
	}
	c := &certificates{}
	go func() {
		for event := range events.ResultChan() {
			c.see(event)
		}
	}()
	return c, nil
}

// expect makes it tell a batch of each Certificate that is done from now on.
func (c *certificates) expect(b *batch, done func(certificate *unstructured.Unstructured, deleted bool) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prefix, c.watch, c.done = b.prefix+"-", b.stopwatch, done
}

// rest makes it wait for nothing.
func (c *certificates) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = nil
}

func (c *certificates) see(event watch.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	object, is := event.Object.(*unstructured.Unstructured)
	if !is || c.watch == nil || !c.done(object, event.Type == watch.Deleted) {
		return
	}
	suffix, is := strings.CutPrefix(object.GetName(), c.prefix)
	if i, err := strconv.Atoi(suffix); is && err == nil {
		c.watch.end(i)
	}
}

func isGone(_ *unstructured.Unstructured, deleted bool) bool { return deleted }

func certificateIsReady(certificate *unstructured.Unstructured, deleted bool) bool {
	conditions, _, err := unstructured.NestedSlice(certificate.Object, "status", "conditions")
	return err == nil && !deleted && slices.ContainsFunc(conditions, func(each any) bool {
		condition, is := each.(map[string]any)
		return is && condition["type"] == "Ready" && condition["status"] == "True"
	})
}

// untilNoneIsLeft waits until the garbage collector has taken the Secrets and requests of all Certificates.
func untilNoneIsLeft(ctx context.Context, admin client.Client) error {
	for kind, stay := range map[metav1.TypeMeta]int{
		{APIVersion: "v1", Kind: "SecretList"}:                             1, // that of the CA
		{APIVersion: "cert-manager.io/v1", Kind: "CertificateRequestList"}: 0,
	} {
		err := until(ctx, 200*time.Millisecond, time.Hour, "the garbage collector takes what is in the "+kind.Kind, func() (bool, error) {
			list := &metav1.PartialObjectMetadataList{TypeMeta: kind}
			err := admin.List(ctx, list, client.InNamespace(certificatesIn), client.Limit(2))
			return len(list.Items) <= stay, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
