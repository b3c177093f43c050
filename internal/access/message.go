// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"
	"strings"
)

// named is how many things a message names: conditions are read in a terminal.
const named = 3

// Message lists gaps, conflicts or waits in one line for a condition: the first three, in the order given,
// and how many more there are. Empty for none.
func Message[T fmt.Stringer](things []T) string {
	shown := things[:min(len(things), named)]
	parts := make([]string, len(shown))
	for i, thing := range shown {
		parts[i] = thing.String()
	}
	message := strings.Join(parts, "; ")
	if more := len(things) - len(shown); more > 0 {
		message += fmt.Sprintf("; and %d more", more)
	}
	return message
}

// String says which object is in the way, and what to do about it.
func (c Conflict) String() string {
	return fmt.Sprintf("%s exists and is not owned by this ClientIdentity: delete it or rename binding %q in the spec",
		c.Want.Key(), c.Want.SpecName)
}

// String says which object is awaited, and what may keep it.
func (w Wait) String() string {
	return w.Have.String()
}

// String says that the object is being deleted, and what may keep it: it is for Plan.Leaving.
func (o Observed) String() string {
	if o.Finalizers {
		return fmt.Sprintf("%s is being deleted but has finalizers: remove them", o.Key())
	}
	return fmt.Sprintf("%s is being deleted", o.Key())
}
