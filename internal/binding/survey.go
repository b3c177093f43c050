// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// survey looks at all bindings of the cluster, past the caches, for all who ask: watching all RBAC of a cluster would cost far more
// than it is worth. A look costs what there is and what is found, however many ask (match.go), and thousands may ask at once. So a
// pass leaves its question and ends; one look at a time answers all that were there when it began, and asks for a pass over each
// identity. Nobody joins a look that has begun: it may have passed by what is to be found.
type survey struct {
	mu sync.Mutex
	// wake tells that somebody has asked.
	wake chan struct{}
	// open are the questions that were not answered yet, or whose answer no pass has fetched, by the name of the identity.
	open map[string]*inquiry
	// waiting are those that the next look answers, and looking is how many the one that is made answers.
	waiting []*inquiry
	looking int
	// swept says that a look has found what lost its labels before this process began, and lost are the names of the identities
	// whose it is, by UID.
	swept bool
	lost  map[types.UID]string
}

// inquiry is what an identity wants to know of all bindings of the cluster.
type inquiry struct {
	identity *v1alpha1.ClientIdentity
	// wanted are its bindings: of those that are as they should be, no more is kept than that.
	wanted []access.Binding
	// holder is whose residual access is asked for; nil where it is not.
	holder *access.Holder

	// newest is its newest credential group. The look that answers has found last for it, and counted, the bindings of those numbers.
	newest        string
	last, counted int
	// dropped says that nobody wants to know any more, and attended that a pass waits for the answer.
	dropped, attended bool
	// told is closed when there is an answer.
	told   chan struct{}
	answer answer
}

const (
	// patience is how long a pass waits for a look that serves it alone. Small clusters are looked at in less: what ends the access
	// of one identity ends it in one pass then.
	patience = time.Second
	// restsFor is how many times as long as the last look nobody looks after it: looks take a quarter of the time of one connection
	// at most, whoever asks for them. Where they are rare, none waits.
	restsFor = 3
	// restAfterFailure is how long nobody looks at least after one that failed, and longestRestAfterFailure how long at most: it may have
	// hung for long, and many wait.
	restAfterFailure, longestRestAfterFailure = time.Second, 10 * time.Second
)

// errCutOff is what came of a look that did not end.
var errCutOff = errors.New("the look at all role bindings was cut off")

// same says whether a question is the same as an earlier one, which may have been answered.
func (q *inquiry) same(earlier *inquiry) bool {
	if q.identity.UID != earlier.identity.UID || q.identity.Generation != earlier.identity.Generation || (q.holder == nil) != (earlier.holder == nil) {
		return false
	}
	return q.holder == nil || q.holder.Equal(*earlier.holder)
}

// ask returns what a look has found that began after the question was first asked. It returns nil where none has ended: a pass over
// the identity is asked for then. Each answer is told once.
func (s *survey) ask(ctx context.Context, question *inquiry) (*answer, error) {
	mine := s.leave(question)
	s.mu.Lock()
	defer s.mu.Unlock()
	if alone := len(s.waiting)+s.looking == 1; alone && !mine.answered() {
		mine.attended = true
		s.mu.Unlock()
		timer := time.NewTimer(patience)
		select {
		case <-mine.told:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		s.mu.Lock()
		mine.attended = false
	}
	if !mine.answered() || mine.dropped {
		return nil, nil
	}
	delete(s.open, question.identity.Name)
	return &mine.answer, mine.answer.err
}

// leave leaves a question, unless the same one was left before, and returns the one that there is.
func (s *survey) leave(question *inquiry) *inquiry {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepare()
	name := question.identity.Name
	if earlier := s.open[name]; earlier != nil {
		if question.same(earlier) {
			return earlier
		}
		earlier.dropped = true
	}
	question.told = make(chan struct{})
	s.open[name] = question
	s.waiting = append(s.waiting, question)
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
	return question
}

// prepare makes what a zero survey does not have; the caller holds the lock.
func (s *survey) prepare() {
	if s.open == nil {
		s.open, s.wake = map[string]*inquiry{}, make(chan struct{}, 1)
	}
}

// answered says whether there is an answer; the caller holds the lock.
func (q *inquiry) answered() bool {
	select {
	case <-q.told:
		return true
	default:
		return false
	}
}

// forget drops the question of the identity of that name.
func (s *survey) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.open[name]; q != nil {
		q.dropped = true
		delete(s.open, name)
	}
}

// take returns the questions for the look that begins, whether it is to find what lost its labels, too, and how much is kept of earlier
// ones.
func (s *survey) take() (batch []*inquiry, sweep bool, kept int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.waiting {
		if !q.dropped {
			batch = append(batch, q)
		}
	}
	s.waiting, s.looking = nil, len(batch)
	for _, q := range s.open {
		if q.answered() {
			kept += len(q.answer.found)
		}
	}
	return batch, !s.swept, kept
}

// end answers the questions of a look, and returns the names of the identities that nobody is at work on: a pass is to follow.
func (s *survey) end(m *match, err error) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking = 0
	for _, all := range []map[string]*subject{m.users, m.groups} {
		for _, asked := range all {
			asked.askers = nil // an answer that is fetched late keeps no other one
		}
	}
	var names []string
	for _, q := range m.batch {
		q.answer.err = err
		close(q.told)
		if !q.attended && !q.dropped {
			names = append(names, q.identity.Name)
		}
	}
	if m.lost != nil && err == nil {
		s.swept, s.lost = true, m.lost
		for _, name := range m.lost {
			names = append(names, name)
		}
	}
	return names
}

// Look answers questions until the context ends. It calls tell with the names of the identities that a pass is to look at again.
func (w *Writer) Look(ctx context.Context, clocks clock.PassiveClock, tell func(name string)) {
	s := &w.survey
	s.mu.Lock()
	s.prepare()
	s.mu.Unlock()
	for swept := false; ; {
		if swept {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
			}
		}
		rest, err := w.look(ctx, clocks, tell)
		if swept = swept || err == nil; !swept && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "look for role bindings that lost their labels")
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// look looks once, for all who have asked, and returns how long nobody is to look again.
func (w *Writer) look(ctx context.Context, clocks clock.PassiveClock, tell func(name string)) (rest time.Duration, err error) {
	batch, sweep, kept := w.survey.take()
	if len(batch) == 0 && !sweep {
		return 0, nil
	}
	began := clocks.Now()
	m := newMatch(batch, sweep, kept, began)
	err = w.lookThrough(ctx, m.visit)
	for _, name := range w.survey.end(m, err) {
		tell(name)
	}
	rest = restsFor * clocks.Since(began)
	if err != nil {
		rest = min(max(rest, restAfterFailure), longestRestAfterFailure)
	}
	return rest, err
}

// lookThrough visits all bindings. One that cannot be visited ends the look, and not the process: others may have written it.
func (w *Writer) lookThrough(ctx context.Context, visit func(client.Object)) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", errCutOff, cause)
			log.FromContext(ctx).Error(err, "panic", "stack", string(debug.Stack()))
		}
	}()
	return w.readAll(ctx, visit)
}

// suspects says whether bindings of an identity may be there that no watch tells of, since they lost their labels before this process
// began. Until that is known, a revocation waits for it, and nothing else does: a pass follows where some are found.
func (s *survey) suspects(identity *v1alpha1.ClientIdentity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.swept {
		return identity.Spec.RevokeIssuedBefore != nil && identity.Spec.BindTo == v1alpha1.BindToCredential
	}
	_, lost := s.lost[identity.UID]
	return lost
}

// clear says that nothing of an identity is left that lost its labels before this process began.
func (s *survey) clear(identity types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lost, identity)
}
