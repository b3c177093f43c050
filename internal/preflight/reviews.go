// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/config"
)

// reviewsAtATime bounds the requests that are under way.
const reviewsAtATime = 8

// rightsLook is what somebody may not do.
type rightsLook struct {
	// whose says whose rights they are.
	whose string
	// wanted is how many were looked at.
	wanted  int
	missing []Right
	// installing means that they are those of somebody who is to install the operator.
	installing bool
	// grants are the operator's rights that whoever installs it does not hold, and may not give either.
	grants []Right
	err    error
}

// lookAtRights looks at the operator's rights, or, where it is not installed, at those of whoever is to install it.
func (p *probe) lookAtRights(ctx context.Context) Finding {
	at := place{namespace: p.Namespace, secretNamespaces: p.settings.SecretNamespaces, signers: p.settings.Signers}
	needed, err := operatorRights(config.Manifests, at)
	if err != nil {
		return fail("the manifests in this program cannot be read: %v", err)
	}
	look := rightsLook{whose: "the operator", wanted: len(needed)}
	switch {
	case p.isOperator():
		look.missing, look.err = p.missing(ctx, needed, p.mayI)
	case p.operator.installed():
		look.whose = fmt.Sprintf("ServiceAccount %s/%s", p.Namespace, p.ServiceAccount)
		look.missing, look.err = p.missing(ctx, needed, p.mayTheOperator)
	default:
		look = p.installer(ctx, at, needed)
	}
	p.report.Facts.MissingRights = slices.Concat(look.missing, look.grants)
	return look.judge(p.settings.SecretNamespaces)
}

// installer looks at what it takes to install the operator: to make its objects, and to give it rights, which takes to hold them,
// or to be allowed to escalate and to bind.
func (p *probe) installer(ctx context.Context, at place, granted []Right) rightsLook {
	look := rightsLook{whose: "whoever installs it, " + p.caller.user.Username + ",", installing: true}
	needed, err := installRights(config.Manifests, at)
	if err != nil {
		look.err = err
		return look
	}
	look.wanted = len(needed)
	if look.missing, look.err = p.missing(ctx, needed, p.mayI); look.err != nil {
		return look
	}
	var grants []Right
	for _, resource := range []string{"clusterroles", "roles"} {
		for _, verb := range []string{"bind", "escalate"} {
			grants = append(grants, Right{APIGroup: "rbac.authorization.k8s.io", Resource: resource, Verb: verb})
		}
	}
	if escalates, err := p.missing(ctx, grants, p.mayI); err == nil && len(escalates) == 0 {
		return look
	}
	look.grants, look.err = p.missing(ctx, granted, p.mayI)
	return look
}

// missing returns those that are not there, in order.
func (p *probe) missing(ctx context.Context, rights []Right, may func(context.Context, Right) (bool, error)) ([]Right, error) {
	has := make([]bool, len(rights))
	group, bounded := errgroup.WithContext(ctx)
	group.SetLimit(reviewsAtATime)
	for i, right := range rights {
		group.Go(func() (err error) {
			has[i], err = may(bounded, right)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []Right
	for i, right := range rights {
		if !has[i] {
			missing = append(missing, right)
		}
	}
	return missing, nil
}

func (p *probe) mayI(ctx context.Context, right Right) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: right.attributes()}}
	answer, err := p.clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}

func (p *probe) mayTheOperator(ctx context.Context, right Right) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: right.attributes(), User: p.operatorUser(),
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + p.Namespace, "system:authenticated"},
	}}
	answer, err := p.clientset.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}

func (r Right) attributes() *authorizationv1.ResourceAttributes {
	resource, subresource, _ := strings.Cut(r.Resource, "/")
	return &authorizationv1.ResourceAttributes{
		Namespace: r.Namespace, Verb: r.Verb, Group: r.APIGroup, Resource: resource, Subresource: subresource, Name: r.Name,
	}
}

// judge tells which rights are missing, and how to give them.
func (l rightsLook) judge(secretNamespaces []string) Finding {
	switch {
	case apierrors.IsForbidden(l.err):
		return skip("the caller may not ask what others may do: %v", l.err).fix("look as an administrator, or as the operator itself")
	case l.err != nil:
		return fail("the API server does not say what %s may do: %v", l.whose, l.err)
	case l.installing && len(l.missing) > 0:
		return fail("%s misses %s of the %d that it takes to install it", l.whose, plural(len(l.missing), "right"), l.wanted).
			details(l.missing).fix("install it as a cluster administrator (ClusterRole cluster-admin)")
	case len(l.grants) > 0:
		return fail("%s may not give the operator %s that it does not hold itself", l.whose, plural(len(l.grants), "right")).
			details(l.grants).fix("install it as a cluster administrator (ClusterRole cluster-admin)")
	case l.installing:
		return ok("%s has the %d rights that it takes to install it", l.whose, l.wanted)
	}
	return l.judgeOperator(secretNamespaces)
}

func (l rightsLook) judgeOperator(secretNamespaces []string) Finding {
	missing, narrowed := split(l.missing, func(r Right) bool { return r.Verb != "bind" })
	switch {
	case len(missing) > 0:
		return fail("%s misses %s of %d", l.whose, plural(len(missing), "right"), l.wanted).details(missing).fix("%s", grant(missing, secretNamespaces))
	case len(narrowed) > 0:
		return warn("%s has its %d rights, but for binding any role: it binds only those that are named to it", l.whose, l.wanted-len(narrowed)).
			fix("nothing, where config/overlays/narrowed-bind is meant; else apply config/rbac, the chart or the installer again")
	}
	return ok("%s has its %d rights", l.whose, l.wanted)
}

// grant says how to give rights: by what was shipped, or, where the place is another one, by a rule like the first.
func grant(missing []Right, secretNamespaces []string) string {
	first := missing[0]
	rule := fmt.Sprintf("{apiGroups: [%q], resources: [%q], verbs: [%q]", first.APIGroup, first.Resource, first.Verb)
	if first.Name != "" {
		rule = fmt.Sprintf("%s, resourceNames: [%q]", rule, first.Name)
	}
	role := "a ClusterRole"
	if first.Namespace != "" {
		role = "a Role in " + first.Namespace
	}
	how := "apply config/rbac, the chart or the installer again"
	if first.Namespace != "" && slices.Contains(secretNamespaces, first.Namespace) && first.Namespace != shippedSecretNamespace {
		how = "see config/overlays/secret-namespace"
	}
	return fmt.Sprintf("%s, or bind it to %s with the rule %s} and so on", how, role, rule)
}

// split divides rights in two.
func split(rights []Right, first func(Right) bool) (yes, no []Right) {
	for _, right := range rights {
		if first(right) {
			yes = append(yes, right)
		} else {
			no = append(no, right)
		}
	}
	return yes, no
}

// mostDetails is how many rights are named; the report has all.
const mostDetails = 12

// details names rights.
func (f Finding) details(rights []Right) Finding {
	for i, right := range rights {
		if i == mostDetails {
			f.Details = append(f.Details, fmt.Sprintf("and %d more: -o json names them", len(rights)-i))
			break
		}
		f.Details = append(f.Details, foreign(right.String()))
	}
	return f
}
