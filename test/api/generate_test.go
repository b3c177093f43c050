// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes objects at random, near the edges of what the schema accepts.
type generator struct{ *rand.Rand }

// values of a kind of field: good ones, bad ones, and those that one parser accepts and another one refuses.
type values func(g generator) any

// pick returns one of some values as it is.
func pick(of ...any) values { return func(g generator) any { return of[g.IntN(len(of))] } }

// either returns a value of one of some kinds.
func either(kinds ...values) values {
	return func(g generator) any { return kinds[g.IntN(len(kinds))](g) }
}

// numbers are JSON as it was written: 33, 33.0 and 3.3e1 are the same to one parser and not to another.
func numbers(texts ...string) values {
	return func(g generator) any { return json.Number(texts[g.IntN(len(texts))]) }
}

// rawText is a JSON text that no Go string encodes to.
func rawText(texts ...string) values {
	return func(g generator) any { return json.RawMessage(texts[g.IntN(len(texts))]) }
}

// texts are joined from their parts, each picked on its own.
func texts(parts ...[]string) values {
	return func(g generator) any {
		var b strings.Builder
		for _, options := range parts {
			b.WriteString(options[g.IntN(len(options))])
		}
		return b.String()
	}
}

var (
	anything = either(
		pick(nil, true, false, "", "x", " ", object{}, []any{}, []any{nil}, object{"": nil}, object{"a": "b"}, []any{"a"}),
		numbers("0", "1", "-1", "0.5", "1e3", "1e400", "-0", "9223372036854775808"),
	)
	durations = either(
		pick("10m", "600s", "9m59.9999999999s", "2160h", "90d", "2147483647s", "2147483647.9s", "2147483648s", "596523h14m7s", "1h1h1h", "0s", "0.0000001s",
			"999999999999999999999999999999s", "2562047h47m16.854775807s", "2562048h", ".5h", "1.h", "1e3s", "-1h", "+1h", "1h ", "1µs", "1us", "1ms", "0", "٣h"),
		func(g generator) any {
			var b strings.Builder
			for range 1 + g.IntN(3) {
				fmt.Fprint(&b, g.Uint64()>>g.IntN(64))
				if g.IntN(3) == 0 {
					fmt.Fprintf(&b, ".%0*d", 1+g.IntN(20), g.IntN(1000))
				}
				b.WriteString([]string{"h", "m", "s", "s", "m", "h", "d", "ms"}[g.IntN(8)])
			}
			return b.String()
		},
	)
	timestamps = either(
		texts([]string{"2027-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-22T03:04:00.25+05:30"}),
		texts(
			[]string{"2027", "2028", "1970", "1969", "0001", "0000", "9999", "10000", "-001", "27"}, []string{"-"},
			[]string{"01", "12", "02", "13", "00", "1"}, []string{"-"}, []string{"01", "28", "29", "31", "32", "00"}, []string{"T", "T", "T", "t", " ", ""},
			[]string{"00:00:00", "23:59:59", "24:00:00", "23:59:60", "00:60:00", "1:02:03", "000000"},
			[]string{"", "", "", ".5", ",5", "x5", ".", ".123456789", ".1234567890123456789012345678901234567890", ".9999999999"},
			[]string{"Z", "Z", "z", "", "+00:00", "-23:59", "+23:59", "+24:00", "+24:60", "+14:00", "+0000", "-00:00", "+1:00", " Z", "Z\n"},
		),
	)
	names  = pick("a", "a-b", "a.b", "A", "", "-a", "a_b", "ü", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a", 254))
	people = either(
		pick("alice", "ü", "🚀", "a\u200bb", "a\u202eb", " a", "a\u00a0", "a\x00b", "a\ufffdb", "system:masters", "system:ci-bot", strings.Repeat("ü", 64), strings.Repeat("ü", 65), "CN=a"),
		rawText(`"\ud800"`, `"a\udc00b"`, `"\u0000"`, "\"a\xffb\"", `"\/"`),
	)
	sizes       = numbers("256", "256.0", "2.56e2", "25600e-2", "384", "521", "2048", "4096", "0", "-256", "4294967552", "18446744073709551872", "256.5", "1e3")
	percentages = numbers("1", "33", "33.0", "3.3e1", "90", "9e1", "0", "91", "2e3", "33.5", "4294967329", "-4294967263", "1e-1", "1e400", "0.1e2")
	base64s     = pick("", "Q0E=", "Q0F=", "Q0E", "Q0FD", "Q0FD\n", "Q0FD\nQUNB", "_-8=", "+/8=", "=", "====", "Q===", "Q0==", " Q0E=", "-----BEGIN CERTIFICATE-----", "Q0E=Q0E=")
	labels      = pick(object{}, object{"a": "b"}, object{"a": nil}, object{"a": ""}, object{"": "b"}, object{"a": 1}, object{"x/y": "b"}, object{"X/y": "b"}, object{"a/b/c": "d"},
		object{"clientidentity.dev/x": "y"}, object{"CLIENTIDENTITY.dev/x": "y"}, object{"a": strings.Repeat("b", 64)}, nil)
	roles = either(
		pick(object{"kind": "ClusterRole", "name": "view"}, object{"kind": "Role", "name": "a"}, object{"name": "view"}, object{"kind": "Role", "name": "a/b"}, object{}),
	)
	selectors = either(
		pick(object{"matchLabels": object{"a": "b"}}, object{"matchLabels": object{"a": nil}}, object{"matchLabels": nil}, object{}, object{"matchExpressions": nil}),
		func(g generator) any {
			return object{"matchExpressions": []any{object{
				"key": labelKeys(g), "operator": pick("In", "NotIn", "Exists", "DoesNotExist", "Gt")(g),
				"values": pick([]any{"a"}, []any{}, nil, []any{nil}, []any{""}, []any{"a", "a"})(g),
			}}}
		},
	)
	labelKeys = pick("a", "x/y", "", "a b")
	bindings  = func(g generator) any {
		list := []any{}
		for i := range 1 + g.IntN(3) {
			binding := object{"name": fmt.Sprintf("b%d", i), "roleRef": object{"kind": "ClusterRole", "name": "view"}, "namespace": "a"}
			if g.IntN(2) == 0 {
				delete(binding, "namespace")
				binding["namespaceSelector"] = selectors(g)
			}
			g.perturb(binding, fieldsOfBinding)
			list = append(list, binding)
		}
		return list
	}
	clusterBindings = func(g generator) any {
		binding := object{"name": "b", "roleRef": object{"name": "view"}}
		g.perturb(binding, fieldsOfBinding)
		return []any{binding}
	}

	fieldsOfBinding = map[string]values{
		"validFrom": timestamps, "validUntil": timestamps, "group": pick("team-a", "x", ""), "roleRef": roles, "namespace": names, "name": names,
	}
	fieldsOfSpec = map[string]values{
		"username": people, "groups": either(func(g generator) any { return []any{"team-a", people(g)} }, pick([]any{}, []any{"a", "a"}, nil)),
		"ttl": durations, "renewBefore": durations, "renewBeforePercentage": percentages, "privateKey": nested(fieldsOfKey),
		"signerName": pick("example.com/x", "x/y", "a.b/c.d", "", "a.b/C"), "bindTo": pick("Username", "Credential", "", "username"),
		"roleBindings": bindings, "clusterRoleBindings": clusterBindings, "secret": nested(fieldsOfSecret), "kubeconfig": nested(fieldsOfKubeconfig),
		"state": pick("Active", "Withdrawn", ""), "accessUntil": timestamps, "revokeIssuedBefore": timestamps,
		"revokedCertificates": func(g generator) any { return []any{nested(fieldsOfRevoked)(g)} },
	}
	fieldsOfRevoked = map[string]values{"fingerprint": pick(strings.Repeat("a", 64), strings.Repeat("A", 64), ""), "reason": people}
	fieldsOfKey     = map[string]values{"algorithm": pick("ECDSA", "RSA", "Ed25519", ""), "size": sizes, "rotationPolicy": pick("Always", "Never", "")}
	fieldsOfSecret  = map[string]values{
		"namespace": names, "name": names, "labels": labels, "annotations": labels, "kubeconfigKey": pick("value", "tls.crt", "..", "a/b", ""),
		"holderCanRead": pick(true, false), "format": pick("Kubeconfig", "ArgoCDCluster", "ClusterAPI", "Other", ""),
	}
	fieldsOfKubeconfig = map[string]values{
		"server": pick("https://a", "https://[::1]:6443", "http://a", "https://", "", "https://a:99999999", "https://%zz"), "certificateAuthorityData": base64s,
		"tlsServerName": names, "proxyURL": pick("socks5://a:1", "http://a", "ftp://a", ""), "clusterName": people, "contextName": people, "namespace": names,
	}
	fieldsOfStatus = map[string]values{
		"observedGeneration": integers, "conditions": conditions, "certificate": nested(fieldsOfCertificate), "outstandingUntil": timestamps,
		"certificates":    func(g generator) any { return []any{nested(fieldsOfIssued)(g)} },
		"secretRef":       pick(object{"namespace": "a", "name": "b"}, object{"namespace": "a"}, object{"namespace": "a", "name": "b", "uid": "x", "resourceVersion": "1"}),
		"server":          pick(object{"url": "https://a", "source": "Spec"}, object{"url": "https://a", "source": "Guess"}),
		"revocationReach": pick("Bindings", "APIServer", "Further", ""),
		"boundBindings":   integers, "groupList": people, "issuance": nested(fieldsOfIssuance), "lastHandledRenewRequest": people,
		"residualAccess": nested(map[string]values{"observedTime": timestamps, "total": integers, "bindings": pick([]any{object{"kind": "RoleBinding", "name": "a"}}, []any{object{}}, nil)}),
	}
	fieldsOfCertificate = map[string]values{
		"serialNumber": people, "fingerprint": people, "notBefore": timestamps, "notAfter": timestamps, "requestTime": timestamps, "renewalTime": timestamps,
		"issuer": people, "requestedTTL": durations, "revision": integers,
	}
	fieldsOfIssued   = map[string]values{"notBefore": timestamps, "notAfter": timestamps, "groups": pick([]any{"a"}, nil, []any{nil}, []any{strings.Repeat("a", 65)})}
	fieldsOfIssuance = map[string]values{
		"certificateSigningRequest": names, "failedAttempts": integers, "lastFailureTime": timestamps, "lastFailureMessage": people, "failedGeneration": integers,
	}
	integers = numbers("0", "1", "-1", "1.0", "1e3", "1.5", "2147483647", "2147483648", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808",
		"1e18", "9.3e18", "1e19", "1e300", "-1e19", "1e400", "-9223372036854775809", "-0")
	conditions = func(g generator) any {
		condition := object{"type": "Ready", "status": "True", "reason": "Issued", "message": "m", "lastTransitionTime": "2027-01-01T00:00:00Z"}
		g.perturb(condition, map[string]values{"lastTransitionTime": timestamps, "observedGeneration": integers, "message": people, "status": pick("True", "x")})
		return []any{condition}
	}
)

// nested returns objects with some of these fields.
func nested(fields map[string]values) values {
	return func(g generator) any {
		o := object{}
		g.perturb(o, fields)
		return o
	}
}

// perturb sets one to three fields of an object, mostly to values of their kind, sometimes to nothing or anything.
func (g generator) perturb(o object, fields map[string]values) {
	order := slices.Sorted(maps.Keys(fields)) // the same seed makes the same objects
	for range 1 + g.IntN(3) {
		name := order[g.IntN(len(order))]
		switch g.IntN(20) {
		case 0:
			delete(o, name)
		case 1:
			o[name] = nil
		case 2:
			o[name] = anything(g)
		default:
			o[name] = fields[name](g)
		}
	}
}

// identity returns an identity with a random spec.
func (g generator) identity(name string) []byte {
	spec := object{"username": "alice", "groups": []any{"team-a"}}
	g.perturb(spec, fieldsOfSpec)
	return g.encode(object{
		"apiVersion": "clientidentity.dev/v1alpha1", "kind": "ClientIdentity",
		"metadata": object{"name": name}, "spec": spec,
	})
}

// encode does not refuse a number or text that only looks like JSON: the API server is to do that.
func (g generator) encode(o object) []byte {
	body, err := json.Marshal(o)
	if err != nil {
		panic(err) // a mistake in the tables above
	}
	return body
}
