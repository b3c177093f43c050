// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const (
	// lookEvery is the time between two looks at what is waited for: only the right to get is needed.
	lookEvery = 250 * time.Millisecond
	// waitTimeout is how long is waited by default. The operator needs less than a second for most things; signers may need a person.
	waitTimeout = 2 * time.Minute
)

// waiting is the flags of commands that wait for what they have asked for.
type waiting struct {
	wait    bool
	timeout time.Duration
}

// addTo adds the flags to a command.
func (w *waiting) addTo(cmd *cobra.Command, what string) {
	cmd.Flags().BoolVar(&w.wait, "wait", true, "Wait until "+what+".")
	cmd.Flags().DurationVar(&w.timeout, "timeout", waitTimeout, "How long to wait: it goes on without you after that.")
}

// progress is how it stands with what is waited for.
type progress struct {
	// done ends the waiting.
	done bool
	// now says for people what is waited for; it is printed where it changes.
	now string
}

// until looks at an identity until what is waited for is done, and returns it as it was then. It says on the standard error how it goes on.
// judge is pure; an error of it ends the waiting.
func (w *waiting) until(ctx context.Context, env *Env, c client.Client, asked *v1alpha1.ClientIdentity, judge func(*v1alpha1.ClientIdentity) (progress, error)) (*v1alpha1.ClientIdentity, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	said := ""
	say := func(now string) {
		if now = clean(now); now != said {
			said = now
			fmt.Fprintf(env.ErrOut, "%s: %s\n", asked.Name, said)
		}
	}
	for {
		identity := &v1alpha1.ClientIdentity{}
		err := c.Get(ctx, client.ObjectKeyFromObject(asked), identity)
		switch {
		case err == nil && identity.UID != asked.UID:
			return nil, fmt.Errorf("ClientIdentity %q was deleted, and made anew, meanwhile", asked.Name)
		case apierrors.IsNotFound(err):
			return nil, fmt.Errorf("ClientIdentity %q was deleted meanwhile", asked.Name)
		case err == nil:
			found, err := judge(identity)
			if err != nil || found.done {
				return identity, err
			}
			say(found.now)
		case ctx.Err() != nil:
		case passing(err):
			say("the API server does not answer: " + err.Error())
		default:
			return nil, fmt.Errorf("read ClientIdentity %q: %w", asked.Name, err)
		}
		select {
		case <-ctx.Done():
			return nil, w.gaveUp(ctx, asked.Name, said)
		case <-time.After(lookEvery):
		}
	}
}

// passing says whether an error may be gone with the next look.
func passing(err error) bool {
	return apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) ||
		apierrors.ReasonForError(err) == metav1.StatusReasonUnknown // the API server could not be reached
}

func (w *waiting) gaveUp(ctx context.Context, name, said string) error {
	why := fmt.Sprintf("not done within %s", w.timeout)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		why = "interrupted"
	}
	return fmt.Errorf("%s: %s: %s. What was asked for stands in the ClientIdentity, and goes on without you: see kubectl clientidentity status %s",
		name, why, cmp.Or(said, "the API server has not answered"), name)
}

// seen says whether the operator has looked at what an identity asks for now.
func seen(identity *v1alpha1.ClientIdentity) bool {
	return identity.Status.ObservedGeneration >= identity.Generation
}

// notLookedAt is what is waited for while it has not.
const notLookedAt = "waiting for the operator to look at it"

// conditionOf returns a condition of an identity, or an empty one.
func conditionOf(identity *v1alpha1.ClientIdentity, conditionType string) metav1.Condition {
	if c := meta.FindStatusCondition(identity.Status.Conditions, conditionType); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// isTrue says whether a condition of an identity is True.
func isTrue(identity *v1alpha1.ClientIdentity, conditionType string) bool {
	return conditionOf(identity, conditionType).Status == metav1.ConditionTrue
}

// inTheWay says what keeps an identity from being as it is asked for.
func inTheWay(identity *v1alpha1.ClientIdentity) string {
	if !seen(identity) {
		return notLookedAt
	}
	for _, conditionType := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReady, v1alpha1.ConditionCertificateIssued} {
		c := conditionOf(identity, conditionType)
		if c.Reason != "" && (c.Status == metav1.ConditionTrue) == (conditionType == v1alpha1.ConditionStalled) {
			return c.Reason + ": " + c.Message
		}
	}
	return "waiting for the operator"
}
