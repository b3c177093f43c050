// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestWhatAStatusTells(t *testing.T) {
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: asked.Add(d)} }
	status := &v1alpha1.ClientIdentityStatus{
		Certificate: &v1alpha1.CertificateStatus{
			NotBefore: at(-backdate), NotAfter: at(day), RequestTime: at(0), RenewalTime: at(time.Hour), RequestedTTL: &metav1.Duration{Duration: day},
		},
		Certificates: []v1alpha1.IssuedCertificate{{NotBefore: at(-backdate), NotAfter: at(day)}, {NotAfter: at(time.Hour)}, {NotBefore: at(-day), NotAfter: at(1)}},
	}
	if got, want := ScheduleIn(status.Certificate), (Schedule{RenewalTime: asked.Add(time.Hour)}); got != want {
		t.Errorf("schedule %+v, want %+v", got, want)
	}
	want := Validity{NotBefore: asked.Add(-backdate), NotAfter: asked.Add(day), RequestTime: asked, Requested: day}
	if got := ValidityOf(status.Certificate); got != want {
		t.Errorf("validity %+v, want %+v", got, want)
	}
	if diff := cmp.Diff([]time.Time{asked.Add(-backdate), asked.Add(-day)}, NotBefores(status.Certificates)); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
	for i, want := range []*Validity{{NotBefore: asked.Add(-backdate), NotAfter: asked.Add(day)}, nil, {NotBefore: asked.Add(-day), NotAfter: asked.Add(1)}, nil} {
		if diff := cmp.Diff(want, EarlierValidity(status.Certificates, i)); diff != "" {
			t.Errorf("certificate %d (-want +got):\n%s", i, diff)
		}
	}
	if got := RequestTimeOf(status); !got.Equal(asked) {
		t.Errorf("asked for at %s, want %s", got, asked)
	}
}

func TestWhatAStatusDoesNotTell(t *testing.T) {
	if got := ScheduleIn(nil); got != (Schedule{}) {
		t.Errorf("schedule %+v", got)
	}
	if got := ValidityOf(&v1alpha1.CertificateStatus{}); got != (Validity{}) {
		t.Errorf("validity %+v", got)
	}
	withdrawn := &v1alpha1.ClientIdentityStatus{Certificates: []v1alpha1.IssuedCertificate{{NotBefore: &metav1.Time{Time: asked.Add(-backdate)}}}}
	if got := RequestTimeOf(withdrawn); !got.Equal(asked) {
		t.Errorf("the last one before a withdrawal was asked for at %s, want %s", got, asked)
	}
	if got := RequestTimeOf(&v1alpha1.ClientIdentityStatus{}); !got.IsZero() {
		t.Errorf("nothing was asked for at %s", got)
	}
}
