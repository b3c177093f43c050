// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/report"
)

// tell writes the status that the operator writes, and the events.
func (c *bare) tell(ctx context.Context, id *v1alpha1.ClientIdentity, got *issued, secret *corev1.Secret) error {
	after := report.Compute(report.Input{
		Identity: id, Before: id.Status, Now: time.Now(),
		Bindings: report.Bindings{Bound: int32(len(id.Spec.RoleBindings))},
		Credential: report.Credential{
			SecretRef: &v1alpha1.SecretReference{Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID, ResourceVersion: secret.ResourceVersion},
			Usable:    true, UpToDate: true,
			Published: &report.Certificate{
				Issued: got.Issued, RequestTime: got.requested, RequestedTTL: id.Spec.TTL.Duration, RenewRequest: id.Annotations[v1alpha1.RenewRequestedAtAnnotation],
			},
			Schedule: renewal.Schedule{RenewalTime: got.NotAfter().Add(-got.NotAfter().Sub(got.NotBefore()) / 3)},
			Server:   &v1alpha1.ServerStatus{URL: c.connection.Host, Source: v1alpha1.ServerFromConnection},
		},
	})
	before := &v1alpha1.ClientIdentity{Status: id.Status}
	next := &v1alpha1.ClientIdentity{Status: after}
	next.UID, next.ResourceVersion = id.UID, id.ResourceVersion
	patch, err := client.MergeFrom(before).Data(next)
	if err != nil {
		return err
	}
	events := report.Events(id, &after)
	target := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: id.Name}}
	if err := c.as.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return err
	}
	for _, e := range events {
		if err := c.as.Create(ctx, eventOf(id, e)); err != nil {
			return err
		}
	}
	return nil
}

// eventOf returns an event as client-go's recorder makes it.
func eventOf(id *v1alpha1.ClientIdentity, e report.Event) *eventsv1.Event {
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: id.Name + "." + strings.ToLower(rand.Text()[:16])},
		EventTime:  metav1.NowMicro(), Type: e.Type, Reason: e.Reason, Action: e.Action, Note: e.Note,
		ReportingController: "clientidentity", ReportingInstance: "clientidentity-bench",
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: id.Name, UID: id.UID, ResourceVersion: id.ResourceVersion,
		},
	}
}
