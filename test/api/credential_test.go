// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"
)

// What the API server says.
const (
	labelNames      = "keys must be label names, such as team or example.com/team"
	annotationNames = "keys must be annotation names, such as note or example.com/note"
	ourLabels       = "keys with the prefix clientidentity.dev/ and app.kubernetes.io/managed-by are set by the operator"
	ourAnnotations  = "keys with the prefix clientidentity.dev/ are set by the operator"
	keySize         = "must be 256, 384 or 521 for ECDSA, 2048, 3072 or 4096 for RSA, and not set for Ed25519"
	signerForm      = "must be a domain of two or more labels, a slash and a name in lower case, such as kubernetes.io/kube-apiserver-client"
	noUserSigner    = "this signer signs no client certificates for users: use kubernetes.io/kube-apiserver-client or a signer of your own"
	secretKey       = "must be a key of a Secret other than tls.crt, tls.key and ca.crt"
	clusterSecret   = "must be <cluster>-kubeconfig where format is ClusterAPI, with a cluster name of at most 63 characters"
	serverURL       = "must be an https:// URL such as https://api.example.com:6443, without user, query and fragment"
	proxyURL        = "must be an http://, https:// or socks5:// URL such as http://proxy.example.com:3128"
	base64PEM       = "must be PEM in base64 without line breaks, as base64 -w0 ca.crt prints it"
	tlsName         = "must be a DNS name or an IP address"
	printable       = "must not contain control or invisible formatting characters"
)

func TestPrivateKey(t *testing.T) {
	rules{
		"ECDSA 256":           {`privateKey: {algorithm: ECDSA, size: 256}`, nil},
		"ECDSA 384":           {`privateKey: {algorithm: ECDSA, size: 384}`, nil},
		"ECDSA 521":           {`privateKey: {size: 521}`, nil},
		"RSA 2048":            {`privateKey: {algorithm: RSA, size: 2048}`, nil},
		"RSA 3072":            {`privateKey: {algorithm: RSA, size: 3072}`, nil},
		"RSA 4096":            {`privateKey: {algorithm: RSA, size: 4096}`, nil},
		"RSA":                 {`privateKey: {algorithm: RSA}`, nil},
		"Ed25519":             {`privateKey: {algorithm: Ed25519}`, nil},
		"Never":               {`privateKey: {rotationPolicy: Never}`, nil},
		"ECDSA 2048":          {`privateKey: {algorithm: ECDSA, size: 2048}`, want{broken("spec.privateKey.size", keySize)}},
		"ECDSA 512":           {`privateKey: {size: 512}`, want{broken("spec.privateKey.size", keySize)}},
		"ECDSA 0":             {`privateKey: {size: 0}`, want{broken("spec.privateKey.size", keySize)}},
		"RSA 256":             {`privateKey: {algorithm: RSA, size: 256}`, want{broken("spec.privateKey.size", keySize)}},
		"RSA 1024":            {`privateKey: {algorithm: RSA, size: 1024}`, want{broken("spec.privateKey.size", keySize)}},
		"RSA 8192":            {`privateKey: {algorithm: RSA, size: 8192}`, want{broken("spec.privateKey.size", keySize)}},
		"Ed25519 256":         {`privateKey: {algorithm: Ed25519, size: 256}`, want{broken("spec.privateKey.size", keySize)}},
		"Ed25519 0":           {`privateKey: {algorithm: Ed25519, size: 0}`, want{broken("spec.privateKey.size", keySize)}},
		"a size beyond int32": {`privateKey: {size: 4294967552}`, want{broken("spec.privateKey.size", keySize)}},
		"another algorithm":   {`privateKey: {algorithm: ecdsa}`, want{`spec.privateKey.algorithm: Unsupported value: "ecdsa": supported values: "ECDSA", "RSA", "Ed25519"`}},
		"another policy":      {`privateKey: {rotationPolicy: Sometimes}`, want{`spec.privateKey.rotationPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never"`}},
		"null":                {`privateKey: null`, nil},
	}.check(t)
}

func TestSignerName(t *testing.T) {
	label := strings.Repeat("a", 63)
	domain := strings.Join([]string{label, label, label, label[:61]}, ".") // 253 characters
	rules{
		"of Kubernetes":          {`signerName: kubernetes.io/kube-apiserver-client`, nil},
		"one's own":              {`signerName: signers.example.com/people.v2`, nil},
		"the longest":            {`signerName: ` + domain + `/` + domain + "." + label, nil},
		"too long a domain":      {`signerName: a` + domain + `/x`, want{invalid("spec.signerName", `a`+domain+`/x`, signerForm)}},
		"too long a name":        {`signerName: example.com/a` + domain + "." + label, want{invalid("spec.signerName", `example.com/a`+domain+"."+label, signerForm)}},
		"too long a label":       {`signerName: a` + label + `.com/x`, want{invalid("spec.signerName", `a`+label+`.com/x`, signerForm)}},
		"no domain":              {`signerName: /x`, want{invalid("spec.signerName", "/x", signerForm)}},
		"a domain of one label":  {`signerName: localhost/x`, want{invalid("spec.signerName", "localhost/x", signerForm)}},
		"no name":                {`signerName: example.com/`, want{invalid("spec.signerName", "example.com/", signerForm)}},
		"no slash":               {`signerName: example.com`, want{invalid("spec.signerName", "example.com", signerForm)}},
		"two slashes":            {`signerName: example.com/a/b`, want{invalid("spec.signerName", "example.com/a/b", signerForm)}},
		"capitals in the domain": {`signerName: Example.com/x`, want{invalid("spec.signerName", "Example.com/x", signerForm)}},
		"capitals in the name":   {`signerName: example.com/X`, want{invalid("spec.signerName", "example.com/X", signerForm)}},
		"an underscore":          {`signerName: example.com/a_b`, want{invalid("spec.signerName", "example.com/a_b", signerForm)}},
		"a wildcard":             {`signerName: example.com/*`, want{invalid("spec.signerName", "example.com/*", signerForm)}},
		"a point at the end":     {`signerName: example.com/a.`, want{invalid("spec.signerName", "example.com/a.", signerForm)}},
		"empty":                  {`signerName: ""`, want{invalid("spec.signerName", "", signerForm)}},
		"of kubelets":            {`signerName: kubernetes.io/kube-apiserver-client-kubelet`, want{invalid("spec.signerName", "kubernetes.io/kube-apiserver-client-kubelet", noUserSigner)}},
		"of kubelets' servers":   {`signerName: kubernetes.io/kubelet-serving`, want{invalid("spec.signerName", "kubernetes.io/kubelet-serving", noUserSigner)}},
		"legacy":                 {`signerName: kubernetes.io/legacy-unknown`, want{invalid("spec.signerName", "kubernetes.io/legacy-unknown", noUserSigner)}},
	}.check(t)
}

func TestSecret(t *testing.T) {
	rules{
		"named":                                {`secret: {namespace: a, name: b.c-d}`, nil},
		"a name of 253 characters":             {`secret: {name: ` + strings.Repeat("a", 253) + `}`, nil},
		"a name of 254 characters":             {`secret: {name: ` + strings.Repeat("a", 254) + `}`, want{`spec.secret.name: Too long: may not be more than 253 bytes`}},
		"an empty name":                        {`secret: {name: ""}`, want{`spec.secret.name: Invalid value: "": spec.secret.name in body should be at least 1 chars long`}},
		"a name with a capital":                {`secret: {name: Alice}`, want{`spec.secret.name: Invalid value: "Alice": spec.secret.name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'`}},
		"a name with a slash":                  {`secret: {name: a/b}`, want{`spec.secret.name: Invalid value: "a/b": spec.secret.name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'`}},
		"an empty namespace":                   {`secret: {namespace: ""}`, want{`spec.secret.namespace: Invalid value: "": spec.secret.namespace in body should be at least 1 chars long`}},
		"a namespace of two labels":            {`secret: {namespace: a.b}`, want{`spec.secret.namespace: Invalid value: "a.b": spec.secret.namespace in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'`}},
		"a key":                                {`secret: {kubeconfigKey: value}`, nil},
		"a key with points":                    {`secret: {kubeconfigKey: .kube_Config-1}`, nil},
		"key tls.crt":                          {`secret: {kubeconfigKey: tls.crt}`, want{invalid("spec.secret.kubeconfigKey", "tls.crt", secretKey)}},
		"key tls.key":                          {`secret: {kubeconfigKey: tls.key}`, want{invalid("spec.secret.kubeconfigKey", "tls.key", secretKey)}},
		"key ca.crt":                           {`secret: {kubeconfigKey: ca.crt}`, want{invalid("spec.secret.kubeconfigKey", "ca.crt", secretKey)}},
		"key .":                                {`secret: {kubeconfigKey: .}`, want{invalid("spec.secret.kubeconfigKey", ".", secretKey)}},
		"key ..":                               {`secret: {kubeconfigKey: ..}`, want{invalid("spec.secret.kubeconfigKey", "..", secretKey)}},
		"key ..data":                           {`secret: {kubeconfigKey: ..data}`, want{invalid("spec.secret.kubeconfigKey", "..data", secretKey)}},
		"key with a slash":                     {`secret: {kubeconfigKey: a/b}`, want{`spec.secret.kubeconfigKey: Invalid value: "a/b": spec.secret.kubeconfigKey in body should match '^[-._a-zA-Z0-9]+$'`}},
		"a format":                             {`secret: {format: ArgoCDCluster}`, nil},
		"a format of no tool":                  {`secret: {format: Other}`, want{`spec.secret.format: Unsupported value: "Other": supported values: "Kubeconfig", "ArgoCDCluster", "ClusterAPI"`}},
		"a key that Argo CD reads":             {`secret: {kubeconfigKey: config}`, nil},
		"a key that Argo CD reads, as its":     {`secret: {format: ArgoCDCluster, kubeconfigKey: config}`, want{"spec.secret.kubeconfigKey: Invalid value: must be none of the keys that Argo CD reads (name, server, config, namespaces, clusterResources, project, shard) where format is ArgoCDCluster"}},
		"the kubeconfig of a cluster":          {`secret: {format: ClusterAPI, name: production-kubeconfig, kubeconfigKey: value}`, nil},
		"the kubeconfig of no cluster":         {`secret: {format: ClusterAPI, name: production}`, want{"spec.secret.name: Invalid value: " + clusterSecret}},
		"the kubeconfig of a long name":        {`secret: {format: ClusterAPI, name: ` + strings.Repeat("a", 64) + `-kubeconfig}`, want{"spec.secret.name: Invalid value: " + clusterSecret}},
		"the kubeconfig of a name that ends -": {`secret: {format: ClusterAPI, name: a--kubeconfig}`, want{"spec.secret.name: Invalid value: " + clusterSecret}},
		"an empty key":                         {`secret: {kubeconfigKey: ""}`, want{`spec.secret.kubeconfigKey: Invalid value: "": spec.secret.kubeconfigKey in body should be at least 1 chars long`}},
		"labels":                               {`secret: {labels: {team: a, example.com/x: "", my.clientidentity.dev/x: a}}`, nil},
		"33 labels":                            {`secret: {labels: {` + repeated(33, `l%d: a`) + `}}`, want{`spec.secret.labels: Too many: 33: must have at most 32 items`}},
		"our prefix in a label":                {`secret: {labels: {clientidentity.dev/identity: bob}}`, want{broken("spec.secret.labels", ourLabels)}},
		"our prefix in capitals in a label":    {`secret: {labels: {ClientIdentity.dev/identity: bob}}`, want{broken("spec.secret.labels", labelNames)}},
		"the manager's label":                  {`secret: {labels: {app.kubernetes.io/managed-by: helm}}`, want{broken("spec.secret.labels", ourLabels)}},
		"a label key that is none":             {`secret: {labels: {"a b": c}}`, want{broken("spec.secret.labels", labelNames)}},
		"an empty label key":                   {`secret: {labels: {"": c}}`, want{broken("spec.secret.labels", labelNames)}},
		"a label value that is none":           {`secret: {labels: {a: "b c"}}`, want{`spec.secret.labels.a: Invalid value: "b c": spec.secret.labels.a in body should match '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'`}},
		"a label value of 64 characters":       {`secret: {labels: {a: ` + strings.Repeat("b", 64) + `}}`, want{`spec.secret.labels.a: Too long: may not be more than 63 bytes`}},
		"annotations":                          {`secret: {annotations: {Note: "any text\n", Example.com/Note: ""}}`, nil},
		"33 annotations":                       {`secret: {annotations: {` + repeated(33, `l%d: a`) + `}}`, want{`spec.secret.annotations: Too many: 33: must have at most 32 items`}},
		"an annotation of 4097 characters":     {`secret: {annotations: {a: ` + strings.Repeat("b", 4097) + `}}`, want{`spec.secret.annotations.a: Too long: may not be more than 4096 bytes`}},
		"our prefix in an annotation":          {`secret: {annotations: {clientidentity.dev/request-hash: x}}`, want{broken("spec.secret.annotations", ourAnnotations)}},
		"our prefix in capitals there":         {`secret: {annotations: {CLIENTIDENTITY.dev/request-hash: x}}`, want{broken("spec.secret.annotations", ourAnnotations)}},
		"our prefix in other letters (Kelvin)": {`secret: {annotations: {"\u212A.dev/x": x}}`, want{broken("spec.secret.annotations", annotationNames)}},
		"an annotation key that is none":       {`secret: {annotations: {a/b/c: x}}`, want{broken("spec.secret.annotations", annotationNames)}},
		"holderCanRead":                        {`{bindTo: Credential, secret: {holderCanRead: true}}`, nil},
		"holderCanRead off":                    {`secret: {holderCanRead: false}`, nil},
		"holderCanRead and Username":           {`secret: {holderCanRead: true}`, want{`spec.secret.holderCanRead: Invalid value: requires bindTo: Credential, so that a revoked copy cannot fetch the next kubeconfig`}},
	}.check(t)
}

func TestKubeconfig(t *testing.T) {
	rules{
		"all": {`kubeconfig: {server: "https://api.example.com:6443/path", certificateAuthorityData: Q0E=, tlsServerName: api.internal,
			proxyURL: "http://user:pass@proxy:3128", clusterName: prod, contextName: alice@prod, namespace: development}`, nil},
		"all empty":                  {`kubeconfig: {server: "", tlsServerName: "", proxyURL: "", clusterName: "", contextName: "", namespace: ""}`, nil},
		"an IPv6 address":            {`kubeconfig: {server: "https://[fd00::1]:6443"}`, nil},
		"HTTPS":                      {`kubeconfig: {server: "HTTPS://api"}`, nil},
		"http":                       {`kubeconfig: {server: "http://api.example.com"}`, want{invalid("spec.kubeconfig.server", "http://api.example.com", serverURL)}},
		"no scheme":                  {`kubeconfig: {server: api.example.com:6443}`, want{invalid("spec.kubeconfig.server", "api.example.com:6443", serverURL)}},
		"no host":                    {`kubeconfig: {server: "https://"}`, want{invalid("spec.kubeconfig.server", "https://", serverURL)}},
		"a port and no host":         {`kubeconfig: {server: "https://:6443"}`, want{invalid("spec.kubeconfig.server", "https://:6443", serverURL)}},
		"a user":                     {`kubeconfig: {server: "https://alice:secret@api.example.com"}`, want{invalid("spec.kubeconfig.server", "https://alice:secret@api.example.com", serverURL)}},
		"a query":                    {`kubeconfig: {server: "https://api.example.com/?a=b"}`, want{invalid("spec.kubeconfig.server", "https://api.example.com/?a=b", serverURL)}},
		"a fragment":                 {`kubeconfig: {server: "https://api.example.com/#a"}`, want{invalid("spec.kubeconfig.server", "https://api.example.com/#a", serverURL)}},
		"a space in the server":      {`kubeconfig: {server: "https://api.example.com/a b"}`, want{invalid("spec.kubeconfig.server", "https://api.example.com/a b", serverURL)}},
		"a line break in the server": {`kubeconfig: {server: "https://api.example.com\n"}`, want{invalid("spec.kubeconfig.server", "https://api.example.com\n", serverURL)}},
		"a server that is too long":  {`kubeconfig: {server: "https://api/` + strings.Repeat("a", 2048) + `"}`, want{`spec.kubeconfig.server: Too long: may not be more than 2048 bytes`}},
		"an https proxy":             {`kubeconfig: {proxyURL: "https://proxy:3128"}`, nil},
		"a socks5 proxy":             {`kubeconfig: {proxyURL: "socks5://proxy:1080"}`, nil},
		"a socks5h proxy":            {`kubeconfig: {proxyURL: "socks5h://proxy:1080"}`, want{invalid("spec.kubeconfig.proxyURL", "socks5h://proxy:1080", proxyURL)}},
		"an ftp proxy":               {`kubeconfig: {proxyURL: "ftp://proxy"}`, want{invalid("spec.kubeconfig.proxyURL", "ftp://proxy", proxyURL)}},
		"a proxy without a scheme":   {`kubeconfig: {proxyURL: "proxy:3128"}`, want{invalid("spec.kubeconfig.proxyURL", "proxy:3128", proxyURL)}},
		"a proxy without a host":     {`kubeconfig: {proxyURL: "http://"}`, want{invalid("spec.kubeconfig.proxyURL", "http://", proxyURL)}},
		"an empty CA":                {`kubeconfig: {certificateAuthorityData: ""}`, nil},
		"PEM, not base64":            {`kubeconfig: {certificateAuthorityData: "-----BEGIN CERTIFICATE-----"}`, want{invalid("spec.kubeconfig.certificateAuthorityData", "-----BEGIN CERTIFICATE-----", base64PEM)}},
		"base64 of URLs":             {`kubeconfig: {certificateAuthorityData: "_-8="}`, want{invalid("spec.kubeconfig.certificateAuthorityData", "_-8=", base64PEM)}},
		"base64 in lines":            {`kubeconfig: {certificateAuthorityData: "Q0FD\nQUNB"}`, want{invalid("spec.kubeconfig.certificateAuthorityData", "Q0FD\nQUNB", base64PEM)}},
		"base64 without padding":     {`kubeconfig: {certificateAuthorityData: "Q0E"}`, want{invalid("spec.kubeconfig.certificateAuthorityData", "Q0E", base64PEM)}},
		"base64 with loose bits":     {`kubeconfig: {certificateAuthorityData: "Q0F="}`, nil},
		// With format byte the API server takes this, and no Go program decodes it.
		"a CA in a list":              {`kubeconfig: {certificateAuthorityData: [a]}`, want{`spec.kubeconfig.certificateAuthorityData: Invalid value: "array": spec.kubeconfig.certificateAuthorityData in body must be of type string: "array"`}},
		"the longest CA":              {`kubeconfig: {certificateAuthorityData: "` + strings.Repeat("Q0FD", 65536) + `"}`, nil},
		"a CA that is too long":       {`kubeconfig: {certificateAuthorityData: "` + strings.Repeat("Q0FD", 65537) + `"}`, want{`spec.kubeconfig.certificateAuthorityData: Too long: may not be more than 262144 bytes`}},
		"an IP address as TLS name":   {`kubeconfig: {tlsServerName: "fd00::1"}`, nil},
		"a URL as TLS name":           {`kubeconfig: {tlsServerName: "https://api"}`, want{invalid("spec.kubeconfig.tlsServerName", "https://api", tlsName)}},
		"a terminal escape, cluster":  {`kubeconfig: {clusterName: "a\e[31m"}`, want{invalid("spec.kubeconfig.clusterName", "a\x1b[31m", printable)}},
		"a terminal escape, context":  {`kubeconfig: {contextName: "a\e[31m"}`, want{invalid("spec.kubeconfig.contextName", "a\x1b[31m", printable)}},
		"a namespace that is none":    {`kubeconfig: {namespace: Development}`, want{`spec.kubeconfig.namespace: Invalid value: "Development": spec.kubeconfig.namespace in body should match '^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$'`}},
		"a context that is too long":  {`kubeconfig: {contextName: ` + strings.Repeat("a", 254) + `}`, want{`spec.kubeconfig.contextName: Too long: may not be more than 253 bytes`}},
		"state":                       {`state: Withdrawn`, nil},
		"another state":               {`state: Suspended`, want{`spec.state: Unsupported value: "Suspended": supported values: "Active", "Withdrawn"`}},
		"an unknown field":            {`kubeconfig: {insecureSkipTLSVerify: true}`, want{unknownField("spec.kubeconfig.insecureSkipTLSVerify")}},
		"an unknown field of spec":    {`user: alice`, want{unknownField("spec.user")}},
		"a field in another case":     {`{Groups: [a]}`, want{unknownField("spec.Groups")}},
		"a field twice is a mistake":  {`{secret: {name: a, Name: b}}`, want{unknownField("spec.secret.Name")}},
		"null where nothing defaults": {`kubeconfig: null`, nil},
	}.check(t)
}
