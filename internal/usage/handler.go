// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/internal/text"
)

const (
	// maxBody is the longest body that is read: what the API server sends at most with --audit-webhook-truncate-enabled.
	maxBody = 10 << 20
	// maxPosts is how many posts are read at a time. The API server sends others again.
	maxPosts = 4
	// readTimeout is how long a post may take to arrive.
	readTimeout = 30 * time.Second
	// maxProblem bounds what is logged of a post that was refused.
	maxProblem = 128
)

// handler takes lists of audit events from the API server.
type handler struct {
	table *table
	// heartbeat is told when a proof of the operator comes back.
	heartbeat func(at time.Time)
	clock     clock.PassiveClock
	slots     chan struct{}
}

func newHandler(table *table, heartbeat func(at time.Time), now clock.PassiveClock) *handler {
	return &handler{table: table, heartbeat: heartbeat, clock: now, slots: make(chan struct{}, maxPosts)}
}

// ServeHTTP takes one post. Nothing of it counts unless it is complete and well-formed.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, why := h.refuse(r); status != 0 {
		http.Error(w, why, status)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		http.Error(w, "too many posts at a time: try again", http.StatusTooManyRequests)
		return
	}
	control := http.NewResponseController(w)
	late := time.AfterFunc(readTimeout, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	defer late.Stop()
	if err := h.take(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		log.FromContext(r.Context()).Info("audit events were refused", "status", status, "why", text.Shorten(text.Printable(err.Error()), maxProblem))
		http.Error(w, "the audit events were refused: they are too long, or no list of audit events", status)
	}
}

// refuse says what a post is refused for before its body is read; 0 where it is not.
func (h *handler) refuse(r *http.Request) (status int, why string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "audit events are posted"
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return http.StatusUnsupportedMediaType, "audit events are plain application/json"
	}
	if r.ContentLength > maxBody {
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("at most %d bytes are read: start the API server with --audit-webhook-truncate-enabled", maxBody)
	}
	return 0, ""
}

// take reads a list of events and takes in the last use of each certificate that is known. What it holds meanwhile is bounded
// by those, and by the length of one event.
func (h *handler) take(body io.Reader) error {
	now := h.clock.Now()
	uses := map[string]Use{}
	var proven time.Time
	err := readEvents(body, func(e *event) {
		fingerprint := e.fingerprint()
		switch {
		case fingerprint == "" || e.StageTimestamp.IsZero():
			return
		case e.isProof():
			if e.StageTimestamp.After(proven) {
				proven = e.StageTimestamp
			}
			return
		case !h.table.knows(fingerprint):
			return
		}
		if before, known := uses[fingerprint]; !known || e.StageTimestamp.After(before.Time) {
			uses[fingerprint] = useOf(e.StageTimestamp, now, e.SourceIPs, e.UserAgent)
		}
	})
	if err != nil {
		return err
	}
	if proven.After(now) {
		proven = now
	}
	h.heartbeat(proven)
	for fingerprint, use := range uses {
		h.table.used(fingerprint, use, now)
	}
	return nil
}
