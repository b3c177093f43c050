// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/config"
)

func rightsAt(t *testing.T, at place) []string {
	t.Helper()
	rights, err := operatorRights(config.Manifests, at)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, right := range rights {
		all = append(all, right.String())
	}
	return all
}

func TestTheOperatorsRightsAreThoseOfTheManifestsAtItsOwnPlace(t *testing.T) {
	shipped := rightsAt(t, place{shippedNamespace, []string{shippedSecretNamespace}, []string{shippedSigner}})
	moved := rightsAt(t, place{"elsewhere", []string{"a", "b"}, []string{"example.com/clients", "example.com/others"}})
	everyNamespace := rightsAt(t, place{shippedNamespace, []string{everywhere}, []string{shippedSigner}})
	for name, test := range map[string]struct {
		rights      []string
		has, hasNot string
	}{
		"approve for the signer":          {shipped, "approve signers.certificates.k8s.io kubernetes.io/kube-apiserver-client", "approve signers.certificates.k8s.io"},
		"a subresource":                   {shipped, "update certificatesigningrequests.certificates.k8s.io/approval", ""},
		"Secrets where they are":          {shipped, "create secrets in client-identities", "create secrets"},
		"bind":                            {shipped, "bind clusterroles.rbac.authorization.k8s.io", ""},
		"the lease where the operator is": {moved, "create leases.coordination.k8s.io in elsewhere", "create leases.coordination.k8s.io in " + shippedNamespace},
		"the first namespace":             {moved, "create secrets in a", "create secrets in client-identities"},
		"the second namespace":            {moved, "create secrets in b", ""},
		"another signer":                  {moved, "approve signers.certificates.k8s.io example.com/clients", "approve signers.certificates.k8s.io " + shippedSigner},
		"a second signer":                 {moved, "approve signers.certificates.k8s.io example.com/others", ""},
		"all namespaces":                  {everyNamespace, "create secrets", "create secrets in client-identities"},
		"what is not the operator's":      {shipped, "get configmaps cluster-info in kube-public", "get configmaps"},
	} {
		t.Run(name, func(t *testing.T) {
			if !slices.Contains(test.rights, test.has) {
				t.Errorf("%q is not among %q", test.has, test.rights)
			}
			if slices.Contains(test.rights, test.hasNot) {
				t.Errorf("%q is among them", test.hasNot)
			}
		})
	}
}

// A role that nobody binds gives the operator nothing.
func TestWhatPeopleMayDoIsNoneOfTheOperatorsRights(t *testing.T) {
	for _, right := range rightsAt(t, place{shippedNamespace, []string{shippedSecretNamespace}, []string{shippedSigner}}) {
		if right == "create clientidentities.clientidentity.dev" {
			t.Errorf("the operator does not %s", right)
		}
	}
}

func TestWhatAnInstallationTakesIsInTheManifests(t *testing.T) {
	rights, err := installRights(config.Manifests, place{"elsewhere", []string{"a"}, []string{shippedSigner}})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, right := range rights {
		all = append(all, right.String())
	}
	for _, want := range []string{
		"create customresourcedefinitions.apiextensions.k8s.io", "patch clusterroles.rbac.authorization.k8s.io", "get namespaces",
		"create deployments.apps in elsewhere", "create roles.rbac.authorization.k8s.io in a", "create rolebindings.rbac.authorization.k8s.io in kube-system",
		"create validatingwebhookconfigurations.admissionregistration.k8s.io", "create validatingadmissionpolicies.admissionregistration.k8s.io",
		"create validatingadmissionpolicybindings.admissionregistration.k8s.io", "create poddisruptionbudgets.policy in elsewhere",
	} {
		if !slices.Contains(all, want) {
			t.Errorf("%q is missing: %q", want, all)
		}
	}
}

func TestRights(t *testing.T) {
	secrets := Right{Namespace: shippedSecretNamespace, Resource: "secrets", Verb: "create"}
	bind := Right{APIGroup: "rbac.authorization.k8s.io", Resource: "roles", Verb: "bind"}
	named := Right{APIGroup: "certificates.k8s.io", Resource: "signers", Name: "s", Verb: "approve"}
	teams := Right{Namespace: "team-a", Resource: "secrets", Verb: "create"}
	for name, test := range map[string]struct {
		look    rightsLook
		want    verdict
		details []string
	}{
		"all":         {rightsLook{whose: "o", wanted: 2}, verdict{OK, "o has its 2 rights", ""}, nil},
		"one missing": {rightsLook{whose: "o", wanted: 2, missing: []Right{named}}, verdict{Fail, "o misses 1 right of 2", `a ClusterRole with the rule {apiGroups: ["certificates.k8s.io"], resources: ["signers"], verbs: ["approve"], resourceNames: ["s"]}`}, []string{"approve signers.certificates.k8s.io s"}},
		"in a namespace": {rightsLook{whose: "o", wanted: 2, missing: []Right{secrets, named}}, verdict{Fail, "misses 2 rights", `a Role in client-identities with the rule {apiGroups: [""], resources: ["secrets"], verbs: ["create"]}`},
			[]string{"create secrets in client-identities", "approve signers.certificates.k8s.io s"}},
		"in a namespace of one's own": {rightsLook{whose: "o", wanted: 1, missing: []Right{teams}}, verdict{Fail, "misses", "config/overlays/secret-namespace"}, []string{"create secrets in team-a"}},
		"bind is narrowed":            {rightsLook{whose: "o", wanted: 3, missing: []Right{bind}}, verdict{Warn, "its 2 rights, but for binding any role", "narrowed-bind"}, nil},
		"not to be asked":             {rightsLook{err: forbidden}, verdict{Skip, "may not ask", "as an administrator"}, nil},
		"no answer":                   {rightsLook{whose: "o", err: errDown}, verdict{Fail, "what o may do", ""}, nil},
		"to install":                  {rightsLook{whose: "i", wanted: 9, installing: true}, verdict{OK, "i has the 9 rights", ""}, nil},
		"to install, and missing":     {rightsLook{whose: "i", wanted: 9, installing: true, missing: []Right{bind}}, verdict{Fail, "i misses 1 right of the 9", "cluster-admin"}, []string{"bind roles.rbac.authorization.k8s.io"}},
		"to give":                     {rightsLook{whose: "i", installing: true, grants: []Right{secrets}}, verdict{Fail, "may not give the operator 1 right", "cluster-admin"}, []string{"create secrets in client-identities"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.look.judge([]string{shippedSecretNamespace, "team-a"})
			test.want.check(t, got)
			if diff := cmp.Diff(test.details, got.Details); diff != "" {
				t.Error(diff)
			}
		})
	}
	many := slices.Repeat([]Right{secrets}, mostDetails+3)
	if details := (Finding{}).details(many).Details; len(details) != mostDetails+1 || details[mostDetails] != "and 3 more: -o json names them" {
		t.Errorf("%d lines, the last %q", len(details), details[len(details)-1])
	}
}

// Programs read it: what is there stays.
func TestTheReportAsPrograms(t *testing.T) {
	yes, no, skew, backdated := true, false, 1.5, int64(300)
	report := newReport(Options{Version: "v0.2.0"})
	report.Facts = Facts{
		APIServer: APIServerFacts{URL: "https://a:6443", Version: "v1.36.3"}, Caller: "admin", Installed: &no, ClockSkewSeconds: &skew,
		Signer:     SignerFacts{Name: "s", Signs: &yes, Issuer: "CN=ca", MaxLifetimeSeconds: 31535700, MinLifetimeSeconds: 600, BackdatedSeconds: &backdated, Authenticates: &yes},
		Kubeconfig: EndpointFacts{Server: "https://a:6443", Source: "ClusterInfo", CAFingerprints: []string{"00ff"}, Authenticates: &yes}, Denial: "off",
		MissingRights: []Right{{Namespace: "n", APIGroup: "g", Resource: "r/s", Name: "x", Verb: "get"}, {APIGroup: "", Resource: "r", Verb: "list"}},
	}
	report.add(Finding{Name: "signer", Result: OK, Message: "signs <well>"})
	report.add(Finding{Name: "rights", Result: Fail, Message: "misses", Fix: "give", Details: []string{"get r"}})
	report.conclude()
	var out bytes.Buffer
	if err := PrintJSON(&out, report); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "apiVersion": "preflight.clientidentity.dev/v1", "kind": "PreflightReport", "operatorVersion": "v0.2.0", "result": "fail",
  "facts": {
    "apiServer": {"url": "https://a:6443", "version": "v1.36.3"}, "caller": "admin", "installed": false, "clockSkewSeconds": 1.5,
    "signer": {"name": "s", "signs": true, "issuer": "CN=ca", "maxLifetimeSeconds": 31535700, "minLifetimeSeconds": 600, "backdatedSeconds": 300, "authenticates": true},
    "kubeconfig": {"server": "https://a:6443", "source": "ClusterInfo", "caFingerprints": ["00ff"], "authenticates": true},
    "denial": "off",
    "missingRights": [{"namespace": "n", "apiGroup": "g", "resource": "r/s", "name": "x", "verb": "get"}, {"apiGroup": "", "resource": "r", "verb": "list"}]
  },
  "checks": [
    {"name": "signer", "result": "ok", "message": "signs <well>"},
    {"name": "rights", "result": "fail", "message": "misses", "fix": "give", "details": ["get r"]}
  ]
}`
	var got, wanted any
	if err := errors.Join(json.Unmarshal(out.Bytes(), &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheReportAsPeople(t *testing.T) {
	var out bytes.Buffer
	PrintFinding(&out, Finding{Name: "signer", Result: OK, Message: "signs"})
	PrintFinding(&out, Finding{Name: "rights", Result: Fail, Message: "misses", Fix: "give", Details: []string{"get r"}})
	const want = `ok    signer                     signs
fail  rights                     misses
                                 - get r
                                 -> give
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestAReportConcludes(t *testing.T) {
	for name, test := range map[string]struct {
		findings []Finding
		want     Result
	}{
		"all works":                         {[]Finding{ok(""), warn(""), off(""), skip("not installed yet")}, OK},
		"something does not":                {[]Finding{ok(""), fail("")}, Fail},
		"interrupted, so that nobody knows": {[]Finding{ok(""), skip(interrupted)}, Fail},
	} {
		t.Run(name, func(t *testing.T) {
			report := newReport(Options{})
			for _, f := range test.findings {
				report.add(f)
			}
			if report.conclude(); report.Result != test.want {
				t.Errorf("%s", report.Result)
			}
		})
	}
}

// What others wrote is one line that a terminal takes for text.
func TestWhatOthersWroteIsBounded(t *testing.T) {
	f := fail("denied: %s", "line\n\x1b[31mred"+strings.Repeat("x", 10000)).fix("%s", "a\nb")
	if strings.ContainsAny(f.Message+f.Fix, "\n\x1b") || len(f.Message) > longest {
		t.Errorf("%d bytes: %.80q, %q", len(f.Message), f.Message, f.Fix)
	}
}
