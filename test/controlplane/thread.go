// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import "runtime"

// thread runs functions on one thread of the operating system. Linux sends the parent-death signal when the thread that
// started a process ends, not when the program does: hence one that lives as long as the processes.
type thread struct {
	calls chan func()
}

func newThread() *thread {
	t := &thread{calls: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for call := range t.calls {
			call()
		}
	}()
	return t
}

// do runs the function on the thread and waits for it.
func (t *thread) do(call func() error) error {
	result := make(chan error, 1)
	t.calls <- func() { result <- call() }
	return <-result
}

// close ends the thread.
func (t *thread) close() { close(t.calls) }
