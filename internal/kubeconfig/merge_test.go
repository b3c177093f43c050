// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"reflect"
	"testing"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// certificateOf returns a user with a certificate of that name.
func certificateOf(name string) *clientcmdapi.AuthInfo {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &clientcmdapi.AuthInfo{ClientCertificateData: encodeBlock("CERTIFICATE", der), ClientKeyData: []byte("key")}
}

// others is a kubeconfig of somebody who has other clusters.
func others() *clientcmdapi.Config {
	c := clientcmdapi.NewConfig()
	c.Clusters["work"] = &clientcmdapi.Cluster{Server: "https://work", CertificateAuthority: "ca.pem"}
	c.AuthInfos["me"] = &clientcmdapi.AuthInfo{Token: "t"}
	c.Contexts["work"] = &clientcmdapi.Context{Cluster: "work", AuthInfo: "me", Namespace: "n"}
	c.CurrentContext = "work"
	return c
}

func merging(changes ...func(*Merging)) Merging {
	m := Merging{Parameters: parameters(), User: ExecUser("alice", uid)}
	for _, change := range changes {
		change(&m)
	}
	return m
}

func TestMergingKeepsEverythingElse(t *testing.T) {
	file := others()
	wantError(t, Merge(file, others(), merging()), "")
	if file.CurrentContext != "work" {
		t.Errorf("the current context is %q", file.CurrentContext)
	}
	if context := file.Contexts["alice@prod"]; context == nil || context.Cluster != "prod" || context.AuthInfo != "alice@prod" || context.Namespace != "development" {
		t.Errorf("the context is %+v", context)
	}
	if identityOf(file.AuthInfos["alice@prod"]) != uid || file.Clusters["prod"].Server != parameters().Server {
		t.Error("user or cluster are missing")
	}
	delete(file.Contexts, "alice@prod")
	delete(file.AuthInfos, "alice@prod")
	delete(file.Clusters, "prod")
	if !reflect.DeepEqual(file, others()) {
		t.Error("something else was changed")
	}
}

func TestMergingTwiceChangesNothing(t *testing.T) {
	file := others()
	wantError(t, Merge(file, file, merging()), "")
	file.Contexts["alice@prod"].Namespace = "mine"
	once := file.DeepCopy()
	wantError(t, Merge(file, file, merging()), "")
	if !reflect.DeepEqual(file, once) {
		t.Error("it did")
	}
}

func TestTheCurrentContextIsTheHolders(t *testing.T) {
	file := others()
	wantError(t, Merge(file, others(), merging(func(m *Merging) { m.Use = true })), "")
	if file.CurrentContext != "alice@prod" {
		t.Errorf("got %q, asked to use it", file.CurrentContext)
	}
	file = clientcmdapi.NewConfig()
	wantError(t, Merge(file, clientcmdapi.NewConfig(), merging()), "")
	if file.CurrentContext != "alice@prod" {
		t.Errorf("got %q where there was none", file.CurrentContext)
	}
	// Another file of KUBECONFIG has one.
	file = clientcmdapi.NewConfig()
	wantError(t, Merge(file, others(), merging()), "")
	if file.CurrentContext != "" {
		t.Errorf("got %q over that of another file", file.CurrentContext)
	}
}

func TestMergingReplacesOnlyWhatIsOfTheIdentity(t *testing.T) {
	otherUID := "00000000-0000-4000-8000-000000000000"
	moved := func(m *Merging) { m.Parameters.Server = "https://moved" }
	plain := func(m *Merging) { m.User = certificateOf("alice@example.com") }
	for name, test := range map[string]struct {
		first, then Merging
		want        string
	}{
		"the identity again":                           {merging(), merging(), ""},
		"the identity, whose server moved":             {merging(), merging(moved), ""},
		"another identity of that name":                {merging(func(m *Merging) { m.User = ExecUser("alice", otherUID) }), merging(), "--overwrite"},
		"a newer certificate":                          {merging(plain), merging(plain), ""},
		"a certificate of that user of another server": {merging(plain, moved), merging(plain), "--overwrite"},
		"a certificate of another user":                {merging(func(m *Merging) { m.User = certificateOf("bob") }), merging(plain), "--overwrite"},
		"a certificate that becomes self-renewing":     {merging(plain), merging(), "--overwrite"},
		"a token": {merging(func(m *Merging) { m.User = &clientcmdapi.AuthInfo{Token: "t"} }), merging(), "--overwrite"},
		"another program": {merging(func(m *Merging) {
			m.User = ExecUser("alice", uid)
			m.User.Exec.Command = "aws"
		}), merging(), "--overwrite"},
	} {
		t.Run(name, func(t *testing.T) {
			file := others()
			wantError(t, Merge(file, file.DeepCopy(), test.first), "")
			before := file.DeepCopy()
			wantError(t, Merge(file, file.DeepCopy(), test.then), test.want)
			if test.want == "" {
				if got := file.Clusters["prod"].Server; got != test.then.Parameters.Server {
					t.Errorf("the server is %s", got)
				}
				return
			}
			if !reflect.DeepEqual(file, before) {
				t.Error("something was changed all the same")
			}
			test.then.Overwrite = true
			wantError(t, Merge(file, file.DeepCopy(), test.then), "")
		})
	}
}

func TestUsersThatContextsOfOtherNamesHaveAreKept(t *testing.T) {
	file := others()
	file.AuthInfos["alice@prod"] = &clientcmdapi.AuthInfo{Token: "t"}
	file.Contexts["work"].AuthInfo = "alice@prod"
	wantError(t, Merge(file, file.DeepCopy(), merging()), "--context-name")
}

func TestAClusterOfThatNameMayBeAnother(t *testing.T) {
	file := others()
	file.Clusters["prod"] = &clientcmdapi.Cluster{Server: "https://elsewhere"}
	file.Contexts["work"].Cluster = "prod"
	wantError(t, Merge(file, file.DeepCopy(), merging()), "")
	if file.Clusters["prod"].Server != "https://elsewhere" || file.Contexts["alice@prod"].Cluster != "alice@prod" || file.Clusters["alice@prod"].Server != parameters().Server {
		t.Error("the other cluster was replaced, or ours is missing")
	}
	// The same one is used together.
	file = others()
	file.Clusters["prod"] = parameters().cluster()
	file.Contexts["work"].Cluster = "prod"
	wantError(t, Merge(file, file.DeepCopy(), merging()), "")
	if file.Contexts["alice@prod"].Cluster != "prod" || len(file.Clusters) != 2 {
		t.Error("the cluster is there twice")
	}
	// Both names are others'.
	file.Clusters["prod"], file.Clusters["alice@prod"] = &clientcmdapi.Cluster{Server: "https://a"}, &clientcmdapi.Cluster{Server: "https://b"}
	delete(file.Contexts, "alice@prod")
	delete(file.AuthInfos, "alice@prod")
	wantError(t, Merge(file, file.DeepCopy(), merging()), "--overwrite")
}

func TestAnInvitationPointsNoContextElsewhere(t *testing.T) {
	file := others()
	wantError(t, Merge(file, file, merging()), "")
	before := file.DeepCopy()
	for name, change := range map[string]func(*Merging){
		"another server": func(m *Merging) { m.Parameters.Server = "https://evil.example.com" },
		"a proxy":        func(m *Merging) { m.Parameters.ProxyURL = "https://evil.example.com" },
		"another CA":     func(m *Merging) { m.Parameters.CertificateAuthorityData = []byte("evil") },
	} {
		wantError(t, Merge(file, file, merging(change, func(m *Merging) { m.Pinned = true })), "--overwrite")
		if !reflect.DeepEqual(file, before) {
			t.Errorf("%s: it was changed", name)
		}
	}
	wantError(t, Merge(file, file, merging(func(m *Merging) { m.Pinned = true })), "")
	wantError(t, Merge(file, file, merging(func(m *Merging) {
		m.Parameters.Server = "https://moved.example.com"
		m.Pinned, m.Overwrite = true, true
	})), "")
}
