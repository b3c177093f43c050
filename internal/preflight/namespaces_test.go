// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import "testing"

func TestNamespaces(t *testing.T) {
	const secrets = shippedSecretNamespace
	for name, test := range map[string]struct {
		got  Finding
		want verdict
	}{
		"they are there":            {judgeSecretNamespaces([]namespaceLook{{name: "a"}, {name: "b"}}, true), verdict{OK, "a, b", ""}},
		"the installation makes it": {judgeSecretNamespaces([]namespaceLook{{name: secrets, missing: true}}, false), verdict{OK, "the installation makes " + secrets, ""}},
		"nobody makes it":           {judgeSecretNamespaces([]namespaceLook{{name: "a", missing: true}}, false), verdict{Fail, "does not exist", "kubectl create namespace a"}},
		"it was deleted":            {judgeSecretNamespaces([]namespaceLook{{name: secrets, missing: true}}, true), verdict{Fail, "does not exist", "kubectl create namespace"}},
		"it is being deleted":       {judgeSecretNamespaces([]namespaceLook{{name: "a", terminating: true}}, true), verdict{Fail, "being deleted", "wait"}},
		"it is not to be seen":      {judgeSecretNamespaces([]namespaceLook{{name: "a", err: forbidden}}, true), verdict{Skip, "may not see", ""}},
		"no answer":                 {judgeSecretNamespaces([]namespaceLook{{name: "a", err: errDown}}, true), verdict{Fail, "connection refused", ""}},
		"restricted":                {namespaceLook{name: "a", enforces: "restricted"}.judgePodSecurity(true), verdict{OK, "restricted", ""}},
		"baseline":                  {namespaceLook{name: "a", enforces: "baseline"}.judgePodSecurity(true), verdict{Warn, "enforces baseline", "kubectl label namespace a pod-security.kubernetes.io/enforce=restricted"}},
		"nothing":                   {namespaceLook{name: "a"}.judgePodSecurity(true), verdict{Warn, "enforces nothing", "kubectl label"}},
		"not there yet":             {namespaceLook{name: "a", missing: true}.judgePodSecurity(false), verdict{OK, "the installation makes", ""}},
		"somewhere else":            {namespaceLook{name: "a", missing: true}.judgePodSecurity(true), verdict{Skip, "does not exist", "--namespace"}},
		"the operator's is deleted": {namespaceLook{name: "a", terminating: true}.judgePodSecurity(true), verdict{Fail, "being deleted", "wait"}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.got) })
	}
}
