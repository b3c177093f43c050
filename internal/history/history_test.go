// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var start = time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)

func at(after time.Duration) *metav1.Time { return &metav1.Time{Time: start.Add(after)} }

// entry is a certificate with a group of its own.
func entry(revision int64, until time.Duration, group string) v1alpha1.IssuedCertificate {
	return v1alpha1.IssuedCertificate{
		Revision: revision, Fingerprint: fmt.Sprint(revision), NotBefore: at(0), NotAfter: at(until), Groups: []string{group, v1alpha1.CredentialGroupPrefix + "x:0"},
	}
}

func TestWhatCertificatesMayDoIsRememberedUntilTheyEnd(t *testing.T) {
	status := &v1alpha1.ClientIdentityStatus{}
	Remember(status, entry(1, 90*24*time.Hour, "admins"), start)
	for n := range int64(40) {
		Remember(status, entry(n+2, time.Duration(n+1)*time.Hour, fmt.Sprint("group-", n)), start)
	}
	revisions := []int64{}
	for _, c := range status.Certificates {
		revisions = append(revisions, c.Revision)
	}
	want := []int64{41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 1}
	if !slices.Equal(revisions, want) {
		t.Errorf("kept are %v, want the newest ten and those that are valid longest: %v", revisions, want)
	}
	others := status.OtherCertificates
	if others == nil || !others.NotAfter.Equal(at(21*time.Hour)) || len(others.Groups) != 21 || others.MoreGroups || !slices.Contains(others.Groups, "group-0") {
		t.Errorf("the others are %+v", others)
	}
	Remember(status, entry(50, time.Hour, "g"), start.Add(22*time.Hour))
	if status.OtherCertificates != nil && status.OtherCertificates.NotAfter.Time.Before(start.Add(22*time.Hour)) {
		t.Errorf("what has ended is still told: %+v", status.OtherCertificates)
	}
}

func TestMoreGroupsThanThereIsRoomForAreSaidToBe(t *testing.T) {
	var sum *v1alpha1.OtherCertificates
	for n := range int64(100) {
		sum = sumUp(sum, entry(n, time.Hour, fmt.Sprint("group-", n)))
	}
	if len(sum.Groups) != maxOtherGroups || !sum.MoreGroups {
		t.Errorf("%d groups, more: %t", len(sum.Groups), sum.MoreGroups)
	}
}

func TestOfOthersTheNewestRevocationAndAWithdrawalAreRemembered(t *testing.T) {
	with := func(revocation *metav1.Time, withdrawn bool) v1alpha1.IssuedCertificate {
		c := entry(1, time.Hour, "a")
		c.RevokeIssuedBefore, c.Withdrawn = revocation, withdrawn
		return c
	}
	var sum *v1alpha1.OtherCertificates
	for _, c := range []v1alpha1.IssuedCertificate{with(nil, false), with(at(2*time.Minute), true), with(at(time.Minute), false), with(nil, false)} {
		sum = sumUp(sum, c)
	}
	if !sum.Withdrawn || !sum.RevokeIssuedBefore.Equal(at(2*time.Minute)) {
		t.Errorf("the sum is %+v", sum)
	}
}

func TestRevisionsGoOnAfterAWithdrawal(t *testing.T) {
	status := &v1alpha1.ClientIdentityStatus{Certificates: []v1alpha1.IssuedCertificate{{Revision: 3, Withdrawn: true}, {Revision: 2}}}
	if got := LastRevision(status); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}

func TestTheNewestTwoOfEachDeviceAreKept(t *testing.T) {
	status := &v1alpha1.ClientIdentityStatus{}
	revision := int64(0)
	issue := func(device string, times int) {
		for range times {
			revision++
			c := entry(revision, time.Duration(revision)*time.Hour, "g")
			c.Device = device
			RememberDevice(status, c, start)
		}
	}
	issue("phone", 2)
	issue("laptop", 30)
	issue("", 1)
	listed := map[string][]int64{}
	for _, c := range status.Certificates {
		listed[c.Device] = append(listed[c.Device], c.Revision)
	}
	if !slices.Equal(listed["phone"], []int64{2, 1}) || !slices.Equal(listed[""], []int64{33}) || len(listed["laptop"]) != 17 || listed["laptop"][0] != 32 {
		t.Errorf("listed are %v", listed)
	}
	if others := status.OtherCertificates; others == nil || !others.NotAfter.Equal(at(15*time.Hour)) {
		t.Errorf("the others are %+v", others)
	}
}

func TestADeviceThatGetsManyPushesOutNoneOfAnother(t *testing.T) {
	status := &v1alpha1.ClientIdentityStatus{}
	for revision := range int64(40) {
		c := entry(revision, time.Duration(revision+1)*time.Hour, "g")
		if c.Device = "laptop"; revision < 5 {
			c.Device = "phone"
		}
		RememberDevice(status, c, start)
	}
	phone := 0
	for _, c := range status.Certificates {
		if c.Device == "phone" {
			phone++
		}
	}
	if phone != 5 {
		t.Errorf("%d of 5 are listed", phone)
	}
}
