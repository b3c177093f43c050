// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/clientidentity/operator/internal/text"
)

// refusal is what RBAC says of a request that it refuses (k8s.io/apiserver, forbiddenMessage). Admission says other things, which no
// role mends.
var refusal = regexp.MustCompile(`User "((?:[^"\\]|\\.)*)" cannot ([a-zA-Z:-]+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]*)"| at the cluster scope)`)

// constrained begins the verb that a refusal names where somebody may not impersonate (Kubernetes 1.35 and later, which look for a narrower
// permission first, and tell of that one).
const constrained = "impersonate-on:"

// plainName is a name that a role of the suggested commands can have, and a shell takes as it stands.
var plainName = regexp.MustCompile(`^[a-zA-Z0-9@%+=:,./_-]+$`)

// Permission is what somebody lacks.
type Permission struct {
	User, Verb, Group, Resource, Namespace, Name string
}

// explained is an error with what to do about it. It unwraps to what went wrong.
type explained struct {
	err    error
	advice string
}

func (e *explained) Error() string { return e.err.Error() + "\n" + e.advice }

func (e *explained) Unwrap() error { return e.err }

// Explain returns err with what to do about it, where that is known: which permission is missing and how to grant it, that the
// credential is not accepted, that the operator is not installed. Execute does that with what commands return: they wrap what the API
// server says with %w, and say which object they meant.
func Explain(err error) error {
	var done *explained
	if err == nil || errors.As(err, &done) {
		return err
	}
	var advice string
	switch missing, ok := MissingPermission(err); {
	case ok && strings.HasPrefix(missing.Verb, constrained):
		advice = fmt.Sprintf("User %q may not impersonate whom --as and --as-group name: that takes the verb impersonate on users and groups of these names.", missing.User)
	case ok:
		advice = missing.advice()
	case apierrors.IsUnauthorized(err):
		advice = "The API server does not accept your credential: it may have expired, or be revoked. See whom it takes you for with: kubectl auth whoami\n" +
			"Choose another one with --context, --user or --kubeconfig."
	case noSuchResource(err):
		advice = "The Client Identity Operator is not installed in this cluster: choose another one with --context, or install it."
	default:
		return err
	}
	return &explained{err, advice}
}

// Told returns what an error says, as a terminal may have it: some of it was said by API servers, and an invitation may name any.
func Told(err error) string {
	lines := strings.Split(strings.ReplaceAll(err.Error(), "\t", "  "), "\n")
	for i := range lines {
		lines[i] = text.Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// noSuchResource says whether the API server does not know the kind of object.
func noSuchResource(err error) bool {
	return meta.IsNoMatchError(err) || (apierrors.IsNotFound(err) && strings.Contains(err.Error(), "the server could not find the requested resource"))
}

// MissingPermission returns the permission that somebody lacks, as a refusal of the API server tells.
func MissingPermission(err error) (Permission, bool) {
	if !apierrors.IsForbidden(err) {
		return Permission{}, false
	}
	said := refusal.FindStringSubmatch(err.Error())
	if said == nil {
		return Permission{}, false
	}
	p := Permission{User: unquote(said[1]), Verb: said[2], Resource: said[3], Group: said[4], Namespace: said[5]}
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil && p.named() {
		p.Name = status.Status().Details.Name
	}
	return p, true
}

// named says whether a role can grant it for one object: the name is not known yet when something is created or listed.
func (p Permission) named() bool {
	switch p.Verb {
	case "list", "watch", "deletecollection":
		return false
	case "create":
		return strings.Contains(p.Resource, "/")
	}
	return true
}

// String says what is missing, as in get secrets "client-identities/alice-kubeconfig".
func (p Permission) String() string {
	said := p.Verb + " " + p.resource()
	if p.Name != "" {
		said += fmt.Sprintf(" %q", p.Name)
	}
	if p.Namespace != "" {
		said += fmt.Sprintf(" in namespace %q", p.Namespace)
	}
	return said
}

// resource returns the resource with its group, as kubectl takes it: deployments.apps/scale.
func (p Permission) resource() string {
	if p.Group == "" {
		return p.Resource
	}
	base, sub, isSub := strings.Cut(p.Resource, "/")
	if isSub {
		return base + "." + p.Group + "/" + sub
	}
	return base + "." + p.Group
}

func (p Permission) advice() string {
	return fmt.Sprintf("Missing permission of user %q: %s. An administrator grants it with:\n%s", p.User, p, p.Grant())
}

// Grant returns the two commands with which an administrator grants the permission, and no more than that.
func (p Permission) Grant() string {
	kind, where := "clusterrole", ""
	if p.Namespace != "" {
		kind, where = "role", " --namespace="+quote(p.Namespace)
	}
	role := roleName(p.Verb, p.Resource, p.Name)
	create := fmt.Sprintf("  kubectl create %s %s%s --verb=%s --resource=%s", kind, role, where, quote(p.Verb), quote(p.resource()))
	if p.Name != "" {
		create += " --resource-name=" + quote(p.Name)
	}
	bind := fmt.Sprintf("  kubectl create %sbinding %s%s --%s=%s %s", kind, roleName(p.Verb, p.Resource, p.Name, p.User), where, kind, role, p.subject())
	return create + "\n" + bind
}

func (p Permission) subject() string {
	if account, ok := strings.CutPrefix(p.User, "system:serviceaccount:"); ok {
		return "--serviceaccount=" + quote(account)
	}
	return "--user=" + quote(p.User)
}

// roleName returns a name for a role that tells what it grants.
func roleName(parts ...string) string {
	words := strings.FieldsFunc(strings.ToLower(strings.Join(parts, "-")), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}

// quote returns a word as a shell takes it, and a terminal for text.
func quote(word string) string {
	word = text.Printable(word)
	if plainName.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// unquote undoes %q, of which the API server's message is made.
func unquote(s string) string {
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}
