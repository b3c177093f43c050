// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"context"
	"slices"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/timing"
)

// forbiddenRetry is when to look again whether the operator may approve: no watch tells.
const forbiddenRetry = time.Minute

// record records the certificate of a request, where it is about the identity and is not recorded yet: also one that somebody else
// approved, since it can be used all the same.
func (s *settling) record(ctx context.Context, cached *certificatesv1.CertificateSigningRequest) error {
	identity := s.given.Identity
	if s.remembered.has(identity.Name, cached.UID) {
		return nil
	}
	if issued, err := certificate.ParseIssued(cached.Status.Certificate); err == nil && s.listed(cached, issued) {
		if access.Listed(&identity.Status, issued.Fingerprint()) != nil {
			s.remembered.add(identity.Name, cached.UID) // the list may come to have no room for it
		}
		return nil
	}
	csr := &certificatesv1.CertificateSigningRequest{}
	if err := s.live.Get(ctx, client.ObjectKey{Name: cached.Name}, csr); err != nil {
		return notGone("read", cached.Name, err)
	}
	issued, err := certificate.ParseIssued(csr.Status.Certificate)
	if err != nil || csr.UID != cached.UID || issued.Subject().Username != identity.Spec.Username {
		s.remembered.add(identity.Name, cached.UID)
		if err != nil && csr.Spec.SignerName == identity.Spec.SignerName {
			log.FromContext(ctx).Info("a signer issued something that is no certificate", "certificateSigningRequest", klog.KObj(csr), "message", err.Error())
		}
		return nil
	}
	found := holder.Issued{Certificate: issued, RequestedBy: csr.Spec.Username, RequestTime: csr.CreationTimestamp.Time}
	if csr.Spec.ExpirationSeconds != nil {
		found.RequestedTTL = time.Duration(*csr.Spec.ExpirationSeconds) * time.Second
	}
	if err := s.asAsked(csr, issued); err != nil {
		log.FromContext(ctx).Info("a signer issued another certificate than was asked for: no device renews with it",
			"certificateSigningRequest", klog.KObj(csr), "fingerprint", issued.Fingerprint(), "message", err.Error())
	} else if name, device, ok := holder.ParseRequestName(csr.Name); ok && name == identity.Name {
		found.Device = device
	}
	s.change(holder.Change{Issued: &found})
	log.FromContext(ctx).Info("recorded a certificate", "certificateSigningRequest", klog.KObj(csr), "device", found.Device,
		"fingerprint", issued.Fingerprint(), "serialNumber", issued.SerialNumber(), "notAfter", timing.Stamp(issued.NotAfter()))
	return nil
}

// listed says whether a certificate was recorded already: the status lists it, or summed it up with others when its device had got
// newer ones.
func (s *settling) listed(csr *certificatesv1.CertificateSigningRequest, issued *certificate.Issued) bool {
	if access.Listed(s.status, issued.Fingerprint()) != nil {
		return true
	}
	others := s.status.OtherCertificates
	if others == nil || others.NotAfter == nil || issued.NotAfter().After(others.NotAfter.Time) {
		return false
	}
	_, device, ok := holder.ParseRequestName(csr.Name)
	return ok && slices.ContainsFunc(s.status.Certificates, func(c v1alpha1.IssuedCertificate) bool {
		return c.Device == device && c.NotBefore != nil && issued.NotBefore().Before(c.NotBefore.Time)
	})
}

// asAsked returns in which way a certificate is another one than was asked for.
func (s *settling) asAsked(csr *certificatesv1.CertificateSigningRequest, issued *certificate.Issued) error {
	request, err := certificate.ReadForeignRequest(csr.Spec.Request)
	if err != nil {
		return err
	}
	// An operator that was away finds certificates that have ended, and a signer's clock may be ahead.
	now := s.given.Now
	if now.After(issued.NotAfter()) {
		now = issued.NotAfter()
	}
	if begin := issued.NotBefore(); now.Before(begin) && begin.Sub(now) <= timing.ClockSkew {
		now = begin
	}
	return issued.Check(request.Key(), request.Subject(), now)
}

// approved looks at a request that was approved and has no certificate yet.
func (s *settling) approved(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) {
	i := slices.IndexFunc(s.given.Status.Devices, func(d v1alpha1.Device) bool { return d.Approval != nil && d.Approval.UID == csr.UID })
	if i < 0 {
		return // somebody else approved it
	}
	d, spec := &s.given.Status.Devices[i], &s.given.Identity.Spec
	device := d.Name
	failed := condition(csr, certificatesv1.CertificateFailed)
	since := csr.CreationTimestamp.Time
	waited := s.given.Now.Sub(since)
	switch {
	case failed != nil:
		s.fail(problem.NewTransient(v1alpha1.ReasonSignerFailed, "signer %q failed for device %q (%s: %s)", csr.Spec.SignerName, device, failed.Reason, failed.Message))
	case access.End(s.given.Identity, s.given.Now) != nil || spec.PrivateKey.Source != v1alpha1.SourceHolder:
		s.fail(deleteRequest(ctx, s.client, csr.Name, csr.UID)) // an approval cannot be taken back
	case d.State != v1alpha1.DeviceActive || holder.DeviceRevoked(s.given.Identity, &s.given.Status, d):
		s.fail(deleteRequest(ctx, s.client, csr.Name, csr.UID)) // nor does spec.revokedCertificates name what is signed from here on
	case waited < quietTime:
		s.next(since.Add(quietTime))
	case waited < signerPatience:
		s.next(since.Add(signerPatience))
		s.fail(problem.NewWaiting(v1alpha1.ReasonPending, 0, "device %q waits for signer %q to sign its certificate request", device, csr.Spec.SignerName))
	default:
		s.fail(problem.NewWaiting(v1alpha1.ReasonSignerNotServing, 0, "device %q waits: %s", device, notServing(csr.Spec.SignerName)))
	}
}

// rememberedRequests are requests that need no look any more, by the name of the identity: those whose certificate was recorded, and
// those that are left alone.
type rememberedRequests struct {
	mu     sync.Mutex
	byName map[string]map[types.UID]bool
}

func (r *rememberedRequests) has(identity string, uid types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byName[identity][uid]
}

func (r *rememberedRequests) add(identity string, uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName == nil {
		r.byName = map[string]map[types.UID]bool{}
	}
	if r.byName[identity] == nil {
		r.byName[identity] = map[types.UID]bool{}
	}
	r.byName[identity][uid] = true
}

// keep drops all but the requests that are still there.
func (r *rememberedRequests) keep(identity string, there map[types.UID]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid := range r.byName[identity] {
		if !there[uid] {
			delete(r.byName[identity], uid)
		}
	}
	if len(r.byName[identity]) == 0 {
		delete(r.byName, identity)
	}
}

func (r *rememberedRequests) forget(identity string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byName, identity)
}
