// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// deployment is the name of the operator's Deployment.
const deployment = "client-identity-operator"

// newClient returns a client for all types that are looked at.
func newClient(connection *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return client.New(connection, client.Options{Scheme: scheme})
}

// callerLook is whom the API server takes the caller for.
type callerLook struct {
	user authenticationv1.UserInfo
	err  error
}

func (p *probe) lookAtCaller(ctx context.Context) Finding {
	review, err := p.clientset.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	p.caller.err = err
	if err == nil {
		p.caller.user = review.Status.UserInfo
		p.report.Facts.Caller = foreign(review.Status.UserInfo.Username)
	}
	return p.caller.judge(p.operatorUser())
}

// operatorUser is the operator's user name.
func (p *probe) operatorUser() string {
	return fmt.Sprintf("system:serviceaccount:%s:%s", p.Namespace, p.ServiceAccount)
}

// isOperator says whether the caller is the operator.
func (p *probe) isOperator() bool { return p.caller.user.Username == p.operatorUser() }

func (l callerLook) judge(operator string) Finding {
	switch {
	case apierrors.IsUnauthorized(l.err):
		return fail("the API server does not know the caller: %v", l.err).fix("renew the credential in the kubeconfig")
	case l.err != nil:
		return warn("the API server does not say whom it takes the caller for: %v", l.err)
	case l.user.Username == operator:
		return ok("looks as the operator itself, %s", l.user.Username)
	}
	return ok("looks as %s", l.user.Username)
}

// operatorLook is what is there of the operator.
type operatorLook struct {
	// crd says whether the API server serves ClientIdentities.
	crd bool
	// account says whether its ServiceAccount is there; known unless the caller may not see it.
	account, accountKnown bool
	// arguments are those of its Deployment, nil where that is not there or cannot be seen.
	arguments []string
	available int32
	wanted    int32
	err       error
	// settingsErr is that its arguments are not understood.
	settingsErr error
}

// installed says whether the operator is installed.
func (l *operatorLook) installed() bool { return l.crd && (l.account || !l.accountKnown) }

func (p *probe) lookAtOperator(ctx context.Context) Finding {
	look := &p.operator
	look.crd, look.err = p.servesIdentities()
	var account corev1.ServiceAccount
	err := p.objects.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: p.ServiceAccount}, &account)
	look.account, look.accountKnown = err == nil, err == nil || apierrors.IsNotFound(err)
	if p.isOperator() {
		look.account, look.accountKnown = true, true
	}
	var deployed appsv1.Deployment
	if p.objects.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: deployment}, &deployed) == nil {
		look.available, look.wanted = deployed.Status.AvailableReplicas, ptr.Deref(deployed.Spec.Replicas, 1)
		if i := slices.IndexFunc(deployed.Spec.Template.Spec.Containers, func(c corev1.Container) bool { return c.Name == "manager" }); i >= 0 {
			look.arguments = append([]string{}, deployed.Spec.Template.Spec.Containers[i].Args...)
		}
	}
	if look.arguments != nil {
		settings, err := p.Options.Settings(look.arguments)
		if look.settingsErr = err; err == nil {
			settings.Source = cmp.Or(settings.Source, fmt.Sprintf("Deployment %s/%s", p.Namespace, deployment))
			p.settings = settings
		}
	}
	installed := look.installed()
	p.report.Facts.Installed = &installed
	return look.judge(p.Namespace, p.ServiceAccount)
}

// servesIdentities says whether the CRD is there. Everybody may ask what the API server serves.
func (p *probe) servesIdentities() (bool, error) {
	resources, err := p.clientset.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == "clientidentities" }), nil
}

func (l *operatorLook) judge(namespace, account string) Finding {
	switch {
	case l.err != nil:
		return fail("the API server does not say whether it serves ClientIdentities: %v", l.err)
	case l.settingsErr != nil:
		return warn("the arguments of the operator that is installed are of another version: %v", l.settingsErr)
	case !l.crd && !l.account:
		return ok("not installed yet")
	case !l.crd:
		return fail("ServiceAccount %s/%s is there, and the CRD is not", namespace, account).fix("apply config/crd, the chart or the installer again")
	case !l.installed():
		return ok("the CRD is installed, and the operator is not, in namespace %s", namespace).fix("if it is elsewhere, set --namespace and --service-account")
	case l.arguments == nil:
		return ok("installed")
	case l.wanted > 0 && l.available == 0:
		return fail("installed, and none of %d replicas is available", l.wanted).fix("kubectl logs -n %s deployment/%s", namespace, deployment)
	case l.available < l.wanted:
		return warn("installed; %d of %d replicas are available", l.available, l.wanted).fix("kubectl get pods -n %s", namespace)
	}
	return ok("installed, %s available", plural(int(l.available), "replica"))
}

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %s", n, strings.TrimSuffix(thing, "s")+"s")
}
