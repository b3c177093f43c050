// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/text"
	"github.com/clientidentity/operator/internal/timing"
)

// errAccessEnds means that no certificate can be asked for any more.
var errAccessEnds = errors.New("the access of this identity ends within ten minutes, which is the shortest lifetime of a certificate: ask whoever administers it for a later spec.accessUntil")

// plan returns a request for a key, with a name that nobody has used.
func plan(p holder.Parameters, device string, key crypto.Signer, now time.Time) (*Request, error) {
	ttl, ok := renewal.RequestTTL(p.TTL.Duration, 0, timing.Of(p.AccessUntil), now)
	if !ok {
		return nil, errAccessEnds
	}
	subject := p.Subject()
	pem, err := certificate.NewRequest(key, subject)
	if err != nil {
		return nil, err
	}
	return &Request{Name: holder.RequestName(p.Identity, device), Subject: subject, PEM: string(pem), Signer: p.SignerName, TTL: ttl}, nil
}

// object returns the request as the API server takes it.
func (r *Request) object(identity string) *certificatesv1.CertificateSigningRequest {
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: r.Name, Labels: map[string]string{v1alpha1.IdentityLabel: identity}},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: []byte(r.PEM), SignerName: r.Signer, ExpirationSeconds: ptr.To(int32(r.TTL / time.Second)),
			Usages: holder.Usages,
		},
	}
}

// is says whether an object is this request, and not somebody else's of the same name.
func (r *Request) is(object *certificatesv1.CertificateSigningRequest) bool {
	return bytes.Equal(object.Spec.Request, []byte(r.PEM))
}

// answer is what became of a request: a certificate, or a reason why there is none; neither while it is open.
type answer struct {
	certificate []byte
	refusal     *Refusal
}

// Refusal is a request that was denied, or that its signer failed.
type Refusal struct {
	// Reason is one of the holder package's, or a signer's.
	Reason, Message string
	// Failed says that it was approved, and that the signer did not sign.
	Failed bool
}

func (r *Refusal) Error() string {
	verb := "denied"
	if r.Failed {
		verb = "not signed"
	}
	message := fmt.Sprintf("the request was %s (%s): %s", verb, r.Reason, r.Message)
	if what := advice[r.Reason]; what != "" {
		message += ": " + what
	}
	return message
}

// advice is what to do about a refusal, where its message may not say it to the holder.
var advice = map[string]string{
	holder.ReasonCredentialUnknown: "enrol this machine again, with a new invitation",
	holder.ReasonCredentialExpired: "enrol this machine again, with a new invitation",
	holder.ReasonCredentialRevoked: "enrol this machine again, with a new invitation, if you still may",
	holder.ReasonCredentialReused:  "somebody has a copy of this machine's key: tell whoever administers the identity, and enrol again with a new invitation",
	holder.ReasonDeviceSuspended:   "tell whoever administers the identity, and enrol this machine again with a new invitation",
	holder.ReasonDeviceExists:      "choose another name with --device, or have that device revoked",
	holder.ReasonTooManyDevices:    "have a device revoked that is not in use any more, or spec.maxDevices raised",
	holder.ReasonInvitationUsed:    "ask for another invitation",
	holder.ReasonNotForHolders:     "the operator makes its keys: see kubectl clientidentity kubeconfig --help",
	holder.ReasonNameMismatch:      "update kubectl-clientidentity",
	holder.ReasonUsagesMismatch:    "update kubectl-clientidentity",
	holder.ReasonRequestInvalid:    "update kubectl-clientidentity",
}

// answerOf reads what became of a request.
func answerOf(object *certificatesv1.CertificateSigningRequest) answer {
	for _, c := range object.Status.Conditions {
		if c.Status == corev1.ConditionFalse {
			continue
		}
		switch c.Type {
		case certificatesv1.CertificateDenied:
			return answer{refusal: &Refusal{Reason: c.Reason, Message: text.Printable(c.Message)}}
		case certificatesv1.CertificateFailed:
			return answer{refusal: &Refusal{Reason: c.Reason, Message: text.Printable(c.Message), Failed: true}}
		}
	}
	return answer{certificate: object.Status.Certificate}
}

// outdated says whether a refusal may come from parameters that have changed.
func (r *Refusal) outdated() bool {
	return !r.Failed && slices.Contains([]string{
		holder.ReasonSubjectMismatch, holder.ReasonLifetimeMismatch, holder.ReasonKeyMismatch, holder.ReasonSignerMismatch,
	}, r.Reason)
}

// authenticated returns nil if the API server takes the holder of a certificate for exactly whom it says.
func authenticated(user authenticationv1.UserInfo, want certificate.Subject) error {
	got := certificate.Subject{Username: user.Username, Groups: slices.DeleteFunc(slices.Clone(user.Groups), func(group string) bool {
		return group == "system:authenticated" && !slices.Contains(want.Groups, group)
	})}
	if !got.Equal(want) {
		return fmt.Errorf("the API server takes the holder of the new certificate for %v, and not for %v", got, want)
	}
	return nil
}
