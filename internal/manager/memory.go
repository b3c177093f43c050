// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

// memoryVariable is the variable of the environment that the Deployment sets to the memory limit of its container, in bytes: whoever
// changes that changes this with it, which no number in the manifest could do.
const memoryVariable = "MEMORY_LIMIT"

// garbage is how large the heap may grow beyond what was alive, in percent, before the garbage collector works again. Go's own 100 makes
// a pod of a thousand identities a tenth larger, and nothing faster that can be measured.
const garbage = 60

// LimitMemory tells Go's garbage collector how much garbage there may be, and four fifths of the memory limit of the container, so that it
// works harder before the pod is killed: the last fifth is for what is none of Go's, mostly pages of the program's file, which the kernel
// reads again where it must take them back. It returns the limit that it was told, in bytes. Where GOGC or GOMEMLIMIT is set, that counts.
func LimitMemory() int64 {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	debug.SetMemoryLimit(memoryLimit(os.Getenv(memoryVariable), os.Getenv("GOMEMLIMIT")))
	return debug.SetMemoryLimit(-1)
}

// memoryLimit returns what to tell the garbage collector; -1 for nothing new.
func memoryLimit(container, own string) int64 {
	limit, err := strconv.ParseInt(container, 10, 64)
	if err != nil || limit <= 0 || limit == math.MaxInt64 || own != "" {
		return -1
	}
	return limit - limit/5
}
