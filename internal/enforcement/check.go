// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package enforcement finds out whether the API server really denies what package denial denies: by trying, with a certificate
// that is denied on purpose. What is configured somewhere tells less.
package enforcement

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/denial"
	"github.com/clientidentity/operator/internal/proof"
)

const (
	// namePrefix begins the names of the requests for that certificate, which somebody may meet in kubectl get csr.
	namePrefix = "client-identity-denial-check-"
	// lifetime is asked of the signer; after half of it the next one is asked for.
	lifetime = 24 * time.Hour
	// signerPatience is how long the signer is waited for.
	signerPatience = 30 * time.Second
	// firstTries are made in a round until something is known, and tries afterwards, each over a connection of its own.
	firstTries, tries = 10, 3
)

// The request for the certificate is made, approved and deleted with the rights that issuing has.
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests,verbs=list;watch;create;delete
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests/approval,verbs=update
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=signers,resourceNames=kubernetes.io/kube-apiserver-client,verbs=approve

// Check tries again and again. It is a Runnable of the manager, on the leader alone.
type Check struct {
	// Client makes and approves the request for the certificate.
	Client kubernetes.Interface
	// Prover calls the API server with it.
	Prover proof.Prover
	// SignerName is the signer that is asked.
	SignerName string
	// Interval is the time between two rounds.
	Interval time.Duration
	// Clock tells the time.
	Clock clock.PassiveClock
	// Changed is called when what Reach returns is another one. It must not block.
	Changed func(v1alpha1.RevocationReach)

	mu        sync.RWMutex
	judgement judgement

	// chain and key are the certificate that is denied on purpose; the key is in memory alone. No role binding names it.
	chain, key      []byte
	renewAt, endsAt time.Time
	// said is the last error that was logged.
	said string
}

// Reach returns how far a revocation reaches; empty while that is not known.
func (c *Check) Reach() v1alpha1.RevocationReach {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.judgement.reach
}

// Start tries until the context ends: often until something is known.
func (c *Check) Start(ctx context.Context) error {
	for {
		pause, count := c.Interval, tries
		if c.Reach() == reachUnknown {
			pause, count = c.Interval/startRounds, firstTries
		}
		c.look(ctx, count)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Found is what a look found out.
type Found struct {
	// Signed is the end of the certificate that was issued; zero where none was.
	Signed time.Time
	// LetThrough says that one of the tries was not denied.
	LetThrough bool
}

// Once tries that often, and returns what it found out. The error says what could not be tried.
func (c *Check) Once(ctx context.Context, count int) (Found, error) {
	_, leaked, err := c.try(ctx, count)
	return Found{Signed: c.endsAt, LetThrough: leaked}, err
}

// look makes one round of tries.
func (c *Check) look(ctx context.Context, count int) {
	answered, leaked, err := c.try(ctx, count)
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	before := c.judgement.reach
	if answered {
		c.judgement.round(leaked)
	} else {
		c.judgement.unanswered()
	}
	after := c.judgement.reach
	c.mu.Unlock()
	c.say(ctx, err)
	if before != after {
		log.FromContext(ctx).Info("found out where revocation reaches", "reach", after)
		c.Changed(after)
	}
}

// say logs an error that is another one than the last.
func (c *Check) say(ctx context.Context, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	if why != "" && why != c.said {
		log.FromContext(ctx).Info("cannot find out whether the API server denies revoked certificates: trying again", "why", why)
	}
	c.said = why
}

// try says whether there was an answer, and whether one of the tries was let through. One that is enough.
func (c *Check) try(ctx context.Context, count int) (answered, leaked bool, err error) {
	// One that could not be renewed is good until it ends.
	renewal := c.ensure(ctx)
	if renewal != nil && (c.chain == nil || !c.Clock.Now().Before(c.endsAt)) {
		return false, false, renewal
	}
	for range count {
		_, err = c.Prover.WhoAmI(ctx, c.chain, c.key)
		switch {
		case err == nil:
			return true, true, nil
		case apierrors.IsForbidden(err):
			if !strings.Contains(err.Error(), denial.DeletedMessage) {
				return true, true, nil // by somebody else, who was asked since nobody denied it
			}
			answered = true
		case apierrors.IsUnauthorized(err):
			c.chain = nil // its CA was replaced
			return false, false, fmt.Errorf("the API server does not accept certificates of signer %q", c.SignerName)
		default:
			return false, false, err
		}
	}
	return answered, false, renewal
}

// ensure makes the certificate, where there is none or the half of its lifetime is over.
func (c *Check) ensure(ctx context.Context) error {
	now := c.Clock.Now()
	if c.chain != nil && now.Before(c.renewAt) {
		return nil
	}
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	if err != nil {
		return err
	}
	chain, err := c.request(ctx, key)
	if err != nil {
		return fmt.Errorf("get a certificate to try with: %w", err)
	}
	issued, err := certificate.ParseIssued(chain)
	if err != nil {
		return fmt.Errorf("signer %q issued something that is no certificate: %w", c.SignerName, err)
	}
	if err := issued.Check(key.Public(), subject(), now); err != nil {
		return fmt.Errorf("signer %q issued another certificate than was asked for: %w", c.SignerName, err)
	}
	keyPEM, err := certificate.EncodeKey(key)
	if err != nil {
		return err
	}
	c.chain, c.key = issued.ChainPEM, keyPEM
	c.renewAt, c.endsAt = now.Add(issued.NotAfter().Sub(now)/2), issued.NotAfter()
	return nil
}

// subject is a user that no identity can have, with the credential group of an identity that never was.
func subject() certificate.Subject {
	return certificate.Subject{Username: denial.CheckUser, Groups: []string{denial.CheckGroup}}
}

// request asks the signer for a certificate. The request is deleted, whatever came of it: nobody has to wonder about it.
func (c *Check) request(ctx context.Context, key crypto.Signer) ([]byte, error) {
	requestPEM, err := certificate.NewRequest(key, subject())
	if err != nil {
		return nil, err
	}
	requests := c.Client.CertificatesV1().CertificateSigningRequests()
	made, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: namePrefix + strings.ToLower(rand.Text())},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: requestPEM, SignerName: c.SignerName, ExpirationSeconds: ptr.To(int32(lifetime.Seconds())),
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = requests.Delete(context.WithoutCancel(ctx), made.Name, metav1.DeleteOptions{}) }()
	if !bytes.Equal(made.Spec.Request, requestPEM) || made.Spec.SignerName != c.SignerName {
		return nil, errors.New("somebody changed the request: it is not approved")
	}
	made.Status.Conditions = append(made.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "DenialCheck",
		Message: "The client identity operator tries with this certificate, which grants nothing, whether the API server denies revoked ones.",
	})
	if _, err := requests.UpdateApproval(ctx, made.Name, made, metav1.UpdateOptions{}); err != nil {
		return nil, err
	}
	patient, cancel := context.WithTimeout(ctx, signerPatience)
	defer cancel()
	return csr.WaitForCertificate(patient, c.Client, made.Name, made.UID)
}
