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

// LimitMemory tells Go's garbage collector nine tenths of the memory limit of the container, so that it works harder before the pod is
// killed, and returns what it was told, in bytes. Where GOMEMLIMIT is set, that counts.
func LimitMemory() int64 {
	debug.SetMemoryLimit(memoryLimit(os.Getenv(memoryVariable), os.Getenv("GOMEMLIMIT")))
	return debug.SetMemoryLimit(-1)
}

// memoryLimit returns what to tell the garbage collector; -1 for nothing new.
func memoryLimit(container, own string) int64 {
	limit, err := strconv.ParseInt(container, 10, 64)
	if err != nil || limit <= 0 || limit == math.MaxInt64 || own != "" {
		return -1
	}
	return limit - limit/10
}
