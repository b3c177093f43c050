// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestEnd(t *testing.T) {
	deleting := &Ending{v1alpha1.ReasonDeleting, "the identity is being deleted"}
	byState := &Ending{v1alpha1.ReasonWithdrawnByState, "spec.state is Withdrawn"}
	ended := &Ending{v1alpha1.ReasonAccessEnded, "spec.accessUntil (2026-12-01T08:00:00Z) has passed"}

	dormant := &Ending{v1alpha1.ReasonDormant, "nobody has used it since 2026-12-01T08:00:00Z: set spec.whenDormant to Report to make it active again"}
	unused := func(id *v1alpha1.ClientIdentity) {
		id.Spec.WhenDormant = v1alpha1.WithdrawDormant
		id.Status.Certificate, id.Status.DormantSince = &v1alpha1.CertificateStatus{}, &metav1.Time{Time: now}
	}
	usedAt := func(at time.Time) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) {
			id.Status.LastUsed = &v1alpha1.LastUsed{CertificateUse: v1alpha1.CertificateUse{Time: metav1.Time{Time: at}}}
		}
	}

	for name, test := range map[string]struct {
		given *v1alpha1.ClientIdentity
		want  *Ending
	}{
		"an active one has access":                       {given: identity()},
		"so has one until the last moment of its access": {given: identity(until(now.Add(1)))},
		"it ends at accessUntil":                         {identity(until(now)), ended},
		"it says so in UTC":                              {identity(until(now.In(time.FixedZone("", 3600)))), ended},
		"it ends when withdrawn":                         {identity(withdrawn), byState},
		"it ends when deleted":                           {identity(beingDeleted), deleting},
		"a deletion is told first, since it stays":       {identity(beingDeleted, withdrawn, until(now)), deleting},
		"it ends when nobody used it":                    {identity(unused), dormant},
		"but only where that is asked for":               {given: identity(unused, func(id *v1alpha1.ClientIdentity) { id.Spec.WhenDormant = v1alpha1.ReportDormant })},
		"not where it was used just now":                 {given: identity(unused, usedAt(now.Add(time.Second)))},
		"though a copy is tried once the credential is gone": {
			identity(unused, usedAt(now.Add(time.Second)), func(id *v1alpha1.ClientIdentity) { id.Status.Certificate = nil }), dormant,
		},
		"what somebody decided is told before the time": {identity(withdrawn, until(now)), byState},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, End(test.given, now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
