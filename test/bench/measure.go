// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/clientidentity/operator/test/bench/result"
	"github.com/clientidentity/operator/test/controlplane"
)

// components are the processes of the control plane, by the names that results have.
var components = []controlplane.Component{controlplane.APIServer, controlplane.Etcd, controlplane.ControllerManager}

// processors returns the time of the processor that each process has used.
func (w *world) processors(s subject) map[string]time.Duration {
	used := map[string]time.Duration{"client": cpuOf(os.Getpid())}
	if cpu := s.cpu(); cpu > 0 {
		used[string(s.name())] = cpu
	}
	for _, c := range components {
		if pid, err := w.cp.PID(c); err == nil {
			used[string(c)] = cpuOf(pid)
		}
	}
	return used
}

// requests returns the requests that were not this process' own, as the administrator.
func (w *world) requests(ctx context.Context) (requests, error) {
	all, err := w.apiServer.requests(ctx)
	return all.minus(w.own.requests()), err
}

// Idle is when what is measured used less than that of a processor, for that long.
const (
	idleWindow = time.Second
	idleShare  = 0.03
	idleBound  = 30 * time.Second
)

// settle waits until the subject and those who work for it are idle: what comes after the last effect, such as events, is counted, too.
// It returns since when they are, and is content with a control plane that is never idle.
func (w *world) settle(ctx context.Context, s subject) (since time.Time, err error) {
	total := func() (sum time.Duration) {
		for name, used := range w.processors(s) {
			if name != "client" && name != string(controlplane.Etcd) { // which goes on writing to its disk
				sum += used
			}
		}
		return sum
	}
	for end := time.Now().Add(idleBound); ; {
		since, before := time.Now(), total()
		if err := pause(ctx, idleWindow); err != nil {
			return since, err
		}
		if time.Now().After(end) || (total()-before).Seconds() < idleShare*idleWindow.Seconds() {
			return since, nil
		}
	}
}

// measure measures one phase of a batch, and records it.
func (w *world) measure(ctx context.Context, s subject, phase result.Phase, b *batch, round int) error {
	b.stopwatch = newStopwatch(b.count, time.Now)
	counted, err := w.requests(ctx)
	if err != nil {
		return err
	}
	used := w.processors(s)
	stop := w.follow(s, phase, b, round)
	began := time.Now()
	err = w.carryOut(ctx, s, phase, b)
	took := time.Since(began)
	stop()
	if err != nil {
		return err
	}
	idle, err := w.settle(ctx, s)
	if err != nil {
		return err
	}
	if phase == result.Restart {
		took = idle.Sub(began)
	}
	m := result.Measurement{Phase: phase, Subject: s.name(), Identities: b.count, Round: round, CPU: map[string]float64{}, Requests: map[string]float64{}}
	each := float64(b.count)
	if phase.Whole() {
		each = 1
	}
	for name, now := range w.processors(s) {
		m.CPU[name] = milliseconds(now-used[name]) / each
	}
	after, err := w.requests(ctx)
	if err != nil {
		return err
	}
	for name, count := range after.minus(counted) {
		m.Requests[name] = count / each
	}
	w.times(&m, took, b)
	if err := w.memory(ctx, s, &m); err != nil {
		return err
	}
	return w.record(m)
}

// carryOut does a phase, until each change has had its effect.
func (w *world) carryOut(ctx context.Context, s subject, phase result.Phase, b *batch) error {
	defer w.observer.rest()
	err := s.carryOut(ctx, phase, b)
	if err == nil && !phase.Whole() {
		err = b.waitAll(ctx)
	}
	return err
}

// times adds how long it took. Where there is an end that no identity tells of, that counts.
func (w *world) times(m *result.Measurement, took time.Duration, b *batch) {
	m.Seconds = took.Seconds()
	if b.finished() == b.count && m.Phase != result.Delete {
		m.Seconds = b.elapsed().Seconds()
		m.Latency = b.latency()
	}
	if m.Phase == result.Issue {
		m.Curve = b.curve()
	}
	if !m.Phase.Whole() {
		m.PerSecond = float64(m.Identities) / m.Seconds
	}
}

func (w *world) memory(ctx context.Context, s subject, m *result.Measurement) error {
	memory, err := s.memory(ctx)
	m.LiveHeapBytes, m.ResidentBytes, m.PeakResidentBytes = memory.live, memory.resident, memory.peak
	return err
}

// record adds a measurement to the document, and writes that: a run that is interrupted leaves what it has measured.
func (w *world) record(m result.Measurement) error {
	w.document.Phases = append(w.document.Phases, m)
	setRatios(w.document.Phases)
	w.say("%s", sentence(w.document.Phases[len(w.document.Phases)-1]))
	return w.document.Write(w.json)
}

// setRatios sets the ratios of the operator to the bare client.
func setRatios(all []result.Measurement) {
	for i := range all {
		m := &all[i]
		k := slices.IndexFunc(all, func(other result.Measurement) bool {
			return other.Subject == result.Bare && other.Phase == m.Phase && other.Round == m.Round
		})
		if m.Subject == result.Operator && k >= 0 && all[k].PerSecond > 0 {
			m.Ratio = m.PerSecond / all[k].PerSecond
		}
	}
}

// follow tells of the progress of a batch every few seconds, until stop is called.
func (w *world) follow(s subject, phase result.Phase, b *batch, round int) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		const every = 5 * time.Second
		before := 0
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				now := b.finished()
				w.say("round %d, %s, %s: %d of %d, %.0f/s", round, s.name(), phase, now, b.count, float64(now-before)/every.Seconds())
				before = now
			}
		}
	}()
	return func() { close(end); <-ended }
}
