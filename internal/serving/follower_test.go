// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestThatNobodyAsksIsToldOnce(t *testing.T) {
	w := newWorld(t)
	var told []string
	logger := funcr.New(func(_, line string) {
		if strings.Contains(line, "about identities") {
			told = append(told, line)
		}
	}, funcr.Options{})
	follow := func() {
		t.Helper()
		if _, err := w.follower.Reconcile(log.IntoContext(t.Context(), logger), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	w.settle(false)
	follow()
	if len(told) != 0 {
		t.Fatalf("with a configuration the log says %q", told)
	}

	is := w.follower.configuration
	w.follower.configuration = "missing"
	follow()
	follow()
	w.follower.configuration = is
	follow()
	if len(told) != 2 || !strings.Contains(told[0], "WARNING") || slices.ContainsFunc(told[1:], func(line string) bool { return strings.Contains(line, "WARNING") }) {
		t.Errorf("the log says %q: want one warning, and that it has ended", told)
	}
}
