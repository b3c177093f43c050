// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "time"

const (
	// patience is for what the operator does at once, on a slow machine.
	patience = 20 * time.Second
	// renewal is for what it does at most once in ten seconds.
	renewal = 40 * time.Second
	// collection is for the garbage collector.
	collection = 60 * time.Second
)

// allSteps returns what is shown, in order: each step builds on those before it.
func allSteps() []step {
	var first string
	return []step{
		ready(), kubeconfigs(), developer(), robot(),
		invited(), enrolled(&first), renewedByItself(&first), revokedAll(),
		shortened(), renewed(), scraped(), repaired(), deleted(), leftover(),
	}
}

func ready() step {
	return step{
		title: "Identities (cid for short) get a certificate, a kubeconfig that was proven at the API server, and their bindings; lea waits for her laptop.",
		commands: []command{{
			line:   "kubectl wait cid --all --for=condition=Ready --timeout=60s",
			checks: []check{has("clientidentity.clientidentity.dev/jane condition met"), has("clientidentity.clientidentity.dev/ci-bot condition met")},
		}, {
			line: "kubectl get cid",
			checks: []check{
				has(" STATE "), has("jane@example.com   Ready "), has("system:ci-bot      Ready "), has("lea@example.com    Ready "), has("jane-kubeconfig"), has("ci-bot-kubeconfig"),
			},
		}},
	}
}

func kubeconfigs() step {
	return step{
		title: "The kubeconfigs are in Secrets. One line hands one over.",
		commands: []command{
			{line: saveKubeconfig("jane")},
			{line: saveKubeconfig("ci-bot")},
			{
				line:   "kubectl --kubeconfig jane.kubeconfig config get-contexts",
				checks: []check{hasLine("* jane@kubernetes kubernetes jane@kubernetes")},
			},
		},
	}
}

// saveKubeconfig returns the line that hands over a kubeconfig, as README has it.
func saveKubeconfig(identity string) string {
	return "kubectl get secret -n client-identities " + identity + "-kubeconfig -o jsonpath='{.data.kubeconfig}' | base64 -d > " + identity + ".kubeconfig"
}

func developer() step {
	const jane = "kubectl --kubeconfig jane.kubeconfig "
	return step{
		title: "With her kubeconfig, jane is the user and the group of the spec; she may edit in development, and nothing elsewhere.",
		commands: []command{{
			line:   jane + "auth whoami",
			checks: []check{hasLine("Username jane@example.com"), hasLine("Groups [developers system:authenticated]")},
		}, {
			line:   jane + "create configmap hello --from-literal=from=jane -n development",
			checks: []check{hasLine("configmap/hello created")},
		}, {
			line:    jane + "create configmap hello --from-literal=from=jane -n default",
			refused: true,
			checks:  []check{has(`User "jane@example.com" cannot create resource "configmaps"`), has(`in the namespace "default"`)},
		}, {
			line:    jane + "get secret -n client-identities ci-bot-kubeconfig",
			refused: true,
			checks:  []check{has(`User "jane@example.com" cannot get resource "secrets"`)},
		}},
	}
}

func robot() step {
	const bot = "kubectl --kubeconfig ci-bot.kubeconfig "
	return step{
		title: "ci-bot may deploy in every namespace, and delete nothing.",
		commands: []command{{
			line:   bot + "auth whoami",
			checks: []check{hasLine("Username system:ci-bot"), hasLine("Groups [system:automation system:authenticated]")},
		}, {
			line:   bot + "create deployment web --image=web:1 -n development",
			checks: []check{hasLine("deployment.apps/web created")},
		}, {
			line:    bot + "delete deployment web -n development",
			refused: true,
			checks:  []check{has(`User "system:ci-bot" cannot delete resource "deployments"`)},
		}},
	}
}

func shortened() step {
	return step{
		title: "ci-bot asks for two years, and the signer issues one. The status says so, and nothing is asked again.",
		commands: []command{{
			line:   "kubectl get cid ci-bot -o wide",
			checks: []check{oneRow, has("system:automation"), has(" TTLShortened")},
		}, {
			line:   `kubectl get cid ci-bot -o jsonpath='{range .status.conditions[?(@.type=="CertificateIssued")]}{.reason}: {.message}{end}'`,
			checks: []check{has("TTLShortened: "), has("17520h0m0s was asked for, and 8760h0m0s was issued")},
		}, {
			line:   "kubectl get csr -l clientidentity.dev/identity=ci-bot",
			checks: []check{oneRow, has(" 2y "), has("Approved,Issued")},
		}},
	}
}

func renewed() step {
	const show = "kubectl get cid jane -o custom-columns=" +
		"REVISION:.status.certificate.revision,SERIAL:.status.certificate.serialNumber,ISSUED:.status.certificate.requestTime"
	var before string
	return step{
		title: "Certificates are renewed before they expire; here one is renewed on request, of which the operator takes one in ten seconds.",
		commands: []command{
			{line: show, checks: []check{keep(&before)}},
			{
				line:   `kubectl annotate cid jane clientidentity.dev/renew-requested-at="$(date -u +%FT%TZ)"`,
				checks: []check{has("annotated")},
			},
			{line: show, checks: []check{changes(0, &before), changes(1, &before)}, within: renewal},
		},
		note: "The certificate before it stays valid until it expires: X.509 client certificates cannot be revoked.",
	}
}

func scraped() step {
	return step{
		title: "Prometheus is told of all of it, if it may: here with a token of the ServiceAccount default, and kubectl in its place.",
		commands: []command{{
			line:   allowScraping,
			checks: []check{has("created")},
		}, {
			line: scrape + ` | grep -E '^clientidentity_(state|certificate_not_after|issuances_total.*(First|Requested))'`,
			checks: []check{
				has(`clientidentity_state{identity="jane",state="Ready"} 1`), has(`clientidentity_certificate_not_after_timestamp_seconds{identity="ci-bot"}`),
				has(`reason="Requested",result="Published",signer="kubernetes.io/kube-apiserver-client"} 1`),
			},
			within: patience,
		}},
		note: "Alerts, a dashboard, and what to ask: docs/guides/monitoring.md.",
	}
}

const (
	allowScraping = "kubectl create clusterrolebinding scrape --clusterrole=client-identity-operator-metrics-reader --serviceaccount=default:default"
	// scrape gets the metrics; the address is in the environment of the shell.
	scrape = `kubectl get --raw /metrics --server="https://$METRICS" --insecure-skip-tls-verify --token="$(kubectl create token default)"`
)

func repaired() step {
	const show = "kubectl get rolebinding -n development -l clientidentity.dev/identity=jane -o custom-columns=" +
		"NAME:.metadata.name,ROLE:.roleRef.name,USER:.subjects[*].name,UID:.metadata.uid"
	var before string
	return step{
		title: "A binding that somebody deletes comes back: another object, with the same name and content.",
		commands: []command{
			{line: show, checks: []check{keep(&before), oneRow, has("jane@example.com")}},
			{line: "kubectl delete rolebinding -n development -l clientidentity.dev/identity=jane", checks: []check{has("deleted")}},
			{
				line:   show,
				checks: []check{oneRow, stays(0, &before), stays(1, &before), stays(2, &before), changes(3, &before)},
				within: patience,
			},
		},
	}
}

func deleted() step {
	const dependents = "secret,rolebinding,clusterrolebinding,csr"
	return step{
		title: "The identity is deleted, and with it go its Secret, bindings and requests.",
		commands: []command{{
			line:   "kubectl get " + dependents + " -A -l clientidentity.dev/identity=jane -o name",
			checks: []check{has("secret/jane-kubeconfig"), has("rolebinding.rbac.authorization.k8s.io/clientidentity:jane:edit:"), has("certificatesigningrequest")},
		}, {
			line:   "kubectl delete cid jane",
			checks: []check{has("deleted")},
		}, {
			line:   "kubectl get " + dependents + " -A -l clientidentity.dev/identity=jane",
			checks: []check{hasLine("No resources found")},
			within: collection,
		}},
	}
}

func leftover() step {
	const jane = "kubectl --kubeconfig jane.kubeconfig "
	return step{
		title: "A copy of her kubeconfig still authenticates until its certificate expires, but may do nothing any more.",
		commands: []command{{
			line:   jane + "auth whoami",
			checks: []check{hasLine("Username jane@example.com")},
		}, {
			line:    jane + "get configmaps -n development",
			refused: true,
			checks:  []check{has(`User "jane@example.com" cannot list resource "configmaps"`)},
		}},
		note: "Only what the identity granted is gone: bindings that others made for the same user or groups stay.",
	}
}
