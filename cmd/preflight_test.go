// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPreflightSaysWhatIsWrong(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":              {[]string{"--trise=1"}, "see manager preflight --help"},
		"an argument":                  {[]string{"now"}, `unexpected argument "now"`},
		"no tries":                     {[]string{"--tries=0"}, "--tries 0 must be at least 1"},
		"no cluster":                   {nil, "set --kubeconfig or --context"},
		"a file that is no kubeconfig": {[]string{"--kubeconfig=preflight.go"}, "find the cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, problems bytes.Buffer
			if err := runPreflight(t.Context(), test.args, &out, &problems); err == nil || !strings.Contains(err.Error(), test.want) || out.Len() > 0 {
				t.Errorf("%v, want %q; prints %q", err, test.want, out.String())
			}
		})
	}
	var out bytes.Buffer
	if err := runPreflight(t.Context(), []string{"--help"}, &out, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-require-denial") {
		t.Errorf("help: %v\n%s", err, out.String())
	}
}

func TestPreflightSendsNoCredentialInTheClear(t *testing.T) {
	for name, server := range map[string]string{
		"to a URL without TLS":                      "http://%s",
		"to a host, without a CA that tells of TLS": "%s",
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			listening := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
			defer listening.Close()
			kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
			const content = `{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x, user: x}}],
				clusters: [{name: x, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: x, user: {token: secret}}]}`
			if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"--kubeconfig=" + kubeconfig, "--server=" + fmt.Sprintf(server, listening.Listener.Addr())}
			err := runPreflight(t.Context(), args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), "must be a URL that begins with https://") || asked {
				t.Errorf("%v; somebody was asked: %t", err, asked)
			}
		})
	}
}

func TestTheOperatorsArgumentsAreThoseOfItsProcess(t *testing.T) {
	for name, test := range map[string]struct {
		cmdline string
		want    []string
	}{
		"the operator":              {"/manager\x00--leader-elect\x00--cluster-name=a b\x00", []string{"--leader-elect", "--cluster-name=a b"}},
		"the operator without any":  {"/manager\x00", []string{}},
		"this command in a Job":     {"/manager\x00preflight\x00-o=json\x00", nil},
		"something else":            {"/sbin/init\x00--leader-elect\x00", nil},
		"one that tells of nothing": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cmdline")
			if err := os.WriteFile(path, []byte(test.cmdline), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := ownArguments(path); !slices.Equal(got, test.want) || (got == nil) != (test.want == nil) {
				t.Errorf("%q", got)
			}
		})
	}
	if got := ownArguments(filepath.Join(t.TempDir(), "none")); got != nil {
		t.Errorf("%q of no process", got)
	}
}

func TestPreflightTakesTheOperatorsFlagsAndThoseGivenFirst(t *testing.T) {
	installed := []string{"--leader-elect", "--kubeconfig-server=https://a", "--allowed-signers=x/y,x/z", "--secret-namespaces=*", "--zap-log-level=debug"}
	settings, err := (&preflightOptions{}).settings(installed)
	if err != nil || settings.KubeconfigServer != "https://a" || settings.Signer != "x/y" || !slices.Equal(settings.Signers, []string{"x/y", "x/z"}) ||
		!slices.Equal(settings.SecretNamespaces, []string{"*"}) {
		t.Errorf("%+v, %v", settings, err)
	}
	given := &preflightOptions{kubeconfigServer: "https://b", signer: "x/n", secretNamespaces: "a,b"}
	settings, err = given.settings(installed)
	if err != nil || settings.KubeconfigServer != "https://b" || settings.Source != "as given here" || settings.Signer != "x/n" || !slices.Equal(settings.Signers, []string{"x/n"}) ||
		!slices.Equal(settings.SecretNamespaces, []string{"a", "b"}) {
		t.Errorf("%+v, %v", settings, err)
	}
	if _, err := (&preflightOptions{}).settings([]string{"--of-another-version"}); err == nil {
		t.Error("takes arguments that it does not know")
	}
}

func TestWrongUsageHasAnExitCodeOfItsOwn(t *testing.T) {
	err := runPreflight(t.Context(), []string{"--tries=0"}, io.Discard, io.Discard)
	if exitCode(err) != 2 || exitCode(errPreflight) != 1 {
		t.Errorf("%d for %v, %d for %v", exitCode(err), err, exitCode(errPreflight), errPreflight)
	}
}
