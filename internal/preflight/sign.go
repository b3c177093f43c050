// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

const (
	// namePrefix begins the names of the requests, which somebody may meet in kubectl get csr.
	namePrefix = "client-identity-preflight-"
	// approvalReason is the reason of the approvals.
	approvalReason = "Preflight"
	// checkUser and checkGroup are in the certificates. No identity can have either, and no binding names them.
	checkUser  = v1alpha1.CredentialGroupPrefix + "preflight"
	checkGroup = v1alpha1.CredentialGroupPrefix + "preflight"

	// shortest is the shortest lifetime that can be asked for; far is one that every signer is expected to cut.
	shortest = 10 * time.Minute
	far      = 10 * 365 * 24 * time.Hour

	// pollInterval is how often the request is looked at, cleanup how long its deletion may take.
	pollInterval = 200 * time.Millisecond
	cleanup      = 10 * time.Second
)

// stage is how far a request came.
type stage string

const (
	notCreated  stage = "create"  // it could not be made
	notApproved stage = "approve" // it could not be approved
	denied      stage = "denied"  // somebody denied it
	failed      stage = "failed"  // the signer refused it
	unfinished  stage = "waiting" // nobody signed it in time
	gone        stage = "gone"    // somebody deleted it
	issued      stage = "issued"
)

// signing is what came of one request.
type signing struct {
	stage  stage
	signer string
	err    error
	// approver is the reason of an approval that was there before ours; empty where there was none.
	approver string
	// reason and message are those of the condition Denied or Failed.
	reason, message string
	patience        time.Duration
	asked           time.Duration
	// created is when the API server took the request.
	created time.Time
	issued  *certificate.Issued
	// unlike says in what the certificate differs from what was asked for.
	unlike error
	key    crypto.Signer
}

// credential is a certificate and its key, in memory alone.
type credential struct {
	chain, key []byte
	issued     *certificate.Issued
}

func subject() certificate.Subject {
	return certificate.Subject{Username: checkUser, Groups: []string{checkGroup}}
}

// sign asks the signer for a certificate. The request is deleted, whatever came of it.
func (p *probe) sign(ctx context.Context, lifetime time.Duration) signing {
	s := signing{signer: p.settings.Signer, asked: lifetime, patience: p.SignerPatience}
	s.key, s.err = certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	if s.err != nil {
		return s.at(notCreated, s.err)
	}
	request, err := certificate.NewRequest(s.key, subject())
	if err != nil {
		return s.at(notCreated, err)
	}
	requests := p.clientset.CertificatesV1().CertificateSigningRequests()
	name := namePrefix + strings.ToLower(rand.Text())
	// Also where the answer to its creation got lost.
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
		defer cancel()
		if err := requests.Delete(bounded, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) && s.stage != notCreated {
			p.Progress("delete the request yourself: kubectl delete csr %s (%v)", name, err)
		}
	}()
	made, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: s.signer, ExpirationSeconds: ptr.To(int32(lifetime.Seconds())),
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s = s.at(notCreated, err)
		return s
	}
	s.created = made.CreationTimestamp.Time
	if !bytes.Equal(made.Spec.Request, request) || made.Spec.SignerName != s.signer {
		s = s.at(notCreated, errors.New("somebody changed the request on its way: it is not approved"))
		return s
	}
	s = p.follow(ctx, s, made)
	return s
}

func (s signing) at(where stage, err error) signing {
	s.stage, s.err = where, err
	return s
}

// follow approves a request and waits for its certificate.
func (p *probe) follow(ctx context.Context, s signing, made *certificatesv1.CertificateSigningRequest) signing {
	requests := p.clientset.CertificatesV1().CertificateSigningRequests()
	var err error
	if s.approver, err = p.approve(ctx, made); err != nil {
		s = s.at(notApproved, err)
		// Where somebody denied it first, that is the reason.
		if latest, e := requests.Get(ctx, made.Name, metav1.GetOptions{}); e == nil && condition(latest, certificatesv1.CertificateDenied) != nil {
			s, _ = s.observe(latest)
		}
		return s
	}
	s.stage = unfinished
	s.err = wait.PollUntilContextTimeout(ctx, pollInterval, s.patience, true, func(ctx context.Context) (done bool, err error) {
		latest, err := requests.Get(ctx, made.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || (err == nil && latest.UID != made.UID):
			s.stage = gone
			return true, nil
		case apierrors.IsForbidden(err):
			return false, err
		case err != nil:
			return false, nil //nolint:nilerr // again, until time is up
		}
		s, done = s.observe(latest)
		return done, nil
	})
	return s
}

// approve approves a request, unless somebody else has: then it returns the reason that they gave.
func (p *probe) approve(ctx context.Context, made *certificatesv1.CertificateSigningRequest) (by string, err error) {
	if c := condition(made, certificatesv1.CertificateApproved); c != nil {
		return c.Reason, nil
	}
	made = made.DeepCopy()
	made.Status.Conditions = append(made.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: approvalReason,
		Message: "manager preflight of the client identity operator tries with this certificate, which grants nothing, who signs.",
	})
	requests := p.clientset.CertificatesV1().CertificateSigningRequests()
	_, err = requests.UpdateApproval(ctx, made.Name, made, metav1.UpdateOptions{})
	if !apierrors.IsConflict(err) {
		return "", err
	}
	latest, e := requests.Get(ctx, made.Name, metav1.GetOptions{})
	if e != nil {
		return "", e
	}
	if c := condition(latest, certificatesv1.CertificateApproved); c != nil {
		return c.Reason, nil
	}
	return "", err
}

// observe takes in how a request is now, and says whether that is the end of it.
func (s signing) observe(request *certificatesv1.CertificateSigningRequest) (signing, bool) {
	for kind, end := range map[certificatesv1.RequestConditionType]stage{
		certificatesv1.CertificateDenied: denied, certificatesv1.CertificateFailed: failed,
	} {
		if c := condition(request, kind); c != nil {
			s.stage, s.reason, s.message = end, c.Reason, c.Message
			return s, true
		}
	}
	if len(request.Status.Certificate) == 0 {
		return s, false
	}
	s.stage = issued
	if s.issued, s.unlike = certificate.ParseIssued(request.Status.Certificate); s.unlike == nil {
		// Whether it is valid now is judged by itself.
		s.unlike = s.issued.Check(s.key.Public(), subject(), s.issued.NotBefore())
	}
	return s, true
}

func condition(request *certificatesv1.CertificateSigningRequest, kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	for i := range request.Status.Conditions {
		if request.Status.Conditions[i].Type == kind {
			return &request.Status.Conditions[i]
		}
	}
	return nil
}
