// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestUseOf(t *testing.T) {
	at := start.Add(500 * time.Millisecond)
	for name, test := range map[string]struct {
		at        time.Time
		addresses []string
		userAgent string
		want      Use
	}{
		"whole seconds":                          {at, []string{"203.0.113.7"}, "kubectl", Use{start, "203.0.113.7", "kubectl"}},
		"a clock that is ahead":                  {at.Add(time.Hour), nil, "", Use{Time: start.Add(time.Minute)}},
		"the address that the API server saw":    {at, []string{"10.0.0.1", "forged", "2001:db8::1"}, "", Use{Time: start, SourceAddress: "2001:db8::1"}},
		"an address with a zone":                 {at, []string{"fe80::1%eth0"}, "", Use{Time: start, SourceAddress: "fe80::1"}},
		"an address that is none":                {at, []string{"<script>"}, "", Use{Time: start}},
		"a user agent that would fool a reader":  {at, nil, "a\x1b[2Jb\u202ec\n", Use{Time: start, UserAgent: "a\uFFFD[2Jb\uFFFDc\uFFFD"}},
		"a user agent that is longer than shown": {at, nil, strings.Repeat("x", 5000), Use{Time: start, UserAgent: strings.Repeat("x", 252) + " ..."}},
		"one of other characters":                {at, nil, strings.Repeat("\x00", 5000), Use{Time: start, UserAgent: strings.Repeat("\uFFFD", 84) + " ..."}},
	} {
		t.Run(name, func(t *testing.T) {
			got := useOf(test.at, start.Add(time.Minute), test.addresses, test.userAgent)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			if len(got.UserAgent) > maxUserAgent || len(got.SourceAddress) > 64 {
				t.Errorf("longer than the API allows: %+v", got)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	lastUsed := func(top v1alpha1.CertificateUse, certificates ...v1alpha1.CertificateUse) *v1alpha1.LastUsed {
		return &v1alpha1.LastUsed{CertificateUse: top, Certificates: certificates}
	}
	for name, test := range map[string]struct {
		before *v1alpha1.LastUsed
		listed []int
		uses   map[string]Use
		want   *v1alpha1.LastUsed
	}{
		"the first use": {nil, []int{1}, map[string]Use{fingerprint(1): use(0)}, lastUsed(used(1, 0), used(1, 0))},
		"a later one": {
			lastUsed(used(1, 0), used(1, 0)), []int{1}, map[string]Use{fingerprint(1): use(time.Hour)}, lastUsed(used(1, time.Hour), used(1, time.Hour)),
		},
		"an earlier one that comes late": {
			lastUsed(used(1, time.Hour), used(1, time.Hour)), []int{1}, map[string]Use{fingerprint(1): use(0)}, lastUsed(used(1, time.Hour), used(1, time.Hour)),
		},
		"an old certificate beside the new one": {
			lastUsed(used(2, time.Hour), used(2, time.Hour)), []int{2, 1}, map[string]Use{fingerprint(1): use(time.Minute)},
			lastUsed(used(2, time.Hour), used(2, time.Hour), used(1, time.Minute)),
		},
		"one that is listed no more keeps the last use, and goes": {
			lastUsed(used(1, 0), used(1, 0)), []int{2}, map[string]Use{fingerprint(2): use(time.Hour)}, lastUsed(used(2, time.Hour), used(2, time.Hour)),
		},
		"one that is not the identity's": {nil, []int{1}, map[string]Use{fingerprint(9): use(0)}, nil},
		"nothing new keeps what was": {
			lastUsed(used(1, 0), used(1, 0)), []int{2}, nil, lastUsed(used(1, 0), used(1, 0)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			copied := test.before.DeepCopy()
			got := Record(test.before, identity("alice", test.listed...).Status.Certificates, test.uses)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			if diff := cmp.Diff(copied, test.before); diff != "" {
				t.Errorf("the status before was changed:\n%s", diff)
			}
		})
	}
}

func TestTheRecordIsBounded(t *testing.T) {
	var numbers []int
	uses := map[string]Use{}
	for n := range 50 {
		numbers = append(numbers, n)
		uses[fingerprint(n)] = use(time.Duration(n) * time.Minute)
	}
	got := Record(nil, identity("alice", numbers...).Status.Certificates, uses)
	if len(got.Certificates) != maxCertificates || got.Certificates[0].Revision != 49 || got.Revision != 49 {
		t.Errorf("got %d entries, the first %v, the last use %v", len(got.Certificates), got.Certificates[0], got.CertificateUse)
	}
}
