// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const (
	// webhookName is the name of the webhook's configuration.
	webhookName = "client-identity-operator"
	// dryRunName is the name of identities that are only asked about, and never stored.
	dryRunName = "client-identity-preflight"
	// longTTL is one that the webhook warns of, and orphan a finalizer that a policy refuses.
	longTTL = 365 * 24 * time.Hour
	orphan  = "orphan"
	// webhookWarning begins what the webhook says of longTTL, and policyRefusal is in what the policy says of the finalizer.
	webhookWarning = "spec.ttl is over"
	policyRefusal  = "client-identity-operator-no-orphans"
	// webhookRefusal is how the API server passes on a refusal of the webhook: others may refuse identities, too.
	webhookRefusal = `admission webhook "identities.clientidentity.dev" denied`
)

// dryRun is what the API server says of an identity that is not stored.
type dryRun struct {
	err      error
	warnings []string
}

// warnings collects what the API server warns of.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, text)
}

// ask asks for an identity that is not stored, whatever the answer.
func (p *probe) ask(ctx context.Context, change func(*v1alpha1.ClientIdentity)) dryRun {
	heard := &warnings{}
	connection := rest.CopyConfig(p.Connection)
	connection.WarningHandler, connection.WarningHandlerWithContext = heard, nil
	objects, err := newClient(connection)
	if err != nil {
		return dryRun{err: err}
	}
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: dryRunName}}
	identity.Spec.Username = dryRunName
	change(identity)
	err = objects.Create(ctx, identity, client.DryRunAll)
	return dryRun{err: err, warnings: heard.all}
}

// admissionLook is what is known of the admission webhook.
type admissionLook struct {
	dryRun
	// configured says whether there is a configuration, with the CA of the webhook in it. open says that it lets identities through where
	// nobody answers.
	configured, trusted, open bool
	configurationErr          error
}

func (p *probe) lookAtAdmission(ctx context.Context) Finding {
	if !p.operator.crd {
		return skip("not installed yet")
	}
	look := admissionLook{}
	// The operator may list its own, and not get it.
	var configurations admissionregistrationv1.ValidatingWebhookConfigurationList
	look.configurationErr = p.objects.List(ctx, &configurations, client.MatchingFields{metav1.ObjectNameField: webhookName})
	for i := range configurations.Items {
		if configuration := &configurations.Items[i]; configuration.Name == webhookName {
			look.configured = true
			look.trusted = len(configuration.Webhooks) > 0 && len(configuration.Webhooks[0].ClientConfig.CABundle) > 0
			look.open = slices.ContainsFunc(configuration.Webhooks, func(w admissionregistrationv1.ValidatingWebhook) bool {
				return ptr.Deref(w.FailurePolicy, admissionregistrationv1.Fail) != admissionregistrationv1.Fail
			})
		}
	}
	look.dryRun = p.ask(ctx, func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration = longTTL })
	return look.judge(p.operator.installed(), p.Namespace)
}

// judge says whether somebody checks who asks for an identity.
func (l admissionLook) judge(installed bool, namespace string) Finding {
	const install = "apply config/default, the chart or the installer again"
	var answered bool
	for _, warning := range l.warnings {
		answered = answered || strings.HasPrefix(warning, webhookWarning)
	}
	switch {
	case installed && l.open:
		return fail("the ValidatingWebhookConfiguration %s lets everything through where the webhook does not answer: whoever may create identities, and "+
			"waits for that, can become anybody", webhookName).fix("set failurePolicy: Fail; " + install)
	case answered:
		return ok("the webhook answers: nobody gets an identity that gives more than they hold")
	case !installed && l.err == nil:
		return warn("not installed yet, and nobody checks who creates identities, which the installation will serve: the CRD is there, and no webhook is asked").
			fix("look at who wrote which identity before: kubectl get clientidentities -o yaml --show-managed-fields")
	case !installed:
		return skip("not installed yet")
	case l.configurationErr == nil && !l.configured:
		return fail("there is no ValidatingWebhookConfiguration %s: whoever may create identities can become anybody", webhookName).fix(install)
	case l.configured && !l.trusted:
		return fail("the ValidatingWebhookConfiguration %s has no CA yet: no identity can be created", webhookName).
			fix("wait until the operator is ready: kubectl rollout status -n %s deployment/%s", namespace, deployment)
	case apierrors.IsForbidden(l.err) && strings.Contains(l.err.Error(), "cannot create resource"):
		if l.configured {
			return ok("the webhook is configured; the caller may create no identity, so that it was not tried")
		}
		return skip("the caller may create no identity").fix("look as an administrator")
	case apierrors.IsForbidden(l.err) && strings.Contains(l.err.Error(), webhookRefusal):
		return ok("the webhook answers, and refuses what the caller may not give: %v", l.err)
	case apierrors.IsForbidden(l.err):
		return skip("something else refuses identities, so that the webhook was not seen to answer: %v", l.err).
			fix("let the caller make an identity %q for a user of that name, and look again", dryRunName)
	case l.err != nil:
		return fail("the webhook does not answer, so that no identity can be created: %v", l.err).
			fix("kubectl get endpointslices -n %s, and let the API server reach port 9443 of those pods", namespace)
	}
	return fail("an identity was admitted, and the webhook was not asked: whoever may create identities can become anybody").fix(install)
}

func (p *probe) lookAtPolicies(ctx context.Context) Finding {
	if !p.operator.crd {
		return skip("not installed yet")
	}
	look := p.ask(ctx, func(identity *v1alpha1.ClientIdentity) { identity.Finalizers = []string{orphan} })
	return look.judgePolicies(p.operator.installed())
}

// judgePolicies says whether an identity was refused that a policy refuses. It is asked before the webhook is.
func (d dryRun) judgePolicies(installed bool) Finding {
	switch {
	case d.err != nil && strings.Contains(d.err.Error(), policyRefusal):
		return ok("the ValidatingAdmissionPolicies refuse what they are to refuse")
	case apierrors.IsForbidden(d.err) && strings.Contains(d.err.Error(), "cannot create resource"):
		return skip("the caller may create no identity, so that they were not tried").fix("look as an administrator")
	case !installed:
		return skip("not installed yet")
	case d.err != nil:
		return skip("the webhook stands before them: %v", d.err)
	}
	return fail("an identity with the finalizer %q was admitted: its bindings and its Secret would stay for ever", orphan).fix("apply config/policy, the chart or the installer again")
}
