// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package enforcement

import "github.com/clientidentity/operator/api/v1alpha1"

const (
	// startRounds is how many rounds in a row have to be let through until that is said at a start: the operator's own endpoint,
	// which is asked, has only just begun to serve.
	startRounds = 12
	// window is how many of the last rounds count afterwards. Of several API servers each try meets one.
	window = 5
	// leaks is how many of them have to be let through until denial counts as off: a rolling update may let one pass.
	leaks = 2
	// silence is how many rounds without an answer it takes to say no more that it is denied.
	silence = 10

	// reachUnknown means that nothing has been found out yet.
	reachUnknown v1alpha1.RevocationReach = ""
)

// judgement makes one opinion of many rounds of tries. It is pure.
type judgement struct {
	reach v1alpha1.RevocationReach
	// leaked are the last rounds: whether one of their tries was let through.
	leaked []bool
	// silent is how many rounds in a row had no answer.
	silent int
}

// round takes in a round that had an answer.
func (j *judgement) round(leaked bool) {
	j.silent = 0
	j.leaked = append(j.leaked, leaked)
	j.leaked = j.leaked[max(0, len(j.leaked)-startRounds):]
	recent := 0
	for _, leak := range j.leaked[max(0, len(j.leaked)-window):] {
		if leak {
			recent++
		}
	}
	switch {
	case j.reach == reachUnknown && !leaked:
		// The rounds before tell of an endpoint that did not serve yet.
		j.reach, j.leaked = v1alpha1.ReachAPIServer, []bool{false}
	case j.reach == reachUnknown && len(j.leaked) == startRounds:
		j.reach = v1alpha1.ReachBindings
	case j.reach == v1alpha1.ReachAPIServer && recent >= leaks:
		j.reach = v1alpha1.ReachBindings
	case j.reach == v1alpha1.ReachBindings && recent == 0 && len(j.leaked) >= window:
		j.reach = v1alpha1.ReachAPIServer
	}
}

// unanswered takes in a round without an answer.
func (j *judgement) unanswered() {
	if j.silent++; j.silent >= silence {
		*j = judgement{reach: v1alpha1.ReachBindings, silent: silence}
	}
}
