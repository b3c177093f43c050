// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// enforceLabel is the level of Pod Security that a namespace enforces.
const enforceLabel = "pod-security.kubernetes.io/enforce"

// namespaceLook is what is known of a namespace.
type namespaceLook struct {
	name        string
	missing     bool
	terminating bool
	enforces    string
	err         error
}

func (p *probe) lookAtNamespace(ctx context.Context, name string) namespaceLook {
	var namespace corev1.Namespace
	err := p.objects.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	if apierrors.IsNotFound(err) {
		return namespaceLook{name: name, missing: true}
	}
	return namespaceLook{name: name, err: err, terminating: namespace.DeletionTimestamp != nil, enforces: namespace.Labels[enforceLabel]}
}

func (p *probe) lookAtSecretNamespaces(ctx context.Context) Finding {
	if slices.Equal(p.settings.SecretNamespaces, []string{everywhere}) {
		return ok("Secrets may be published in every namespace")
	}
	var looks []namespaceLook
	for _, name := range p.settings.SecretNamespaces {
		looks = append(looks, p.lookAtNamespace(ctx, name))
	}
	return judgeSecretNamespaces(looks, p.operator.installed())
}

func judgeSecretNamespaces(looks []namespaceLook, installed bool) Finding {
	var names, toBeMade []string
	for _, l := range looks {
		names = append(names, l.name)
		switch {
		case apierrors.IsForbidden(l.err):
			return skip("the caller may not see namespace %s", l.name)
		case l.err != nil:
			return fail("namespace %s cannot be read: %v", l.name, l.err)
		case l.terminating:
			return fail("namespace %s is being deleted: nothing can be published there", l.name).fix("wait until it is gone, and make it again")
		case l.missing && (installed || l.name != shippedSecretNamespace):
			return fail("namespace %s does not exist, and the operator makes none", l.name).fix("kubectl create namespace %s", l.name)
		case l.missing:
			toBeMade = append(toBeMade, l.name)
		}
	}
	if len(toBeMade) > 0 {
		return ok("%s: the installation makes %s", strings.Join(names, ", "), strings.Join(toBeMade, ", "))
	}
	return ok("%s", strings.Join(names, ", "))
}

func (p *probe) lookAtPodSecurity(ctx context.Context) Finding {
	return p.lookAtNamespace(ctx, p.Namespace).judgePodSecurity(p.operator.installed())
}

// judgePodSecurity says whether the operator's pods may run. They ask for nothing that the strictest level does not allow.
func (l namespaceLook) judgePodSecurity(installed bool) Finding {
	switch {
	case apierrors.IsForbidden(l.err):
		return skip("the caller may not see namespace %s", l.name)
	case l.err != nil:
		return fail("namespace %s cannot be read: %v", l.name, l.err)
	case l.missing && installed:
		return skip("namespace %s does not exist", l.name).fix("set --namespace to where the operator is")
	case l.missing:
		return ok("the installation makes namespace %s, which enforces restricted", l.name)
	case l.terminating:
		return fail("namespace %s is being deleted", l.name).fix("wait until it is gone, and install again")
	case l.enforces != "restricted":
		level := "nothing"
		if l.enforces != "" {
			level = l.enforces
		}
		return warn("namespace %s enforces %s: the operator runs under restricted, and whoever makes pods there becomes the operator", l.name, level).
			fix("%s", fmt.Sprintf("kubectl label namespace %s %s=restricted --overwrite", l.name, enforceLabel))
	}
	return ok("namespace %s enforces restricted, under which the operator runs", l.name)
}
