// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

func TestACertificateIsDoneOnceItIsReady(t *testing.T) {
	conditions := func(all ...any) map[string]any { return map[string]any{"conditions": all} }
	ready := conditions(map[string]any{"type": "Issuing", "status": "False"}, map[string]any{"type": "Ready", "status": "True"})
	for name, given := range map[string]struct {
		event  watch.EventType
		name   string
		status map[string]any
		done   int
	}{
		"ready":               {watch.Modified, "batch-1", ready, 1},
		"ready at once":       {watch.Added, "batch-1", ready, 1},
		"not ready":           {watch.Modified, "batch-1", conditions(map[string]any{"type": "Ready", "status": "False"}), 0},
		"issuing":             {watch.Modified, "batch-1", conditions(map[string]any{"type": "Issuing", "status": "True"}), 0},
		"without a status":    {watch.Added, "batch-1", nil, 0},
		"deleted":             {watch.Deleted, "batch-1", ready, 0},
		"of another batch":    {watch.Modified, "other-1", ready, 0},
		"one too many for it": {watch.Modified, "batch-7", ready, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := &batch{prefix: "batch", count: 2, stopwatch: newStopwatch(2, time.Now)}
			b.begin(0)
			b.begin(1)
			c := &certificates{}
			object := newCertificate(given.name)
			if given.status != nil {
				object.Object["status"] = given.status
			}
			c.see(watch.Event{Type: given.event, Object: object}) // nothing is waited for yet
			c.expect(b, certificateIsReady)
			c.see(watch.Event{Type: given.event, Object: object})
			if got := b.finished(); got != given.done {
				t.Errorf("%d are done, not %d", got, given.done)
			}
		})
	}
}

func TestWhoRestsTellsNobody(t *testing.T) {
	b := &batch{prefix: "batch", count: 1, stopwatch: newStopwatch(1, time.Now)}
	b.begin(0)
	c := &certificates{}
	c.expect(b, certificateIsReady)
	c.rest()
	object := newCertificate("batch-0")
	object.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
	c.see(watch.Event{Type: watch.Modified, Object: object})
	if b.finished() > 0 {
		t.Error("a batch that nobody waits for is told of its end")
	}
}

func TestADeletedCertificateIsGone(t *testing.T) {
	b := &batch{prefix: "batch", count: 1, stopwatch: newStopwatch(1, time.Now)}
	b.begin(0)
	c := &certificates{}
	c.expect(b, isGone)
	c.see(watch.Event{Type: watch.Modified, Object: newCertificate("batch-0")})
	if b.finished() > 0 {
		t.Error("one that is changed counts as deleted")
	}
	c.see(watch.Event{Type: watch.Deleted, Object: newCertificate("batch-0")})
	if b.finished() != 1 {
		t.Error("its end is not told")
	}
}
