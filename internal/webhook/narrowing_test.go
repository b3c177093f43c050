// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestNarrows(t *testing.T) {
	edit := func(changes ...func(*v1alpha1.RoleBinding)) option {
		return role("edit", "dev", "ClusterRole", "edit", changes...)
	}
	spec := func(change func(*v1alpha1.ClientIdentitySpec)) option {
		return func(id *v1alpha1.ClientIdentity) { change(&id.Spec) }
	}
	until := func(t *metav1.Time) option {
		return spec(func(s *v1alpha1.ClientIdentitySpec) { s.AccessUntil = t })
	}
	revoked := func(t *metav1.Time) option {
		return spec(func(s *v1alpha1.ClientIdentitySpec) { s.RevokeIssuedBefore = t })
	}
	ttl := func(d time.Duration) option {
		return spec(func(s *v1alpha1.ClientIdentitySpec) { s.TTL.Duration = d })
	}
	withdrawn := spec(func(s *v1alpha1.ClientIdentitySpec) { s.State = v1alpha1.StateWithdrawn })
	whenDormant := func(then v1alpha1.WhenDormant) option {
		return spec(func(s *v1alpha1.ClientIdentitySpec) { s.WhenDormant = then })
	}
	revoking := func(fingerprints ...string) option {
		return spec(func(s *v1alpha1.ClientIdentitySpec) {
			for _, f := range fingerprints {
				s.RevokedCertificates = append(s.RevokedCertificates, v1alpha1.RevokedCertificate{Fingerprint: f, Reason: "since " + fmt.Sprint(len(fingerprints))})
			}
		})
	}
	source := func(s v1alpha1.KeySource) option {
		return spec(func(spec *v1alpha1.ClientIdentitySpec) { spec.PrivateKey.Source = s })
	}
	devices := func(count int32) option {
		return spec(func(s *v1alpha1.ClientIdentitySpec) {
			s.PrivateKey.Source, s.MaxDevices = v1alpha1.SourceHolder, ptr.To(count)
		})
	}
	anyDevices := source(v1alpha1.SourceHolder)
	ids := identity

	tests := map[string]struct {
		before, after *v1alpha1.ClientIdentity
		want          bool
	}{
		"nothing changes":             {ids(groups("a"), edit()), ids(groups("a"), edit()), true},
		"groups in another order":     {ids(groups("a", "b")), ids(groups("b", "a")), true},
		"a group goes":                {ids(groups("a", "b")), ids(groups("b")), true},
		"all groups go":               {ids(groups("a", "b")), ids(), true},
		"a group comes":               {ids(groups("a")), ids(groups("a", "b")), false},
		"a group is exchanged":        {ids(groups("a")), ids(groups("b")), false},
		"a binding goes":              {ids(edit(), clusterRole("read", "view")), ids(edit()), true},
		"all bindings go":             {ids(edit(), clusterRole("read", "view")), ids(), true},
		"a binding comes":             {ids(), ids(edit()), false},
		"a cluster-wide one comes":    {ids(), ids(clusterRole("read", "view")), false},
		"a cluster-wide one changes":  {ids(clusterRole("read", "view")), ids(clusterRole("read", "edit")), false},
		"another role":                {ids(edit()), ids(role("edit", "dev", "ClusterRole", "admin")), false},
		"another namespace":           {ids(edit()), ids(role("edit", "prod", "ClusterRole", "edit")), false},
		"another kind of role":        {ids(edit()), ids(role("edit", "dev", "Role", "edit")), false},
		"a selector for a namespace":  {ids(edit()), ids(role("edit", "", "ClusterRole", "edit", selected)), false},
		"the binding gets a group":    {ids(groups("a"), edit()), ids(groups("a"), edit(forGroup("a"))), false},
		"the binding is renamed":      {ids(edit()), ids(role("other", "dev", "ClusterRole", "edit")), false},
		"a window comes":              {ids(edit()), ids(edit(window(day(1), day(2)))), true},
		"a window goes":               {ids(edit(window(day(1), day(2)))), ids(edit()), false},
		"it begins later":             {ids(edit(window(day(1), nil))), ids(edit(window(day(2), nil))), true},
		"it begins earlier":           {ids(edit(window(day(2), nil))), ids(edit(window(day(1), nil))), false},
		"it ends earlier":             {ids(edit(window(nil, day(2)))), ids(edit(window(nil, day(1)))), true},
		"it ends later":               {ids(edit(window(nil, day(1)))), ids(edit(window(nil, day(2)))), false},
		"it is moved":                 {ids(edit(window(day(1), day(2)))), ids(edit(window(day(3), day(4)))), false},
		"withdrawn":                   {ids(edit()), ids(edit(), withdrawn), true},
		"reactivated":                 {ids(edit(), withdrawn), ids(edit()), false},
		"withdrawn, and Secret moved": {ids(), ids(withdrawn, secretAt("dev", "")), false},
		"withdrawn when dormant":      {ids(whenDormant("")), ids(whenDormant(v1alpha1.WithdrawDormant)), true},
		"the same, said before":       {ids(whenDormant(v1alpha1.ReportDormant)), ids(whenDormant(v1alpha1.WithdrawDormant)), true},
		"dormant ones are active":     {ids(whenDormant(v1alpha1.WithdrawDormant)), ids(whenDormant(v1alpha1.ReportDormant)), false},
		"that is not said any more":   {ids(whenDormant(v1alpha1.WithdrawDormant)), ids(whenDormant("")), false},
		"a certificate is revoked":    {ids(revoking("a")), ids(revoking("b", "a")), true},
		"one is not, any more":        {ids(revoking("a", "b")), ids(revoking("b")), false},
		"another one is":              {ids(revoking("a")), ids(revoking("b")), false},
		"an end":                      {ids(), ids(until(day(1))), true},
		"an earlier end":              {ids(until(day(2))), ids(until(day(1))), true},
		"a later end":                 {ids(until(day(1))), ids(until(day(2))), false},
		"no end any more":             {ids(until(day(1))), ids(), false},
		"an earlier end, and a group": {ids(until(day(2))), ids(until(day(1)), groups("a")), false},
		"a shorter ttl":               {ids(), ids(ttl(time.Hour)), true},
		"a longer ttl":                {ids(), ids(ttl(10000 * time.Hour)), false},
		"revoked":                     {ids(), ids(revoked(day(1))), true},
		"revoked again":               {ids(revoked(day(1))), ids(revoked(day(2))), true},
		"revoked, and moved":          {ids(), ids(revoked(day(1)), secretAt("dev", "")), false},
		"less revoked":                {ids(revoked(day(2))), ids(revoked(day(1))), false},
		"not revoked any more":        {ids(revoked(day(2))), ids(), false},
		"the Secret is moved":         {ids(), ids(secretAt("dev", "")), false},
		"the Secret is renamed":       {ids(), ids(secretAt("", "other")), false},
		"the Secret gets a label": {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) {
			s.Secret.Labels = map[string]v1alpha1.LabelValue{"a": "b"}
		})), false},
		"another server": {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) { s.Kubeconfig.Server = "https://evil.example.com" })), false},
		"a proxy":        {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) { s.Kubeconfig.ProxyURL = "http://evil.example.com" })), false},
		"another CA": {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) {
			s.Kubeconfig.CertificateAuthorityData = []byte("evil")
		})), false},
		"another key": {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) { s.PrivateKey.Algorithm = v1alpha1.RSA })), false},
		"the key stays the same": {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) {
			s.PrivateKey.RotationPolicy = v1alpha1.RotationNever
		})), false},
		"fewer devices":                       {ids(devices(4)), ids(devices(3)), true},
		"more devices":                        {ids(devices(3)), ids(devices(4)), false},
		"fewer devices than by default":       {ids(anyDevices), ids(devices(4)), true},
		"as many as by default":               {ids(anyDevices), ids(devices(5)), true},
		"more devices than by default":        {ids(anyDevices), ids(devices(6)), false},
		"the default, which is fewer":         {ids(devices(10)), ids(anyDevices), true},
		"the default, which is more":          {ids(devices(4)), ids(anyDevices), false},
		"holders make the keys":               {ids(), ids(anyDevices), false},
		"the operator makes the keys":         {ids(anyDevices), ids(), false},
		"it does, and that is said":           {ids(anyDevices), ids(source(v1alpha1.SourceOperator)), false},
		"withdrawn, and holders make keys":    {ids(), ids(anyDevices, withdrawn), false},
		"fewer devices, and the Secret moved": {ids(devices(4)), ids(devices(3), secretAt("dev", "")), false},
		"another signer":                      {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) { s.SignerName = "example.com/other" })), false},
		"bound to the credential":             {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) { s.BindTo = v1alpha1.BindToCredential })), false},
		"renewed at another time":             {ids(), ids(spec(func(s *v1alpha1.ClientIdentitySpec) { s.RenewBeforePercentage = ptr.To[int32](50) })), false},
		"everything narrowed at once": {
			ids(groups("a", "b"), edit(), clusterRole("read", "view"), until(day(9))),
			ids(groups("b"), edit(window(day(1), day(2))), withdrawn, until(day(3)), ttl(time.Hour), revoked(day(1))), true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := test.before.DeepCopy(), test.after.DeepCopy()
			if got := Narrows(&test.before.Spec, &test.after.Spec); got != test.want {
				t.Errorf("narrows = %v, want %v", got, test.want)
			}
			if !equal(before, test.before) || !equal(after, test.after) {
				t.Error("the specs were changed")
			}
		})
	}
}
