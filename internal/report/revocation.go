// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// setRevocation says whether certificates from before spec.revokeIssuedBefore have anything left that the identity granted.
func setRevocation(status *v1alpha1.ClientIdentityStatus, in Input) {
	revoke := in.Identity.Spec.RevokeIssuedBefore
	if revoke == nil {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionRevocationComplete)
		return
	}
	c := revocation(status, in)
	c.Type, c.ObservedGeneration = v1alpha1.ConditionRevocationComplete, in.Identity.Generation
	// With bindTo: Username the bindings name the user: it has to be carried out again, whatever came of it.
	status.CompletedRevocation = nil
	if in.Identity.Spec.BindTo == v1alpha1.BindToCredential && c.Status == metav1.ConditionTrue {
		status.CompletedRevocation = &metav1.Time{Time: revoke.Rfc3339Copy().Time}
	}
	meta.SetStatusCondition(&status.Conditions, c)
}

func revocation(status *v1alpha1.ClientIdentityStatus, in Input) metav1.Condition {
	no := func(reason, format string, args ...any) metav1.Condition {
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	yes := func(message string) metav1.Condition {
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRevoked, Message: message}
	}
	if rights := in.Bindings.Rights; rights != nil {
		return no(rights.Reason, "%s", rights.Message)
	}
	when := timing.Stamp(in.Identity.Spec.RevokeIssuedBefore.Time)
	if in.Identity.Spec.BindTo == v1alpha1.BindToCredential {
		return yes(fmt.Sprintf("Certificates issued before %s have nothing that the role bindings of this identity grant; "+
			"what others granted to the user or its groups is theirs to take away", when))
	}
	if until := unrevokedUntil(&in.Identity.Spec, status, in.Now); !until.IsZero() {
		return no(v1alpha1.ReasonOlderCertificatesValid, "bindings name the user, so that certificates issued before %s keep what it is granted, "+
			"until %s: set bindTo: Credential to end that at once", when, timing.Stamp(until))
	}
	return yes(fmt.Sprintf("No certificate issued before %s is valid any more", when))
}
