// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// acting is what all commands have that change one identity.
type acting struct {
	env     *Env
	waiting waiting
	dry     dryRun
	out     *Output
}

// addTo adds the flags to a command.
func (a *acting) addTo(cmd *cobra.Command, waitsUntil string) {
	a.waiting.addTo(cmd, waitsUntil)
	a.dry.addTo(cmd)
	a.out = NewOutput(cmd, false)
}

// subject is an identity that is to be changed.
type subject struct {
	client   client.Client
	identity *v1alpha1.ClientIdentity
	// now is the time of the API server.
	now time.Time
}

// begin reads the identity that is to be changed.
func (a *acting) begin(ctx context.Context, name string) (*subject, error) {
	if err := a.dry.check(); err != nil {
		return nil, err
	}
	c, clock, err := a.env.timedClient()
	if err != nil {
		return nil, err
	}
	identity, err := Identity(ctx, c, name)
	if err != nil {
		return nil, err
	}
	return &subject{c, identity, clock.Now()}, nil
}

// waits says whether what was asked for is waited for.
func (a *acting) waits() bool { return a.waiting.wait && !a.dry.on() }

// say prints a line about an identity for people.
func (a *acting) say(identity *v1alpha1.ClientIdentity, format string, args ...any) {
	fmt.Fprintf(a.env.Out, "%s: %s%s\n", identity.Name, fmt.Sprintf(format, args...), a.dry.suffix())
}

// warn prints a line about an identity where it is not in the way of a program that reads the output.
func (a *acting) warn(identity *v1alpha1.ClientIdentity, format string, args ...any) {
	fmt.Fprintf(a.env.ErrOut, "%s: Warning: %s\n", identity.Name, clean(fmt.Sprintf(format, args...)))
}

// revocationAt returns the time to revoke with: now, or a second after the one before, which may be of this very second.
func revocationAt(identity *v1alpha1.ClientIdentity, now time.Time) metav1.Time {
	at := now.UTC().Truncate(time.Second)
	if before := timing.Value(identity.Spec.RevokeIssuedBefore); !before.IsZero() && !at.After(before) {
		at = before.UTC().Truncate(time.Second).Add(time.Second)
	}
	return metav1.Time{Time: at}
}
