// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"context"
	"errors"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/denial"
)

// answers are what an API server says to one try after another; the last one again and again.
type answers struct {
	errs  []error
	asked int
}

func (a *answers) WhoAmI(context.Context, []byte, []byte) (authenticationv1.UserInfo, error) {
	a.asked++
	err := a.errs[0]
	if len(a.errs) > 1 {
		a.errs = a.errs[1:]
	}
	return authenticationv1.UserInfo{}, err
}

var (
	reviews    = schema.GroupResource{Group: "authentication.k8s.io", Resource: "selfsubjectreviews"}
	denied     = apierrors.NewForbidden(reviews, "", errors.New(denial.DeletedMessage))
	noRight    = apierrors.NewForbidden(reviews, "", errors.New("no rule of RBAC lets it"))
	notTrusted = apierrors.NewUnauthorized("Unauthorized")
	errDown    = errors.New("connection refused")
)

func TestARoundOfTries(t *testing.T) {
	for name, test := range map[string]struct {
		answers          []error
		answered, leaked bool
		failed           bool
		asked            int
	}{
		"all denied":                        {[]error{denied}, true, false, false, 3},
		"all let through":                   {[]error{nil}, true, true, false, 1},
		"the last one let through":          {[]error{denied, denied, nil}, true, true, false, 3},
		"refused by RBAC, since not denied": {[]error{noRight}, true, true, false, 1},
		"no answer":                         {[]error{denied, errDown}, false, false, true, 2},
		"not accepted any more":             {[]error{notTrusted}, false, false, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			prover := &answers{errs: test.answers}
			c := &Check{Prover: prover, Clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0)), chain: []byte("x"), renewAt: time.Unix(1, 0)}
			answered, leaked, err := c.try(t.Context(), 3)
			if answered != test.answered || leaked != test.leaked || (err != nil) != test.failed || prover.asked != test.asked {
				t.Errorf("answered %t, leaked %t, %v, asked %d times", answered, leaked, err, prover.asked)
			}
			if (c.chain == nil) != apierrors.IsUnauthorized(test.answers[0]) {
				t.Error("keeps a certificate that is not accepted, or drops one that is")
			}
		})
	}
}

// TestWhatChangesIsTold: nothing else wakes the identities that say how far a revocation reaches.
func TestWhatChangesIsTold(t *testing.T) {
	var told []v1alpha1.RevocationReach
	prover := &answers{errs: []error{denied}}
	c := &Check{
		Prover: prover, Clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0)), chain: []byte("x"), renewAt: time.Unix(1, 0),
		Changed: func(reach v1alpha1.RevocationReach) { told = append(told, reach) },
	}
	for range 3 {
		c.look(t.Context(), 1)
	}
	prover.errs = []error{nil}
	for range 3 {
		c.look(t.Context(), 1)
	}
	if len(told) != 2 || told[0] != v1alpha1.ReachAPIServer || told[1] != v1alpha1.ReachBindings || c.Reach() != v1alpha1.ReachBindings {
		t.Errorf("told %q, reaches %q", told, c.Reach())
	}
}

// TestARequestLeavesNothingBehind: neither one that cannot be approved, nor one that nobody signs.
func TestARequestLeavesNothingBehind(t *testing.T) {
	refused := errors.New("approval is refused")
	client := fake.NewClientset()
	client.PrependReactor("update", "certificatesigningrequests", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return action.GetSubresource() == "approval", nil, refused
	})
	c := &Check{Client: client, Clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0)), SignerName: certificatesv1.KubeAPIServerClientSignerName}
	if answered, _, err := c.try(t.Context(), 1); answered || !errors.Is(err, refused) {
		t.Errorf("answered %t, %v", answered, err)
	}
	verbs := map[string]int{}
	for _, action := range client.Actions() {
		verbs[action.GetVerb()]++
	}
	if verbs["create"] != 1 || verbs["delete"] != 1 {
		t.Errorf("made and deleted %v", verbs)
	}
}
