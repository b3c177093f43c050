// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestThatAnotherReplicaWasFasterIsNoError(t *testing.T) {
	leases := schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
	exists, conflict := apierrors.NewAlreadyExists(leases, "name"), apierrors.NewConflict(leases, "name", errors.New("changed"))
	for name, test := range map[string]struct {
		logger string
		err    error
		want   string
	}{
		"the lease was there":          {election, exists, `"level":"info"`},
		"the lease was taken":          {election, conflict, `"level":"info"`},
		"the lease cannot be reached":  {election, errors.New("refused"), `"level":"error"`},
		"the lease may not be written": {election, apierrors.NewForbidden(leases, "name", nil), `"level":"error"`},
		"something else was there":     {"other", exists, `"level":"error"`},
		"something else was changed":   {"other", conflict, `"level":"error"`},
	} {
		t.Run(name, func(t *testing.T) {
			logging, out := parseLogging(t)
			logger := logging.Use().WithName(test.logger).WithValues("lock", "a/b")
			logger.Error(test.err, "Failed to update lease")
			got := out.String()
			if !strings.Contains(got, test.want) || !strings.Contains(got, "Failed to update lease") || !strings.Contains(got, "a/b") {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if traced := strings.Contains(got, "stacktrace"); traced != strings.Contains(test.want, "error") {
				t.Errorf("a stack trace: %t: %s", traced, got)
			}
		})
	}
}
