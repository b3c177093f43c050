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

const uid = "c9f3b3e4-0000-4000-8000-000000000000"

func TestAKubeconfigForHoldersIsWhatClientsRead(t *testing.T) {
	data := must(RenderExec(parameters(), "alice", uid))

	loaded := must(clientcmd.Load(data))
	if err := clientcmd.ConfirmUsable(*loaded, ""); err != nil {
		t.Errorf("clientcmd cannot use it: %v", err)
	}
	client := must(clientcmd.NewDefaultClientConfig(*loaded, nil).ClientConfig())
	if client.Host != "https://api.example.com:6443" || client.ServerName != "kubernetes" || string(client.CAData) != "ca" {
		t.Errorf("a client connects otherwise: %v", client.Host)
	}
	if client.CertData != nil || client.KeyData != nil || client.BearerToken != "" || client.Username != "" {
		t.Error("it has a credential in it")
	}
	exec := client.ExecProvider
	if exec == nil || exec.Command != "kubectl-clientidentity" || strings.Join(exec.Args, " ") != "credential --identity alice --uid "+uid ||
		exec.APIVersion != "client.authentication.k8s.io/v1" || exec.InteractiveMode != clientcmdapi.NeverExecInteractiveMode ||
		!exec.ProvideClusterInfo || !strings.Contains(exec.InstallHint, "kubectl clientidentity enroll") {
		t.Errorf("a client asks otherwise for its credential: %+v", exec)
	}
}

func TestAKubeconfigForHoldersReadsBack(t *testing.T) {
	for _, p := range []Parameters{parameters(), {Server: "https://a", ClusterName: "c", ContextName: "u@c"}} {
		data := must(RenderExec(p, "alice", uid))
		if !bytes.Equal(data, must(RenderExec(p, "alice", uid))) {
			t.Error("rendering twice gives other bytes")
		}
		got, identity, gotUID, err := ReadExec(data)
		wantError(t, err, "")
		if !reflect.DeepEqual(got, p) || identity != "alice" || gotUID != uid {
			t.Errorf("read %+v, %q and %q", got, identity, gotUID)
		}
		if _, _, _, err := Read(data); err == nil {
			t.Error("it was read as one with a key")
		}
	}
}

func TestOtherKubeconfigsAreNoneForHolders(t *testing.T) {
	certificatePEM, keyPEM := credential()
	changed := func(change func(*clientcmdapi.AuthInfo)) []byte {
		config := must(clientcmd.Load(must(RenderExec(parameters(), "alice", uid))))
		change(config.AuthInfos["alice@prod"])
		return must(clientcmd.Write(*config))
	}
	for name, data := range map[string][]byte{
		"one with a key":         must(Render(parameters(), certificatePEM, keyPEM)),
		"another program":        changed(func(u *clientcmdapi.AuthInfo) { u.Exec.Command = "sh" }),
		"an argument more":       changed(func(u *clientcmdapi.AuthInfo) { u.Exec.Args = append(u.Exec.Args, "--more") }),
		"another argument":       changed(func(u *clientcmdapi.AuthInfo) { u.Exec.Args[0] = "kubeconfig" }),
		"no arguments":           changed(func(u *clientcmdapi.AuthInfo) { u.Exec.Args = nil }),
		"no identity":            changed(func(u *clientcmdapi.AuthInfo) { u.Exec.Args[2] = "" }),
		"a variable":             changed(func(u *clientcmdapi.AuthInfo) { u.Exec.Env = []clientcmdapi.ExecEnvVar{{Name: "A", Value: "b"}} }),
		"a token beside":         changed(func(u *clientcmdapi.AuthInfo) { u.Token = "token" }),
		"somebody impersonated":  changed(func(u *clientcmdapi.AuthInfo) { u.Impersonate = "admin" }),
		"what is no kubeconfig":  []byte("{"),
		"no cluster information": changed(func(u *clientcmdapi.AuthInfo) { u.Exec.ProvideClusterInfo = false }),
	} {
		if _, _, _, err := ReadExec(data); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	for name, names := range map[string][2]string{"no name": {"", uid}, "no UID": {"alice", ""}} {
		if _, err := RenderExec(parameters(), names[0], names[1]); err == nil {
			t.Errorf("%s was rendered", name)
		}
	}
	_, err := RenderExec(Parameters{Server: "http://a", ClusterName: "c", ContextName: "u"}, "alice", uid)
	wantError(t, err, "https:// URL")
}
