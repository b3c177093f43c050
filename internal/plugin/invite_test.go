// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

// enrolling makes an identity ready for devices.
func enrolling(id *v1alpha1.ClientIdentity) {
	heldOn(laptop)(id)
	id.Status.EnrolmentRef = &v1alpha1.EnrolmentReference{Namespace: "client-identities", Name: "clientidentity-alice-enrolment", UID: "1"}
}

func TestWhoCanBeInvited(t *testing.T) {
	for what, row := range map[string]struct {
		given  []func(*v1alpha1.ClientIdentity)
		device string
		want   string // part of the error; empty: he can
	}{
		"another device":               {given: []func(*v1alpha1.ClientIdentity){enrolling}},
		"a device of a new name":       {given: []func(*v1alpha1.ClientIdentity){enrolling}, device: "phone"},
		"not one that is in use":       {given: []func(*v1alpha1.ClientIdentity){enrolling}, device: "laptop", want: "revoke it first (kubectl clientidentity revoke alice --device laptop)"},
		"one that was suspended":       {given: []func(*v1alpha1.ClientIdentity){enrolling, func(id *v1alpha1.ClientIdentity) { id.Status.Devices[0].State = v1alpha1.DeviceSuspended }}, device: "laptop"},
		"not more than may be":         {given: []func(*v1alpha1.ClientIdentity){enrolling, func(id *v1alpha1.ClientIdentity) { one := int32(1); id.Spec.MaxDevices = &one }}, want: "spec.maxDevices is 1"},
		"nobody of a withdrawn one":    {given: []func(*v1alpha1.ClientIdentity){enrolling, func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }}, want: "has no access"},
		"nobody of one that has ended": {given: []func(*v1alpha1.ClientIdentity){enrolling, func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = in(-time.Second) }}, want: "has no access"},
		"nobody of the operator's":     {want: "the operator makes its key"},
		"nobody before it is ready":    {given: []func(*v1alpha1.ClientIdentity){heldOn()}, want: "is not ready for devices to enrol"},
		"nobody before it was looked":  {given: []func(*v1alpha1.ClientIdentity){enrolling, func(id *v1alpha1.ClientIdentity) { id.Generation++ }}, want: notLookedAt},
	} {
		t.Run(what, func(t *testing.T) {
			id := identity("alice", row.given...)
			err := invitable(&id, row.device, now)
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestWhatIsPublishedIsChecked(t *testing.T) {
	alice := identity("alice", enrolling)
	published := func(change func(*corev1.Secret)) *corev1.Secret {
		request, err := holder.ParametersFor(&alice, 0).Encode()
		if err != nil {
			t.Fatal(err)
		}
		config, err := kubeconfig.RenderExec(kubeconfig.Parameters{Server: "https://api.example.com", ClusterName: "kubernetes", ContextName: "alice@kubernetes"}, "alice", string(alice.UID))
		if err != nil {
			t.Fatal(err)
		}
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "client-identities", Name: "alice-kubeconfig", OwnerReferences: []metav1.OwnerReference{*owner("ClientIdentity", "alice", alice.UID)}},
			Data:       map[string][]byte{"kubeconfig": config, v1alpha1.RequestKey: request},
		}
		change(secret)
		return secret
	}
	other := identity("mallory", enrolling)
	for what, row := range map[string]struct {
		change func(*corev1.Secret)
		want   string
	}{
		"as it is":        {func(*corev1.Secret) {}, ""},
		"somebody else's": {func(s *corev1.Secret) { s.OwnerReferences[0].UID = "another" }, `is not of ClientIdentity "alice"`},
		"nobody's":        {func(s *corev1.Secret) { s.OwnerReferences = nil }, `is not of ClientIdentity "alice"`},
		"with a key in it": {func(s *corev1.Secret) {
			s.Data["kubeconfig"] = []byte("apiVersion: v1\nkind: Config\nusers: [{name: a, user: {token: t}}]")
		}, "kubeconfig"},
		"empty": {func(s *corev1.Secret) { s.Data = nil }, v1alpha1.RequestKey},
		"about another one": {func(s *corev1.Secret) {
			request, err := holder.ParametersFor(&other, 0).Encode()
			if err != nil {
				t.Fatal(err)
			}
			s.Data[v1alpha1.RequestKey] = request
		}, "is about another identity"},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := assemble(&alice, published(row.change))
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if err == nil && (got.Secret.Name != "alice-kubeconfig" || got.Parameters.Identity != "alice" || got.Kubeconfig.Server != "https://api.example.com") {
				t.Errorf("got %+v", got.Kubeconfig)
			}
		})
	}
}
