// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestProblemsSayWhoCanFixThem(t *testing.T) {
	for name, test := range map[string]struct {
		given *Problem
		want  Problem
	}{
		"a transient one":                       {NewTransient("Unavailable", "%s is %d%% down", "it", 50), Problem{Class: Transient, Reason: "Unavailable", Message: "it is 50% down"}},
		"one that waits for a watch":            {NewWaiting("Pending", 0, "waits"), Problem{Class: Waiting, Reason: "Pending", Message: "waits"}},
		"one that waits for no watch":           {NewWaiting("Pending", time.Minute, "waits"), Problem{Class: Waiting, Reason: "Pending", Message: "waits", Retry: time.Minute}},
		"a stalled one":                         {NewStalled("Denied", "%s", "no: 100%"), Problem{Class: Stalled, Reason: "Denied", Message: "no: 100%"}},
		"a stalled one of which no watch tells": {NewStalled("Denied", "no").Again(time.Hour), Problem{Class: Stalled, Reason: "Denied", Message: "no", Retry: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, *test.given); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.given.Error() != test.want.Message {
				t.Errorf("says %q", test.given.Error())
			}
		})
	}
}

func TestWhatToSayOfAnError(t *testing.T) {
	denied := NewStalled(v1alpha1.ReasonDenied, "no")
	conflict := NewWaiting(v1alpha1.ReasonBindingConflict, time.Minute, "taken")
	timeout := errors.New("timeout")
	unavailable := func(message string) *Problem { return NewTransient(v1alpha1.ReasonUnavailable, "%s", message) }

	for name, test := range map[string]struct {
		err        error
		known, say *Problem
	}{
		"nothing":                              {nil, nil, nil},
		"a problem":                            {denied, denied, denied},
		"a problem with more context":          {fmt.Errorf("request: %w", denied), denied, denied},
		"the first of two problems":            {errors.Join(conflict, denied), conflict, conflict},
		"a problem beside an error":            {errors.Join(timeout, denied), denied, denied},
		"an error that nothing is known of":    {fmt.Errorf("read Secret: %w", timeout), nil, unavailable("read Secret: timeout")},
		"a cache that is behind is no problem": {ErrStale, nil, unavailable("the cache is behind the API server")},
		"what is cut where others wrote it":    {errors.New(strings.Repeat("ü", 5000)), nil, unavailable(strings.Repeat("ü", (MaxMessage-4)/2) + " ...")},
		"a message with percent signs":         {errors.New("100%d"), nil, unavailable("100%d")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := As(test.err); got != test.known {
				t.Errorf("takes it for %+v, want %+v", got, test.known)
			}
			if diff := cmp.Diff(test.say, Of(test.err)); diff != "" {
				t.Errorf("says (-want +got):\n%s", diff)
			}
		})
	}
}
