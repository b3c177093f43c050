// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package faults lets writes fail as a test asks for it: in the API server, by an admission webhook of the test, and on the
// way between the API server and an operator in this process.
package faults

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Answer is what becomes of a request. The zero value lets it through.
type Answer struct {
	// Delay is how long the answer takes.
	Delay time.Duration
	// Code refuses the request with that HTTP status.
	Code int32
	// Drop closes the connection without an answer, as a backend that is down does.
	Drop bool
	// Patch is a JSON patch of the object, for Mutating.
	Patch string
}

// Rule decides what becomes of a request.
type Rule func(*admissionv1.AdmissionRequest) Answer

// Always answers every request in the same way.
func Always(answer Answer) Rule {
	return func(*admissionv1.AdmissionRequest) Answer { return answer }
}

// Admission is an admission webhook on this machine. It is asked about what a configuration names: see Install.
type Admission struct {
	server *httptest.Server
	rule   atomic.Pointer[Rule]
	asked  atomic.Int64
	closed chan struct{}
	once   sync.Once
}

// NewAdmission starts a webhook that lets everything through.
func NewAdmission() *Admission {
	a := &Admission{closed: make(chan struct{})}
	a.Answer(Always(Answer{}))
	a.server = httptest.NewTLSServer(a)
	return a
}

// Close stops the webhook. What it still delays is answered at once.
func (a *Admission) Close() {
	a.once.Do(func() { close(a.closed) })
	a.server.Close()
}

// Answer makes the webhook answer by a rule from now on.
func (a *Admission) Answer(rule Rule) { a.rule.Store(&rule) }

// Asked returns how many requests it was asked about.
func (a *Admission) Asked() int64 { return a.asked.Load() }

// ServeHTTP answers the API server.
func (a *Admission) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	review := &admissionv1.AdmissionReview{}
	if err := json.NewDecoder(r.Body).Decode(review); err != nil || review.Request == nil {
		http.Error(w, "no admission review", http.StatusBadRequest)
		return
	}
	a.asked.Add(1)
	answer := (*a.rule.Load())(review.Request)
	select {
	case <-time.After(answer.Delay):
	case <-a.closed:
	case <-r.Context().Done():
	}
	if answer.Drop {
		panic(http.ErrAbortHandler)
	}
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: answer.Code == 0}
	if answer.Code != 0 {
		response.Result = &metav1.Status{Code: answer.Code, Reason: reasons[answer.Code], Message: "a test refuses it"}
	}
	if answer.Patch != "" {
		response.PatchType, response.Patch = ptr.To(admissionv1.PatchTypeJSONPatch), []byte(answer.Patch)
	}
	review.Request, review.Response = nil, response
	_ = json.NewEncoder(w).Encode(review) // the API server has left
}

// reasons are what the API server calls these codes.
var reasons = map[int32]metav1.StatusReason{
	http.StatusBadRequest:          metav1.StatusReasonBadRequest,
	http.StatusForbidden:           metav1.StatusReasonForbidden,
	http.StatusNotFound:            metav1.StatusReasonNotFound,
	http.StatusConflict:            metav1.StatusReasonConflict,
	http.StatusUnprocessableEntity: metav1.StatusReasonInvalid,
	http.StatusTooManyRequests:     metav1.StatusReasonTooManyRequests,
	http.StatusInternalServerError: metav1.StatusReasonInternalError,
	http.StatusServiceUnavailable:  metav1.StatusReasonServiceUnavailable,
}
