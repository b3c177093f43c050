// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// answers lets people impersonate groups, and do nothing else, and counts what it is asked.
type answers struct {
	client.Client
	asked int
}

func (a *answers) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	review := object.(*authorizationv1.SubjectAccessReview)
	review.Status.Allowed = review.Spec.ResourceAttributes.Resource == "groups"
	a.asked++
	return nil
}

func TestWhatSomebodyWasAllowedAMomentAgoIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &answers{}
		each := NewReviewer(server)
		sharing := each.Sharing(time.Second)
		flux := authenticationv1.UserInfo{Username: "flux", Groups: []string{"gitops"}, Extra: map[string]authenticationv1.ExtraValue{"a": {"1"}, "b": {"2"}}}
		demoted := flux
		demoted.Groups = nil
		group, user := Permission{Verb: "impersonate", Resource: "groups", Name: "developers"}, Permission{Verb: "impersonate", Resource: "users", Name: "alice"}
		for _, step := range []struct {
			name     string
			reviewer *Reviewer
			who      authenticationv1.UserInfo
			what     Permission
			after    time.Duration
			want     int
		}{
			{"the first time", sharing, flux, group, 0, 1},
			{"the same again", sharing, flux, group, 500 * time.Millisecond, 0},
			{"by somebody else", sharing, demoted, group, 0, 1},
			{"about something else", sharing, flux, Permission{Verb: "impersonate", Resource: "groups", Name: "admins"}, 0, 1},
			{"where each is asked for", each, flux, group, 0, 1},
			{"not so long after the first time, however often meanwhile", sharing, flux, group, 501 * time.Millisecond, 1},
			{"what is not allowed", sharing, flux, user, 0, 1},
			{"what is not allowed, again", sharing, flux, user, 0, 1},
		} {
			time.Sleep(step.after)
			before := server.asked
			missing, err := step.reviewer.Missing(t.Context(), step.who, []Permission{step.what})
			if err != nil {
				t.Fatal(err)
			}
			if allowed := len(missing) == 0; allowed != (step.what.Resource == "groups") {
				t.Errorf("%s: allowed is %v", step.name, allowed)
			}
			if got := server.asked - before; got != step.want {
				t.Errorf("%s: asked %d times, want %d", step.name, got, step.want)
			}
		}
	})
}

func TestActingTakesTheCredentialGroupWhereBindingsNameIt(t *testing.T) {
	identity := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{UID: "c9f3b3e4-0000-4000-8000-000000000000"},
		Spec:       v1alpha1.ClientIdentitySpec{Username: "alice", Groups: []string{"developers"}, RevokeIssuedBefore: &metav1.Time{Time: time.Unix(7, 0)}},
	}
	want := []Permission{{Verb: "impersonate", Resource: "users", Name: "alice"}, {Verb: "impersonate", Resource: "groups", Name: "developers"}}
	if got := Acting(identity); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	identity.Spec.BindTo = v1alpha1.BindToCredential
	want = append(want, Permission{Verb: "impersonate", Resource: "groups", Name: "clientidentity.dev:c9f3b3e4000040008000000000000000:7"})
	if got := Acting(identity); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
