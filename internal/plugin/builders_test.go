// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// now is when the tests take place.
var now = time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC)

func in(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

// identity returns an identity that is ready, whose key the operator made, after changes.
func identity(name string, changes ...func(*v1alpha1.ClientIdentity)) v1alpha1.ClientIdentity {
	id := v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: "c9f3b3e4-0000-4000-8000-000000000000", CreationTimestamp: *in(-48 * time.Hour), Generation: 1},
		Spec: v1alpha1.ClientIdentitySpec{
			Username: name + "@example.com", Groups: []string{"developers"}, TTL: metav1.Duration{Duration: 90 * day},
			SignerName: "kubernetes.io/kube-apiserver-client", PrivateKey: v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA},
			BindTo: v1alpha1.BindToUsername, Secret: v1alpha1.SecretTemplate{KubeconfigKey: "kubeconfig"}, State: v1alpha1.StateActive,
		},
		Status: v1alpha1.ClientIdentityStatus{
			ObservedGeneration: 1, State: v1alpha1.ObservedReady, StateReason: v1alpha1.ReasonIssued, GroupList: "developers",
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, Message: "All is as asked for."},
				{Type: v1alpha1.ConditionCertificateIssued, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonIssued, Message: "Certificate is valid."},
				{Type: v1alpha1.ConditionAccessBound, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonBound, Message: "All role bindings are in place."},
			},
			Certificate: &v1alpha1.CertificateStatus{
				Fingerprint: fingerprint('a'), Issuer: "CN=kubernetes", NotBefore: in(-2 * day), NotAfter: in(88 * day), RenewalTime: in(58 * day), Revision: 1,
			},
			Certificates: []v1alpha1.IssuedCertificate{{
				Fingerprint: fingerprint('a'), Issuer: "CN=kubernetes", NotBefore: in(-2 * day), NotAfter: in(88 * day), Revision: 1, Groups: []string{"developers"},
			}},
			SecretRef: &v1alpha1.SecretReference{Namespace: "client-identities", Name: name + "-kubeconfig"},
			Server:    &v1alpha1.ServerStatus{URL: "https://api.example.com:6443", Source: v1alpha1.ServerFromFlag},
		},
	}
	for _, change := range changes {
		change(&id)
	}
	return id
}

// fingerprint returns a fingerprint of one digit.
func fingerprint(digit rune) string {
	runes := make([]rune, 64)
	for i := range runes {
		runes[i] = digit
	}
	return string(runes)
}

// heldOn makes it an identity whose keys are on devices.
func heldOn(devices ...v1alpha1.Device) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Spec.PrivateKey.Source = v1alpha1.SourceHolder
		id.Status.Certificate, id.Status.Certificates, id.Status.Devices = nil, nil, devices
		for _, d := range devices {
			id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{
				Fingerprint: d.Fingerprint, Device: d.Name, Revision: d.Revision, NotAfter: d.NotAfter, Issuer: "CN=kubernetes", Groups: []string{"developers"},
				RequestedBy: d.EnrolledBy,
			})
		}
	}
}

func onDevice(name string, end, renewal time.Duration, state v1alpha1.DeviceState) v1alpha1.Device {
	return v1alpha1.Device{
		Name: name, State: state, Fingerprint: fingerprint('d'), Revision: 3, NotAfter: in(end), RenewalTime: in(renewal), EnrolledAt: in(-day),
		EnrolledBy: "system:serviceaccount:client-identities:clientidentity-alice-enrolment", EnrolledRevision: 1,
	}
}

// condition sets a condition, and the state with it.
func condition(state v1alpha1.ObservedState, kind string, status metav1.ConditionStatus, reason, message string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Status.State, id.Status.StateReason = state, reason
		for i := range id.Status.Conditions {
			if id.Status.Conditions[i].Type == kind {
				id.Status.Conditions[i].Status, id.Status.Conditions[i].Reason, id.Status.Conditions[i].Message = status, reason, message
				return
			}
		}
		id.Status.Conditions = append(id.Status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}
