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

func TestJoinTellsTheMostTellingAndLooksAgainAtTheSoonest(t *testing.T) {
	unknown := errors.New("500")
	later, sooner, watched := NewWaiting("Later", time.Hour, "later"), NewWaiting("Sooner", time.Minute, "sooner"), NewWaiting("Watched", 0, "watched")
	for name, test := range map[string]struct {
		given []error
		want  error
		retry time.Duration
	}{
		"nothing of nothing":                            {[]error{nil, nil}, nil, 0},
		"an unknown error before what a watch ends":     {[]error{watched, unknown}, unknown, 0},
		"the first problem, as soon as another one":     {[]error{watched, later, nil, sooner}, watched, time.Minute},
		"one alone as it is":                            {[]error{later}, later, time.Hour},
		"a problem before a cache that is behind, soon": {[]error{ErrStale, watched}, watched, time.Second},
		"a cache that is behind, alone":                 {[]error{nil, ErrStale}, ErrStale, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := Join(test.given...)
			if want := As(test.want); want != nil {
				known := As(got)
				if known == nil || known.Reason != want.Reason || known.Retry != test.retry {
					t.Errorf("got %+v, want %s after %s", got, want.Reason, test.retry)
				}
			} else if !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if later.Retry != time.Hour || watched.Retry != 0 {
		t.Error("what was given is changed")
	}
}
