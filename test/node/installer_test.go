// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// installer is a way to install the operator, and to remove it, as the documentation has it.
type installer struct {
	install, remove func()
}

var installers = map[string]installer{
	"kubectl apply -k config/default": {
		install: func() { kubectl("apply", "-k", "config/default") },
		remove: func() {
			kubectl("delete", "-k", "config/default", "--ignore-not-found",
				"--selector=app.kubernetes.io/component notin (crd,credentials)")
		},
	},
}

// wipe removes everything, identities first, so that the next installation is the first one.
func wipe() {
	GinkgoHelper()
	if err := admin.List(ctx, &v1alpha1.ClientIdentityList{}); err == nil {
		kubectl("delete", "clientidentities", "--all", "--timeout=2m")
	}
	kubectl("delete", "-k", "config/samples", "--ignore-not-found")
	kubectl("delete", "-k", "config/default", "--ignore-not-found", "--timeout=2m")
	for _, name := range []string{operator.Namespace, operator.SecretNamespace} {
		err := admin.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "namespace %s: %v", name, err)
	}
}
