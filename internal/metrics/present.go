// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// syncTimeout is how long a scrape waits for caches that are not filled yet.
const syncTimeout = time.Second

// Present is a collector of what is now. It reads the caches at each scrape, in one pass over the identities.
type Present struct {
	// Cached reads identities and CertificateSigningRequests from the caches.
	Cached client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Signers bounds the signers that are named.
	Signers Signers
}

// Signers are the signers that certificates are asked of. Whoever may write identities makes up names of others: those are
// told of as one.
type Signers []string

// otherSigner stands for all signers that certificates are not asked of.
const otherSigner = "other"

// label returns the label of a signer.
func (s Signers) label(name string) string {
	for _, known := range s {
		if known == name {
			return name
		}
	}
	return otherSigner
}

// descs are made once: Collect makes thousands of metrics of each.
var descs = struct {
	state, condition, notBefore, notAfter, renewal, until, bindings, attempts, pending, issuer, used, device, deviceEnd *prometheus.Desc
}{
	identityState.desc(), identityCondition.desc(), certificateNotBefore.desc(), certificateNotAfter.desc(), certificateRenewal.desc(),
	accessUntil.desc(), boundBindings.desc(), failedAttempts.desc(), pendingRequest.desc(), issuerCertificates.desc(), lastUsed.desc(),
	deviceState.desc(), deviceNotAfter.desc(),
}

// conditions are the conditions that are told of; what others may write into the status is not.
var conditions = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionCertificateIssued, v1alpha1.ConditionAccessBound, v1alpha1.ConditionRevocationComplete,
	v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionDormant, v1alpha1.ConditionWithdrawn, v1alpha1.ConditionCredentialReused,
}

// Describe implements prometheus.Collector.
func (p *Present) Describe(descriptions chan<- *prometheus.Desc) {
	for _, metric := range present() {
		descriptions <- metric.desc()
	}
}

// Collect implements prometheus.Collector. While the caches are not filled it tells nothing: that there are no identities
// would be wrong.
func (p *Present) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	var list v1alpha1.ClientIdentityList
	if err := p.Cached.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	now := p.Clock.Now()
	s := &scrape{metrics: metrics, pairs: map[[2]string]*dto.LabelPair{}}
	issuers := map[[2]string]int{}
	for i := range list.Items {
		identity := &list.Items[i]
		name := label(labelIdentity, identity.Name)
		s.identity(identity, now, name)
		if since, signer := p.pending(ctx, identity); !since.IsZero() {
			s.gauge(descs.pending, seconds(since), labels(name, s.shared(labelSigner, signer)))
		}
		if c := published(identity); c != nil {
			issuers[[2]string{c.Issuer, c.AuthorityKeyID}]++
		}
	}
	for issuer, count := range issuers {
		s.gauge(descs.issuer, float64(count), labels(label(labelIssuer, strings.ToValidUTF8(issuer[0], "?")), label(labelAuthorityKeyID, issuer[1])))
	}
}

// identity tells of one identity what its spec and status say. Name is the label that names it.
func (s *scrape) identity(identity *v1alpha1.ClientIdentity, now time.Time, name *dto.LabelPair) {
	status, alone := &identity.Status, labels(name)
	s.gauge(descs.state, 1, labels(name, s.shared(labelState, stateOf(identity, now))))
	s.gauge(descs.bindings, float64(status.BoundBindings), alone)
	for _, t := range conditions {
		if c := meta.FindStatusCondition(status.Conditions, t); c != nil {
			value := 0.0
			if c.Status == metav1.ConditionTrue {
				value = 1
			}
			s.gauge(descs.condition, value, labels(name, s.shared(labelCondition, t), s.shared(labelReason, c.Reason)))
		}
	}
	timestamp := func(desc *prometheus.Desc, at *metav1.Time, of []*dto.LabelPair) {
		if at != nil {
			s.gauge(desc, seconds(at.Time), of)
		}
	}
	timestamp(descs.until, identity.Spec.AccessUntil, alone)
	if used := status.LastUsed; used != nil {
		timestamp(descs.used, &used.Time, alone)
	}
	for j := range status.Devices {
		d := &status.Devices[j]
		device := label(labelDevice, d.Name)
		s.gauge(descs.device, 1, labels(name, device, s.shared(labelState, string(d.State))))
		timestamp(descs.deviceEnd, d.NotAfter, labels(name, device))
	}
	if c := published(identity); c != nil {
		timestamp(descs.notBefore, c.NotBefore, alone)
		timestamp(descs.notAfter, c.NotAfter, alone)
		timestamp(descs.renewal, c.RenewalTime, alone)
	}
	if issuance := status.Issuance; issuance != nil && issuance.FailedAttempts > 0 {
		s.gauge(descs.attempts, float64(issuance.FailedAttempts), labels(name, s.shared(labelReason, issuance.LastFailureReason)))
	}
}

// published returns the published certificate, or nil. Where holders make the keys none is: that a device was not used when it was to
// renew is nothing that somebody is to be woken up for.
func published(identity *v1alpha1.ClientIdentity) *v1alpha1.CertificateStatus {
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		return nil
	}
	return identity.Status.Certificate
}

// stateOf returns status.state, unless the spec is a newer one, or has ended by now: then the status is yet to say so.
func stateOf(identity *v1alpha1.ClientIdentity, now time.Time) string {
	current := identity.Status.ObservedGeneration == identity.Generation
	switch {
	case access.End(identity, now) != nil && (!current || identity.Status.State != v1alpha1.ObservedWithdrawn):
		return string(v1alpha1.ObservedWithdrawing)
	case !current || identity.Status.State == "":
		return string(v1alpha1.ObservedPending)
	}
	return string(identity.Status.State)
}

// pending returns since when the request of an identity waits for its signer, and the signer; the zero time where none does.
// The status names the request: others may make some that look like ours.
func (p *Present) pending(ctx context.Context, identity *v1alpha1.ClientIdentity) (since time.Time, signer string) {
	if identity.Status.Issuance == nil || identity.Status.Issuance.CertificateSigningRequest == "" {
		return time.Time{}, ""
	}
	csr := &certificatesv1.CertificateSigningRequest{}
	key := client.ObjectKey{Name: identity.Status.Issuance.CertificateSigningRequest}
	if err := p.Cached.Get(ctx, key, csr, &client.GetOptions{UnsafeDisableDeepCopy: ptr.To(true)}); err != nil {
		return time.Time{}, ""
	}
	return csr.CreationTimestamp.Time, p.Signers.label(csr.Spec.SignerName)
}

func seconds(at time.Time) float64 { return float64(at.Unix()) }
