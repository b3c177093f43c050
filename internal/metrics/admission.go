// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Decisions of the admission webhook.
const (
	decisionAllowed    = "Allowed"
	decisionDenied     = "Denied"
	decisionInvalid    = "Invalid"
	decisionUnanswered = "Unanswered"
)

var decisions = []string{decisionAllowed, decisionDenied, decisionInvalid, decisionUnanswered}

// Counting returns a handler that counts what another one decides.
func (p *Past) Counting(handler admission.Handler) admission.Handler {
	return admission.HandlerFunc(func(ctx context.Context, request admission.Request) admission.Response {
		response := handler.Handle(ctx, request)
		p.admissionDecisions.WithLabelValues(decisionOf(response)).Inc()
		return response
	})
}

func decisionOf(response admission.Response) string {
	switch {
	case response.Allowed:
		return decisionAllowed
	case response.Result == nil:
		return decisionInvalid
	case response.Result.Code == http.StatusForbidden:
		return decisionDenied
	case response.Result.Code >= http.StatusInternalServerError:
		return decisionUnanswered
	}
	return decisionInvalid
}
