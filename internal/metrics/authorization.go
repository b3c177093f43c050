// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import "github.com/clientidentity/operator/internal/denial"

// Results of an authorization review, beside Denied.
const (
	resultNoOpinion  = "NoOpinion"
	resultUnanswered = "Unanswered"
)

func (p *Past) prepareReviews() {
	for _, reason := range denial.Reasons {
		p.authorizationReviews.WithLabelValues(decisionDenied, string(reason))
	}
	p.authorizationReviews.WithLabelValues(resultNoOpinion, "")
	p.authorizationReviews.WithLabelValues(resultUnanswered, "")
}

// Reviewed counts an answer of the authorizer.
func (p *Past) Reviewed(reason denial.Reason) {
	if reason == "" {
		p.authorizationReviews.WithLabelValues(resultNoOpinion, "").Inc()
		return
	}
	p.authorizationReviews.WithLabelValues(decisionDenied, string(reason)).Inc()
}

// Unanswered counts a review that the authorizer did not answer.
func (p *Past) Unanswered() { p.authorizationReviews.WithLabelValues(resultUnanswered, "").Inc() }
