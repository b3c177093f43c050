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

func TestDormancyOf(t *testing.T) {
	const (
		day          = 24 * time.Hour
		dormantAfter = 90 * day
	)
	ago := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }
	published := func(since time.Duration) v1alpha1.ClientIdentityStatus {
		return v1alpha1.ClientIdentityStatus{PublishedSince: ago(since), Certificate: &v1alpha1.CertificateStatus{RequestTime: ago(min(since, day))}}
	}
	used := func(since, last time.Duration) v1alpha1.ClientIdentityStatus {
		status := published(since)
		status.LastUsed = &v1alpha1.LastUsed{CertificateUse: v1alpha1.CertificateUse{Time: *ago(last)}}
		return status
	}
	ofAnEarlierVersion := published(100 * day)
	ofAnEarlierVersion.PublishedSince, ofAnEarlierVersion.Certificate.RequestTime = nil, ago(95*day)
	watched := Observation{Since: now.Add(-200 * day), Until: now.Add(-10 * time.Minute)}
	look := now.Add(observationLook)

	for name, test := range map[string]struct {
		status   v1alpha1.ClientIdentityStatus
		observed Observation
		after    time.Duration
		want     Dormancy
	}{
		"one that was used yesterday":        {used(100*day, day), watched, dormantAfter, Dormancy{Next: now.Add(89 * day)}},
		"one that was used long ago":         {used(300*day, 95*day), watched, dormantAfter, Dormancy{Since: now.Add(-95 * day), Next: look}},
		"one that was never used":            {published(100 * day), watched, dormantAfter, Dormancy{Since: now.Add(-100 * day), Next: look}},
		"one that was published lately":      {published(day), watched, dormantAfter, Dormancy{Next: now.Add(89 * day)}},
		"one that was published anew":        {used(day, 300*day), watched, dormantAfter, Dormancy{Next: now.Add(89 * day)}},
		"one of an earlier version":          {ofAnEarlierVersion, watched, dormantAfter, Dormancy{Since: now.Add(-95 * day), Next: look}},
		"the moment before":                  {published(90*day - time.Second), watched, dormantAfter, Dormancy{Next: now.Add(time.Second)}},
		"one without a credential":           {v1alpha1.ClientIdentityStatus{LastUsed: used(0, 300*day).LastUsed}, watched, dormantAfter, Dormancy{}},
		"nobody asks":                        {published(100 * day), watched, 0, Dormancy{}},
		"nobody watches":                     {published(100 * day), Observation{}, dormantAfter, Dormancy{Next: look}},
		"it is not known whether":            {published(100 * day), Observation{Unknown: true}, dormantAfter, Dormancy{Unknown: true, Next: look}},
		"watched for too short a time":       {published(300 * day), Observation{Since: now.Add(-89 * day), Until: now}, dormantAfter, Dormancy{Next: look}},
		"watched for nearly long enough":     {published(300 * day), Observation{Since: now.Add(time.Minute - 90*day), Until: now}, dormantAfter, Dormancy{Next: now.Add(time.Minute)}},
		"what happened last is on its way":   {published(90*day + time.Minute), watched, dormantAfter, Dormancy{Next: look}},
		"and so it is where watching is new": {published(300 * day), Observation{Since: now.Add(-90*day - time.Minute), Until: watched.Until}, dormantAfter, Dormancy{Next: look}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, DormancyOf(&test.status, test.observed, test.after, now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
