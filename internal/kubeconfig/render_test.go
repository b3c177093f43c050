// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestRenderedKubeconfigsAreWhatClientsRead(t *testing.T) {
	certificatePEM, keyPEM := credential()
	data := must(Render(parameters(), certificatePEM, keyPEM))

	loaded := must(clientcmd.Load(data))
	if err := clientcmd.ConfirmUsable(*loaded, ""); err != nil {
		t.Errorf("clientcmd cannot use it: %v", err)
	}
	if len(loaded.Clusters) != 1 || len(loaded.AuthInfos) != 1 || len(loaded.Contexts) != 1 || loaded.CurrentContext != "alice@prod" {
		t.Errorf("it has %d clusters, %d users, %d contexts, and the current one is %q",
			len(loaded.Clusters), len(loaded.AuthInfos), len(loaded.Contexts), loaded.CurrentContext)
	}
	client := must(clientcmd.NewDefaultClientConfig(*loaded, nil).ClientConfig())
	if client.Host != "https://api.example.com:6443" || client.ServerName != "kubernetes" || client.Proxy == nil || string(client.CAData) != "ca" {
		t.Errorf("a client connects otherwise: %v", client.Host)
	}
	if !bytes.Equal(client.CertData, certificatePEM) || !bytes.Equal(client.KeyData, keyPEM) {
		t.Error("a client presents another credential")
	}
}

func TestRenderingIsDeterministicAndReadsBack(t *testing.T) {
	certificatePEM, keyPEM := credential()
	for name, p := range map[string]Parameters{
		"with everything":            parameters(),
		"with what is needed":        {Server: "https://a", ClusterName: "c", ContextName: "u@c"},
		"with names that YAML bends": {Server: "https://a", ClusterName: "on: \"x\"\n- y", ContextName: "0x1f", Namespace: "null"},
	} {
		t.Run(name, func(t *testing.T) {
			data := must(Render(p, certificatePEM, keyPEM))
			if !bytes.Equal(data, must(Render(p, certificatePEM, keyPEM))) {
				t.Error("rendering twice gives other bytes")
			}
			got, gotCertificate, gotKey, err := Read(data)
			wantError(t, err, "")
			if !reflect.DeepEqual(got, p) || got.Hash() != p.Hash() {
				t.Errorf("read %+v, want %+v", got, p)
			}
			if !bytes.Equal(gotCertificate, certificatePEM) || !bytes.Equal(gotKey, keyPEM) {
				t.Error("the credential is another one")
			}
		})
	}
}

func TestRenderRefusesWhatNoClientCouldUse(t *testing.T) {
	certificatePEM, keyPEM := credential()
	for name, test := range map[string]struct {
		p                Parameters
		certificate, key []byte
		want             string
	}{
		"no server":          {parameters(func(p *Parameters) { p.Server = "" }), certificatePEM, keyPEM, "https:// URL"},
		"a server over http": {parameters(func(p *Parameters) { p.Server = "http://a" }), certificatePEM, keyPEM, "https:// URL"},
		"a bare host name":   {parameters(func(p *Parameters) { p.Server = "a:6443" }), certificatePEM, keyPEM, "https:// URL"},
		"no host":            {parameters(func(p *Parameters) { p.Server = "https://" }), certificatePEM, keyPEM, "https:// URL"},
		"a server of bytes":  {parameters(func(p *Parameters) { p.Server = "https://\x00" }), certificatePEM, keyPEM, "https:// URL"},
		"no cluster name":    {parameters(func(p *Parameters) { p.ClusterName = "" }), certificatePEM, keyPEM, "must have names"},
		"no context name":    {parameters(func(p *Parameters) { p.ContextName = "" }), certificatePEM, keyPEM, "must have names"},
		"no certificate":     {parameters(), nil, keyPEM, "are needed"},
		"no key":             {parameters(), certificatePEM, nil, "are needed"},
		"more than a Secret holds": {parameters(func(p *Parameters) { p.CertificateAuthorityData = make([]byte, 1<<20) }),
			certificatePEM, keyPEM, "a Secret holds at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(test.p, test.certificate, test.key)
			wantError(t, err, test.want)
			wantNoSecret(t, err, keyPEM)
		})
	}
}

func TestReadRefusesWhatTheOperatorDoesNotWrite(t *testing.T) {
	certificatePEM, keyPEM := credential()
	rendered := func(change func(*clientcmdapi.Config)) []byte {
		c := parameters().config(&clientcmdapi.AuthInfo{ClientCertificateData: certificatePEM, ClientKeyData: keyPEM})
		change(c)
		return must(clientcmd.Write(*c))
	}
	user := func(change func(*clientcmdapi.AuthInfo)) []byte {
		return rendered(func(c *clientcmdapi.Config) { change(c.AuthInfos["alice@prod"]) })
	}
	good := string(rendered(func(*clientcmdapi.Config) {}))
	userEntry := good[strings.Index(good, "users:\n")+len("users:\n"):]
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":               {nil, "no current context"},
		"no YAML":               {append([]byte("\t"), keyPEM...), "cannot be decoded"},
		"a key where a list is": {append([]byte("users: "), bytes.ReplaceAll(keyPEM, []byte("\n"), nil)...), "cannot be decoded"},
		"another kind":          {[]byte("apiVersion: v1\nkind: Secret\n"), "cannot be decoded"},
		"the same user twice":   {[]byte(good + userEntry), "cannot be decoded"},
		"no current context":    {rendered(func(c *clientcmdapi.Config) { c.CurrentContext = "" }), "no current context"},
		"no such cluster":       {rendered(func(c *clientcmdapi.Config) { delete(c.Clusters, "prod") }), "is missing"},
		"no such user":          {rendered(func(c *clientcmdapi.Config) { delete(c.AuthInfos, "alice@prod") }), "is missing"},
		"a second user":         {rendered(func(c *clientcmdapi.Config) { c.AuthInfos["x"] = clientcmdapi.NewAuthInfo() }), "does not write"},
		"a second cluster":      {rendered(func(c *clientcmdapi.Config) { c.Clusters["x"] = clientcmdapi.NewCluster() }), "does not write"},
		"a second context":      {rendered(func(c *clientcmdapi.Config) { c.Contexts["x"] = clientcmdapi.NewContext() }), "does not write"},
		"a user of another name": {rendered(func(c *clientcmdapi.Config) {
			c.AuthInfos["x"] = c.AuthInfos["alice@prod"]
			delete(c.AuthInfos, "alice@prod")
			c.Contexts["alice@prod"].AuthInfo = "x"
		}), "does not write"},
		"an unchecked server": {rendered(func(c *clientcmdapi.Config) { c.Clusters["prod"].InsecureSkipTLSVerify = true }), "does not write"},
		"a CA in a file":      {rendered(func(c *clientcmdapi.Config) { c.Clusters["prod"].CertificateAuthority = "/ca.crt" }), "does not write"},
		"a token":             {user(func(u *clientcmdapi.AuthInfo) { u.Token = "t" }), "does not write"},
		"impersonation":       {user(func(u *clientcmdapi.AuthInfo) { u.Impersonate = "admin" }), "does not write"},
		"an exec plugin": {user(func(u *clientcmdapi.AuthInfo) {
			u.Exec = &clientcmdapi.ExecConfig{Command: "sh", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}
		}), "does not write"},
		"more than 1 MiB": {append([]byte(good), bytes.Repeat([]byte("#"), 1<<20)...), "at most 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			p, gotCertificate, gotKey, err := Read(test.data)
			wantError(t, err, test.want)
			wantNoSecret(t, err, keyPEM)
			if !reflect.DeepEqual(p, Parameters{}) || gotCertificate != nil || gotKey != nil {
				t.Error("something is returned besides the error")
			}
		})
	}
}

func FuzzReadKubeconfig(f *testing.F) {
	certificatePEM, keyPEM := credential()
	f.Add(must(Render(parameters(), certificatePEM, keyPEM)))
	f.Add([]byte("apiVersion: v1\nkind: Config\nclusters: [{}]\nusers: [{}]\ncontexts: [{}]\n"))
	f.Add([]byte("clusters: [{name: a, cluster: }]\nusers: [{name: a, user: }]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, certificatePEM, keyPEM, err := Read(data)
		if err != nil {
			return
		}
		// What Render refuses Read may still have read: somebody emptied a field.
		again, err := Render(p, certificatePEM, keyPEM)
		if err != nil {
			return
		}
		if back, _, _, err := Read(again); err != nil || back.Hash() != p.Hash() {
			t.Fatalf("what was read does not survive rendering: %v", err)
		}
	})
}
