// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestHolderRole(t *testing.T) {
	create := Right{APIGroup: "certificates.k8s.io", Resource: "certificatesigningrequests", Verb: "create"}
	get, list := create, create
	get.Verb, list.Verb = "get", "list"
	shipped := []Right{create, get}
	for name, test := range map[string]struct {
		look holderRole
		want verdict
	}{
		"as shipped":   {holderRole{given: []Right{get, create}, shipped: shipped}, verdict{OK, "nothing else", ""}},
		"gone":         {holderRole{err: apierrors.NewNotFound(schema.GroupResource{}, "x"), shipped: shipped}, verdict{Fail, "does not exist", "again"}},
		"hidden":       {holderRole{err: forbidden, shipped: shipped}, verdict{Skip, "may not see", ""}},
		"out of reach": {holderRole{err: errDown, shipped: shipped}, verdict{Fail, "connection refused", ""}},
		"with URLs": {holderRole{given: append(rightsOfRules([]rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}), shipped...), shipped: shipped},
			verdict{Fail, "get /metrics", "again"}},
		"with a verb more":        {holderRole{given: []Right{create, get, list}, shipped: shipped}, verdict{Fail, "list certificatesigningrequests.certificates.k8s.io", "again"}},
		"with other things":       {holderRole{given: []Right{{Resource: "secrets", Verb: "get"}}, shipped: shipped}, verdict{Fail, "get secrets", "again"}},
		"with a verb less":        {holderRole{given: []Right{create}, shipped: shipped}, verdict{Fail, "does not let holders get", "again"}},
		"with what it is not for": {holderRole{given: []Right{create, {APIGroup: "certificates.k8s.io", Resource: "certificatesigningrequests", Name: "x", Verb: "get"}}, shipped: shipped}, verdict{Fail, "get certificatesigningrequests.certificates.k8s.io x", "again"}},
	} {
		t.Run(name, func(t *testing.T) { test.want.check(t, test.look.judge()) })
	}
}
