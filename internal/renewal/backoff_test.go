// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"math"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	tests := map[string]struct {
		failed    int32
		remaining time.Duration
		want      time.Duration
	}{
		"waits ten seconds after the first failure":          {failed: 1, want: 10 * time.Second},
		"waits twice as long after each further one":         {failed: 4, want: 80 * time.Second},
		"waits half an hour, nearly, after nine":             {failed: 9, want: 2560 * time.Second},
		"waits at most an hour":                              {failed: 10, want: time.Hour},
		"waits at most an hour after ever so many":           {failed: math.MaxInt32, want: time.Hour},
		"waits at most a quarter of what remains":            {failed: 10, remaining: 20 * time.Minute, want: 5 * time.Minute},
		"waits at most an hour however much remains":         {failed: math.MaxInt32, remaining: math.MaxInt64, want: time.Hour},
		"waits at least ten seconds however little remains":  {failed: 10, remaining: time.Second, want: 10 * time.Second},
		"only doubles where the certificate ended":           {failed: 3, remaining: -time.Hour, want: 40 * time.Second},
		"waits ten seconds where no failure is known":        {failed: 0, want: 10 * time.Second},
		"waits ten seconds where the count is beyond reason": {failed: math.MinInt32, want: 10 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Backoff(test.failed, test.remaining); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestNextRetry(t *testing.T) {
	tests := map[string]struct {
		failed   int32
		notAfter time.Time
		want     time.Time
	}{
		"retries at once where nothing failed":               {},
		"retries after ten seconds where nothing is valid":   {failed: 1, want: asked.Add(10 * time.Second)},
		"retries after a quarter of what the failure left":   {failed: 8, notAfter: asked.Add(4 * time.Minute), want: asked.Add(time.Minute)},
		"only doubles where the certificate ended before it": {failed: 3, notAfter: asked.Add(-time.Hour), want: asked.Add(40 * time.Second)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, failure := range []time.Time{asked, asked.Add(999 * time.Millisecond)} {
				if got := NextRetry(failure, test.failed, test.notAfter); !got.Equal(test.want) {
					t.Errorf("got %s, want %s", got, test.want)
				}
			}
		})
	}
}

func TestATenMinuteCertificateGetsItsTries(t *testing.T) {
	v := issued(asked, 10*time.Minute)
	var tries int32
	for now := At(v, Policy{}, "uid"); now.Before(v.NotAfter); now = NextRetry(now, tries, v.NotAfter) {
		tries++
	}
	if tries < 6 || tries > 12 {
		t.Errorf("%d tries between the renewal time and the end, want 6 to 12", tries)
	}
}
