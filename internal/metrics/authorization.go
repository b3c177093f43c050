// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/denial"
)

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

// Reaches tells how far a revocation reaches; empty where that is not known.
func (p *Past) Reaches(reach v1alpha1.RevocationReach) {
	switch reach {
	case v1alpha1.ReachAPIServer:
		p.denialEnforced.WithLabelValues().Set(1)
	case v1alpha1.ReachBindings:
		p.denialEnforced.WithLabelValues().Set(0)
	default:
		p.denialEnforced.Reset()
	}
}
