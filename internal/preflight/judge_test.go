// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/enforcement"
)

var (
	began     = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	forbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "", errors.New("no right"))
	refused   = apierrors.NewUnauthorized("Unauthorized")
	errDown   = errors.New("connection refused")
)

// verdict is what a finding is to be: its result, a part of its message, and a part of what to do.
type verdict struct {
	result       Result
	message, fix string
}

func (v verdict) check(t *testing.T, f Finding) {
	t.Helper()
	if f.Result != v.result || !strings.Contains(f.Message, v.message) || !strings.Contains(f.Fix, v.fix) || (v.fix == "") != (f.Fix == "") {
		t.Errorf("%s: %q -> %q\nwant %s: %q -> %q", f.Result, f.Message, f.Fix, v.result, v.message, v.fix)
	}
}

func TestServerVersion(t *testing.T) {
	of := func(minor, git string) serverLook {
		return serverLook{version: version.Info{Major: "1", Minor: minor, GitVersion: git}}
	}
	for name, test := range map[string]struct {
		look serverLook
		want verdict
	}{
		"a tested one":          {of("36", "v1.36.3"), verdict{OK, "v1.36.3 at https://a", ""}},
		"a provider's":          {of("35+", "v1.35.4-eks-1"), verdict{OK, "v1.35.4-eks-1", ""}},
		"the oldest":            {of("32", "v1.32.0"), verdict{Warn, "tested on 1.35 to 1.37", ""}},
		"a newer one":           {of("38", "v1.38.0"), verdict{Warn, "tested on 1.35 to 1.37", ""}},
		"one that is too old":   {of("31", "v1.31.9"), verdict{Fail, "needs Kubernetes 1.32", "update the cluster"}},
		"one of another kind":   {serverLook{version: version.Info{Major: "2", Minor: "0", GitVersion: "v2.0.0"}}, verdict{Warn, "not known", ""}},
		"one that is not there": {serverLook{err: errDown}, verdict{Fail, "https://a was not reached: connection refused", "--server"}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.look.judge("https://a")) })
	}
}

func TestClock(t *testing.T) {
	for name, test := range map[string]struct {
		date time.Time
		want verdict
	}{
		"none":                       {time.Time{}, verdict{Skip, "tells no time", ""}},
		"the same second":            {began, verdict{OK, "agree", ""}},
		"as far as the answer takes": {began.Add(time.Second), verdict{OK, "agree", ""}},
		"a little behind":            {began.Add(-31 * time.Second), verdict{Warn, "30s behind", "NTP"}},
		"a little ahead":             {began.Add(32 * time.Second), verdict{Warn, "30s ahead of", "NTP"}},
		"far behind":                 {began.Add(-time.Hour), verdict{Fail, "59m59s behind", "NTP"}},
		"far ahead":                  {began.Add(time.Hour), verdict{Fail, "59m58s ahead of", "NTP"}},
	} {
		t.Run(name, func(t *testing.T) {
			look := serverLook{date: test.date, asked: began, answered: began.Add(2 * time.Second)}
			test.want.check(t, judgeClock(look.skew()))
		})
	}
}

func TestOperator(t *testing.T) {
	installed := func(change func(*operatorLook)) operatorLook {
		look := operatorLook{crd: true, account: true, accountKnown: true, arguments: []string{}, wanted: 2, available: 2}
		change(&look)
		return look
	}
	for name, test := range map[string]struct {
		look      operatorLook
		installed bool
		want      verdict
	}{
		"nothing":                      {operatorLook{accountKnown: true}, false, verdict{OK, "not installed yet", ""}},
		"all":                          {installed(func(*operatorLook) {}), true, verdict{OK, "2 replicas available", ""}},
		"one replica":                  {installed(func(l *operatorLook) { l.available = 1 }), true, verdict{Warn, "1 of 2", "get pods"}},
		"no replica":                   {installed(func(l *operatorLook) { l.available = 0 }), true, verdict{Fail, "none of 2", "kubectl logs -n there"}},
		"scaled to none":               {installed(func(l *operatorLook) { l.available, l.wanted = 0, 0 }), true, verdict{OK, "0 replicas", ""}},
		"a Deployment that is hidden":  {installed(func(l *operatorLook) { l.arguments = nil }), true, verdict{OK, "installed", ""}},
		"arguments of another version": {installed(func(l *operatorLook) { l.settingsErr = errDown }), true, verdict{Warn, "another version", ""}},
		"the CRD alone":                {operatorLook{crd: true, accountKnown: true}, false, verdict{OK, "the operator is not", "--namespace"}},
		"the CRD, the rest hidden":     {operatorLook{crd: true}, true, verdict{OK, "installed", ""}},
		"no CRD":                       {operatorLook{account: true, accountKnown: true}, false, verdict{Fail, "the CRD is not", "config/crd"}},
		"no answer":                    {operatorLook{err: errDown}, false, verdict{Fail, "connection refused", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.check(t, test.look.judge("there", "operator"))
			if test.look.installed() != test.installed {
				t.Errorf("installed: %t", test.look.installed())
			}
		})
	}
}

func TestCaller(t *testing.T) {
	for name, test := range map[string]struct {
		look callerLook
		want verdict
	}{
		"an administrator":         {callerLook{user: authenticationv1.UserInfo{Username: "kubernetes-admin"}}, verdict{OK, "looks as kubernetes-admin", ""}},
		"the operator":             {callerLook{user: authenticationv1.UserInfo{Username: "o"}}, verdict{OK, "the operator itself", ""}},
		"nobody":                   {callerLook{err: refused}, verdict{Fail, "does not know the caller", "renew"}},
		"one who may not even ask": {callerLook{err: forbidden}, verdict{Warn, "does not say", ""}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.look.judge("o")) })
	}
}

// certificateOf is one as the signer of Kubernetes makes it.
func certificateOf(lifetime, backdated time.Duration) *certificate.Issued {
	return &certificate.Issued{Certificate: &x509.Certificate{
		NotBefore: began.Add(-backdated), NotAfter: began.Add(lifetime), Issuer: pkix.Name{CommonName: "ca"},
	}}
}

func signed(asked, lifetime, backdated time.Duration) signing {
	return signing{stage: issued, signer: "s", asked: asked, created: began, issued: certificateOf(lifetime, backdated)}
}

func TestSigner(t *testing.T) {
	for name, test := range map[string]struct {
		look signing
		want verdict
	}{
		"signs":                     {signed(shortest, shortest, 5*time.Minute), verdict{OK, `"s" signs; issuer "CN=ca"`, ""}},
		"approved by somebody else": {signing{stage: issued, signer: "s", issued: certificateOf(1, 1), approver: "AutoApproved"}, verdict{Warn, "(AutoApproved)", "what approves"}},
		"issues something else":     {signing{stage: issued, signer: "s", unlike: errors.New("another key")}, verdict{Fail, "another key", "--signer"}},
		"may not be asked":          {signing{stage: notCreated, signer: "s", err: forbidden}, verdict{Fail, "cannot be made", "create, get, list, watch and delete"}},
		"refused at creation":       {signing{stage: notCreated, signer: "s", err: errDown}, verdict{Fail, "cannot be made", ""}},
		"may not be approved":       {signing{stage: notApproved, signer: "s", err: forbidden}, verdict{Fail, "cannot be approved", "resourceNames: [s], verbs: [approve]"}},
		"denied":                    {signing{stage: denied, signer: "s", reason: "Policy", message: "not here"}, verdict{Fail, "(Policy): not here", "let the operator's requests through"}},
		"refused by the signer":     {signing{stage: failed, signer: "s", reason: "SignerValidationFailure", message: "m"}, verdict{Fail, "(SignerValidationFailure): m", "--signer"}},
		"deleted by somebody":       {signing{stage: gone, signer: "s"}, verdict{Fail, "somebody deleted the request", "leave the operator's requests alone"}},
		"nobody signs, as on EKS":   {signing{stage: unfinished, signer: "s", patience: 30 * time.Second}, verdict{Fail, "no certificate after 30s (EKS never", "docs/clusters.md"}},
		"cannot be followed":        {signing{stage: unfinished, signer: "s", err: forbidden}, verdict{Fail, "cannot be followed", "give the caller get"}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.look.judgeSigner()) })
	}
}

func TestLifetimes(t *testing.T) {
	const day, minutes = 24 * time.Hour, 5 * time.Minute
	for name, test := range map[string]struct {
		got  Finding
		want verdict
	}{
		"what was asked for":         {signed(shortest, shortest, minutes).judgeShortest(), verdict{OK, "asked for 10m, issued 10m, valid from 5m before", ""}},
		"always thirty days":         {signed(shortest, 30*day, minutes).judgeShortest(), verdict{Warn, "issued 30 days: the signer does not heed", "accessUntil"}},
		"not backdated":              {signed(shortest, shortest, 0).judgeShortest(), verdict{Warn, "valid from 0s before the request: clients", ""}},
		"from later on":              {signed(shortest, shortest, -20*time.Second).judgeShortest(), verdict{Warn, "valid from -20s before", ""}},
		"a year":                     {signed(far, 365*day-minutes, minutes).judgeLongest(), verdict{OK, "asked for 3650 days, issued 365 days", ""}},
		"exactly the default ttl":    {signed(far, 90*day-minutes, minutes).judgeLongest(), verdict{OK, "issued 90 days", ""}},
		"thirty days":                {signed(far, 30*day-minutes, minutes).judgeLongest(), verdict{Warn, "issued 30 days: that is less than the default ttl of 90 days", "--max-ttl=720h,"}},
		"an hour":                    {signed(far, time.Hour, minutes).judgeLongest(), verdict{Warn, "issued 1h", "--max-ttl=1h,"}},
		"hours and minutes":          {signed(far, 90*time.Minute, minutes).judgeLongest(), verdict{Warn, "issued 1h30m", "--max-ttl=1h,"}},
		"days and hours":             {signed(far, 15*day+7*time.Hour, minutes).judgeLongest(), verdict{Warn, "issued 15 days 7h", "--max-ttl=367h,"}},
		"less than can be asked for": {signed(far, 3*time.Minute, minutes).judgeLongest(), verdict{Fail, "issued 3m", "docs/clusters.md"}},
		"a policy against long ones": {signing{stage: denied, asked: far, signer: "s", reason: "TooLong"}.judgeLongest(), verdict{Warn, "not known: asked for 3650 days", ""}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.got) })
	}
}

func TestAuthentication(t *testing.T) {
	us := authenticationv1.UserInfo{Username: checkUser, Groups: []string{checkGroup, authenticated}}
	asking := &handshake{asksForCertificate: true}
	for name, test := range map[string]struct {
		look proofs
		want verdict
	}{
		"as the user and the group":    {proofs{user: us, tries: 3}, verdict{OK, "in 3 tries of 3", ""}},
		"without the group":            {proofs{user: authenticationv1.UserInfo{Username: checkUser, Groups: []string{authenticated}}, tls: asking}, verdict{Fail, "for user", "logs in"}},
		"not as everybody":             {proofs{user: authenticationv1.UserInfo{Username: checkUser, Groups: []string{checkGroup}}, tls: asking}, verdict{Fail, "for user", "logs in"}},
		"as nobody":                    {proofs{user: authenticationv1.UserInfo{Username: "system:anonymous"}, tls: asking}, verdict{Fail, "system:anonymous", "logs in"}},
		"through what ends TLS":        {proofs{err: refused, tls: &handshake{}}, verdict{Fail, "something before the API server ends TLS", "--kubeconfig-server"}},
		"a CA that is not known":       {proofs{err: refused, tls: asking, signer: "s", issuer: "CN=ca"}, verdict{Fail, `of signer "s" (issuer "CN=ca")`, "--client-ca-file"}},
		"one who may not ask":          {proofs{err: apierrors.NewForbidden(schema.GroupResource{}, "", errors.New(`User "`+checkUser+`" cannot`)), tls: asking}, verdict{Fail, "takes the certificate, and", "system:basic-user"}},
		"a server that is not trusted": {proofs{err: x509.UnknownAuthorityError{}, tls: asking}, verdict{Fail, "not trusted", "kubeconfig-ca"}},
		"no answer":                    {proofs{err: errDown, number: 2, tls: &handshake{err: errDown}}, verdict{Fail, "did not answer, in try 2", ""}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.look.judge()) })
	}
}

func TestEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		look endpointLook
		want verdict
	}{
		"by the flag":         {endpointLook{Endpoint: cluster.Endpoint{Server: "https://a", Source: v1alpha1.ServerFromFlag}}, verdict{OK, "https://a (from --kubeconfig-server, here)", ""}},
		"by cluster-info":     {endpointLook{Endpoint: cluster.Endpoint{Server: "https://a", Source: v1alpha1.ServerFromClusterInfo}}, verdict{OK, "(from ConfigMap kube-public/cluster-info)", ""}},
		"not at all":          {endpointLook{here: "https://b"}, verdict{Fail, "nothing tells", "--kubeconfig-server=https://b, and"}},
		"not at all in a pod": {endpointLook{}, verdict{Fail, "nothing tells", "--kubeconfig-server=https://<address"}},
		"no https":            {endpointLook{Endpoint: cluster.Endpoint{Server: "http://a"}}, verdict{Fail, "no https://", "correct it"}},
		"unreadable":          {endpointLook{err: cluster.ErrClusterInfo}, verdict{Fail, "cluster-info: key kubeconfig cannot be read", "correct it"}},
		"not to be read":      {endpointLook{err: forbidden}, verdict{Fail, "cannot be read", "config/rbac"}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.look.judge("here")) })
	}
}

func TestEndpointCA(t *testing.T) {
	server := &handshake{chain: []*x509.Certificate{{Issuer: pkix.Name{CommonName: "public"}}}}
	untrusted := error(x509.UnknownAuthorityError{})
	for name, test := range map[string]struct {
		look                *handshake
		ca                  string
		untrusted, publicly error
		want                verdict
	}{
		"verifies":                 {server, "", nil, untrusted, verdict{OK, "verifies https://a (SHA-256 none", ""}},
		"not reached":              {&handshake{err: errDown}, "", nil, nil, verdict{Warn, "not reached from here", "where clients are"}},
		"another name":             {server, "", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "a"}, untrusted, verdict{Fail, "for another name", "add that name"}},
		"a CA that all trust":      {server, "", untrusted, nil, verdict{Fail, `of "CN=public", which this machine trusts`, "--kubeconfig-certificate-authority"}},
		"another CA":               {server, "", untrusted, untrusted, verdict{Fail, `certificate is of "CN=public"`, "--kubeconfig-certificate-authority"}},
		"a bundle that is damaged": {server, "-----BEGIN CERTIFICATE-----\n", untrusted, untrusted, verdict{Fail, "cannot be used", "--kubeconfig-certificate-authority"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.check(t, test.look.judgeCA(cluster.Endpoint{Server: "https://a", CA: []byte(test.ca)}, test.untrusted, test.publicly))
		})
	}
}

func TestAdmission(t *testing.T) {
	configured := func(d dryRun) admissionLook { return admissionLook{dryRun: d, configured: true, trusted: true} }
	refused := apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New(`admission webhook "identities.clientidentity.dev" denied the request: no`))
	noCreate := apierrors.NewForbidden(schema.GroupResource{Resource: "clientidentities"}, "x", errors.New("User cannot create resource"))
	for name, test := range map[string]struct {
		look      admissionLook
		installed bool
		want      verdict
	}{
		"it warns":                   {configured(dryRun{warnings: []string{"other", "spec.ttl is over 90 days"}}), true, verdict{OK, "answers", ""}},
		"it refuses":                 {configured(dryRun{err: refused}), true, verdict{OK, "refuses what the caller may not give", ""}},
		"something else refuses":     {configured(dryRun{err: forbidden}), true, verdict{Skip, "was not seen to answer", "look again"}},
		"it need not answer":         {admissionLook{configured: true, trusted: true, open: true}, true, verdict{Fail, "where the webhook does not answer", "failurePolicy: Fail"}},
		"it is down":                 {configured(dryRun{err: errDown}), true, verdict{Fail, "does not answer", "kubectl get endpointslices -n there"}},
		"it has no CA yet":           {admissionLook{configured: true, dryRun: dryRun{err: errDown}}, true, verdict{Fail, "no CA yet", "rollout status -n there"}},
		"it is not there":            {admissionLook{}, true, verdict{Fail, "whoever may create identities can become anybody", "config/default"}},
		"the CRD alone":              {admissionLook{}, false, verdict{Warn, "nobody checks who creates identities", "who wrote which identity"}},
		"after an uninstall":         {configured(dryRun{err: errDown}), false, verdict{Skip, "not installed yet", ""}},
		"it was not asked":           {configured(dryRun{}), true, verdict{Fail, "was not asked", "config/default"}},
		"the caller may create none": {configured(dryRun{err: noCreate}), true, verdict{OK, "was not tried", ""}},
		"nor see what is configured": {admissionLook{configurationErr: forbidden, dryRun: dryRun{err: noCreate}}, true, verdict{Skip, "may create no identity", "administrator"}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.look.judge(test.installed, "there")) })
	}
	policy := errors.New("ValidatingAdmissionPolicy 'client-identity-operator-no-orphans' denied")
	for name, test := range map[string]struct {
		err       error
		installed bool
		want      verdict
	}{
		"the policy refuses":           {policy, true, verdict{OK, "refuse what they are to", ""}},
		"it is not there":              {nil, true, verdict{Fail, "was admitted", "config/policy"}},
		"the CRD alone":                {nil, false, verdict{Skip, "not installed", ""}},
		"the caller may create none":   {noCreate, true, verdict{Skip, "not tried", "administrator"}},
		"something else is in the way": {errDown, true, verdict{Skip, "connection refused", ""}},
	} {
		t.Run("policies: "+name, func(t *testing.T) { test.want.check(t, dryRun{err: test.err}.judgePolicies(test.installed)) })
	}
}

func TestDenial(t *testing.T) {
	through := enforcement.Found{LetThrough: true}
	for name, test := range map[string]struct {
		got  Finding
		want verdict
	}{
		"on":                  {judgeDenial(enforcement.Found{}, nil, 5, true), verdict{OK, "in 5 tries of 5", ""}},
		"off":                 {judgeDenial(through, nil, 5, false), verdict{Off, "does not deny", "docs/guides/deny.md"}},
		"off where it has to": {judgeDenial(through, nil, 5, true), verdict{Fail, "does not deny", "docs/guides/deny.md"}},
		"not to be tried":     {judgeDenial(enforcement.Found{}, errDown, 5, false), verdict{Fail, "cannot be tried", ""}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.got) })
	}
}
