// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// election is the name of the logger of the leader election, as controller-runtime gives it.
const election = "leaderelection"

// races tells as information, without a stack trace, what the leader election calls an error: that another replica was faster. That
// is what it is there for, and happens wherever two start at the same time, or stand by when a third one ends.
type races struct {
	logr.LogSink
	election bool
}

// withoutRaces returns a logger that knows no error in another replica's being faster.
func withoutRaces(logger logr.Logger) logr.Logger {
	return logger.WithSink(races{LogSink: logger.GetSink()})
}

// Error logs an error, or that another replica was faster.
func (r races) Error(err error, message string, keysAndValues ...any) {
	if r.election && (apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err)) {
		r.Info(0, "another replica was faster", append(keysAndValues, "while", message)...)
		return
	}
	r.LogSink.Error(err, message, keysAndValues...)
}

// WithName returns a sink with one more name.
func (r races) WithName(name string) logr.LogSink {
	return races{r.LogSink.WithName(name), r.election || name == election}
}

// WithValues returns a sink with more values.
func (r races) WithValues(keysAndValues ...any) logr.LogSink {
	return races{r.LogSink.WithValues(keysAndValues...), r.election}
}

// WithCallDepth returns a sink that looks for its caller further up.
func (r races) WithCallDepth(depth int) logr.LogSink {
	if deep, ok := r.LogSink.(logr.CallDepthLogSink); ok {
		return races{deep.WithCallDepth(depth), r.election}
	}
	return r
}
