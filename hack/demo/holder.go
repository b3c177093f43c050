// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// due is how long a device of lea's may take until it renews: 15 seconds, see invited.
const due = 60 * time.Second

// laptop runs a command line on lea's laptop.
func laptop(line string, checks ...check) command {
	return command{on: "laptop", line: line, checks: checks}
}

// whichCertificate tells which certificate kubectl was given, as the API server sees it.
const whichCertificate = `kubectl auth whoami -o jsonpath='{.status.userInfo.extra.authentication\.kubernetes\.io/credential-id[0]}{"\n"}'`

func invited() step {
	return step{
		title: "lea's keys stay with her: her Secret has none. Whoever may invites her; an invitation is one line, good for one device, for ten minutes.",
		commands: []command{{
			line:   `kubectl get secret -n client-identities lea-kubeconfig -o go-template='{{range $key, $value := .data}}{{$key}} {{end}}{{"\n"}}'`,
			checks: []check{hasLine("ca.crt kubeconfig request.json")},
		}, {
			line:   `kubectl patch cid lea --type=merge -p '{"spec":{"ttl":"10m","renewBefore":"9m45s"}}'   # renew after 15 seconds, to see it`,
			checks: []check{has("patched")},
		}, {
			line:   "kubectl clientidentity invite lea > invitation",
			within: patience,
		}},
	}
}

func enrolled(certificate *string) step {
	return step{
		title: "Her laptop makes a key, which never leaves it. Its kubeconfig has none either: kubectl asks the plugin.",
		commands: []command{
			laptop("kubectl clientidentity enroll - --device laptop < ../invitation"),
			laptop("kubectl create configmap from-lea -n development", has("configmap/from-lea created")),
			laptop(whichCertificate, has("X509SHA256="), keep(certificate)),
		},
	}
}

func renewedByItself(certificate *string) step {
	again := laptop(whichCertificate, has("X509SHA256="), changes(0, certificate))
	again.within = due
	return step{
		title:    "Nobody does anything, and it renews itself: with the certificate that it has, to another key.",
		commands: []command{again, {line: "kubectl clientidentity status lea", checks: []check{has("laptop"), has("Active")}}},
	}
}

func revokedAll() step {
	refused := laptop("kubectl get configmap from-lea -n development", has(`User "lea@example.com" cannot get resource "configmaps"`))
	refused.refused = true
	return step{
		title: "The laptop is stolen. What has been issued so far is revoked, which is done when the command is: the thief may do nothing any more.",
		commands: []command{
			{line: "kubectl clientidentity revoke lea --all", checks: []check{has("revoked")}},
			refused,
		},
		note: "lea is invited again. Where the API server asks the operator (docs/guides/deny.md), --device laptop ends one device alone.",
	}
}
