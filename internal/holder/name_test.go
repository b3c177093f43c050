// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

func TestRequestName(t *testing.T) {
	for _, identity := range []string{"alice", "team.alice"} {
		name := holder.RequestName(identity, "laptop")
		if got, device, ok := holder.ParseRequestName(name); !ok || got != identity || device != "laptop" {
			t.Errorf("%q: got identity %q, device %q, %v", name, got, device, ok)
		}
	}
	for _, name := range []string{"", "alice", "alice-abcdefghij", "alice.abcdefghij", "alice.laptop.short", "alice.Laptop.abcdefghij", ".laptop.abcdefghij"} {
		if _, _, ok := holder.ParseRequestName(name); ok {
			t.Errorf("%q was taken for the name of a request", name)
		}
	}
}

func TestParameters(t *testing.T) {
	identity := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "c9f3b3e4-0000-4000-8000-000000000000"},
		Spec: v1alpha1.ClientIdentitySpec{
			Username: "alice@example.com", Groups: []string{"developers"}, TTL: metav1.Duration{Duration: 24 * time.Hour},
			SignerName: "kubernetes.io/kube-apiserver-client", PrivateKey: v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA},
		},
	}
	data, err := holder.ParametersFor(identity, time.Hour).Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := holder.ParseParameters(data)
	if err != nil {
		t.Fatal(err)
	}
	if read.TTL.Duration != time.Hour {
		t.Errorf("the lifetime is %s, not that of --max-ttl", read.TTL.Duration)
	}
	if subject := read.Subject(); subject.Username != "alice@example.com" || len(subject.Groups) != 3 {
		t.Errorf("the subject is %s", subject)
	}
	for what, data := range map[string]string{"another version": `{"version":"v2"}`, "nothing": `{}`, "no JSON": `x`, "no user": `{"version":"v1","identity":"a","uid":"b","signerName":"c"}`} {
		if _, err := holder.ParseParameters([]byte(data)); err == nil {
			t.Errorf("%s was read", what)
		}
	}
}
