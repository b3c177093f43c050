// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package authorizer answers the API server's authorization webhook: it denies the certificates that package denial denies, and has no
// opinion of anything else. It answers from the caches alone: it makes no request, and holds no lock that a reconcile waits for.
package authorizer

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/internal/denial"
	"github.com/clientidentity/operator/internal/endpoint"
)

const (
	// Path is where the API server asks.
	Path = authorizationconfig.Path
	// maxBody is the longest review that is read. A client can make the API server ask with many times the megabyte of selectors that a
	// URL has room for; a review that is not read is one that is not denied.
	maxBody = 64 << 20
	// longBody is the length from which on a review is read alone: its client made it so, and it must not hold up those of others.
	longBody = 64 << 10
	// timeout is how long a review may take: what the API server waits by Kubernetes' default at most. It stops after one second, as our
	// configuration says.
	timeout = 3 * time.Second
)

// Metrics are told of answers.
type Metrics interface {
	// Reviewed counts an answer: a reason for which a certificate was denied, or "" where there was no opinion.
	Reviewed(reason denial.Reason)
	// Unanswered counts a review that could not be answered.
	Unanswered()
}

// handler answers reviews.
type handler struct {
	identities denial.Identities
	metrics    Metrics
	clock      clock.PassiveClock
	// long has room for the long review that is read.
	long chan struct{}
}

// Add adds the endpoint to a manager. It answers on every replica.
func Add(ctx context.Context, mgr manager.Manager, metrics Metrics, now clock.PassiveClock, options endpoint.Options) error {
	if err := index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	// The informer is there before anybody asks.
	if _, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.ClientIdentity{}); err != nil {
		return fmt.Errorf("watch identities for authorization: %w", err)
	}
	server, err := endpoint.New(options, Path, newHandler(mgr.GetCache(), metrics, now))
	if err != nil {
		return err
	}
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("set up the endpoint for authorization: %w", err)
	}
	// Nobody is sent to a replica that does not answer yet: what is not answered is not denied.
	if err := mgr.AddReadyzCheck("authorization", server.Ready); err != nil {
		return fmt.Errorf("set up /readyz: %w", err)
	}
	return nil
}

func newHandler(reader client.Reader, metrics Metrics, now clock.PassiveClock) *handler {
	return &handler{identities: &cached{reader: reader}, metrics: metrics, clock: now, long: make(chan struct{}, 1)}
}

// ServeHTTP answers a review. What it cannot read or find out it does not answer: then failurePolicy decides in the API server,
// and its metrics tell of it. Never with a code that it would ask again after, for seconds: 429, 500, 504, or any with Retry-After
// (k8s.io/apiserver, util/webhook, DefaultShouldRetry).
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.refuse(w, http.StatusMethodNotAllowed, "reviews are posted")
		return
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" || r.Header.Get("Content-Encoding") != "" {
		h.refuse(w, http.StatusUnsupportedMediaType, "reviews are plain application/json")
		return
	}
	if r.ContentLength < 0 || r.ContentLength > longBody {
		patient, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		select {
		case h.long <- struct{}{}:
			defer func() { <-h.long }()
		case <-patient.Done():
			h.refuse(w, http.StatusServiceUnavailable, "too many long reviews at a time")
			return
		}
	}
	control := http.NewResponseController(w)
	late := time.AfterFunc(timeout, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	defer late.Stop()
	asked, err := readReview(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		log.FromContext(r.Context()).V(1).Info("a review was not read", "why", err.Error())
		h.refuse(w, http.StatusBadRequest, "this is no SubjectAccessReview that can be answered")
		return
	}
	decided, err := denial.Decide(asked.subject, h.identities, h.clock.Now())
	if err != nil {
		log.FromContext(r.Context()).Error(err, "a review was not answered")
		h.refuse(w, http.StatusServiceUnavailable, "the caches cannot be read")
		return
	}
	h.answer(w, asked, decided)
}

func (h *handler) answer(w http.ResponseWriter, asked review, decided *denial.Denial) {
	answer := struct {
		metav1.TypeMeta `json:",inline"`
		Status          authorizationv1.SubjectAccessReviewStatus `json:"status"`
	}{TypeMeta: metav1.TypeMeta{APIVersion: asked.apiVersion, Kind: kind}}
	if decided != nil {
		answer.Status.Denied, answer.Status.Reason = true, decided.Message
		h.metrics.Reviewed(decided.Reason)
	} else {
		h.metrics.Reviewed("")
	}
	body, err := json.Marshal(answer)
	if err != nil {
		h.refuse(w, http.StatusServiceUnavailable, "the answer cannot be written")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // whoever asked has gone
}

func (h *handler) refuse(w http.ResponseWriter, status int, why string) {
	h.metrics.Unanswered()
	http.Error(w, why, status)
}
