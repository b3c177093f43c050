// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestKstatus holds what the library says that Flux waits with (wait: true, healthChecks), as kubectl wait's users and kpt do.
func TestKstatus(t *testing.T) {
	want := map[string]status.Status{
		"new": status.InProgressStatus, "changed": status.InProgressStatus, "pending": status.InProgressStatus,
		"waiting": status.InProgressStatus, "withdrawing": status.InProgressStatus,
		"ready": status.CurrentStatus, "shortened": status.CurrentStatus, "at-risk": status.CurrentStatus, "revoked": status.CurrentStatus,
		"withdrawn": status.CurrentStatus, "ended": status.CurrentStatus,
		"stalled": status.FailedStatus, "renewal-denied": status.FailedStatus,
		"deleting": status.TerminatingStatus,
	}
	for _, file := range testdata(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		result, err := status.Compute(&unstructured.Unstructured{Object: object(t, file)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if result.Status != want[name] {
			t.Errorf("%s is %s (%s), want %q", name, result.Status, result.Message, want[name])
		}
	}
}
