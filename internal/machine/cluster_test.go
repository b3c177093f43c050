// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

var requests = schema.GroupResource{Group: certificatesv1.GroupName, Resource: "certificatesigningrequests"}

// cluster is an API server, its signer and the operator, as strict about the keys that a credential is spent on.
type cluster struct {
	mu     sync.Mutex
	now    func() time.Time
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	serial int64

	wanted    holder.Parameters
	published map[string][]byte
	requests  map[string]*certificatesv1.CertificateSigningRequest
	// spent has the key that each known credential was renewed to, and newest the device's newest certificate, its key, and the one before it.
	spent             map[string]string
	newest, key, last string
	// suspended is why the device was taken for a thief's.
	suspended string
	// asked are the servers that were connected to, and unverified is one whose certificate is of another CA.
	asked      []string
	unverified string
	// undecided leaves requests open; down refuses all connections; deny denies with that reason.
	undecided, down bool
	// rejects makes it accept no certificate issued from then on.
	rejects bool
	// forbids is how many requests more are forbidden.
	forbids int
	// taken are names of devices that exist, and accepted the invitations that were accepted, with the request.
	taken    map[string]bool
	accepted map[string]string
	deny     string
	// calls counts them, and step is called before and after each one.
	calls int
	step  func(what string) error
}

func newCluster(t *testing.T, now func() time.Time, wanted holder.Parameters) *cluster {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now().Add(-time.Hour), NotAfter: now().Add(1000 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{
		now: now, ca: ca, caKey: key, wanted: wanted, accepted: map[string]string{}, requests: map[string]*certificatesv1.CertificateSigningRequest{}, spent: map[string]string{},
	}
}

// connection is one to the cluster, with a credential or a token.
type connection struct {
	*cluster
	login Login
	told  time.Time
}

func (c *cluster) connect(target Target, login Login) (API, error) {
	c.asked = append(c.asked, target.Server)
	if c.unverified == target.Server && target.Server != "" {
		return nil, &tls.CertificateVerificationError{Err: errors.New("signed by unknown authority")}
	}
	return &connection{cluster: c, login: login}, nil
}

func (c *connection) Now() time.Time { return c.told }

// call is one request; the API server answers with its time.
func (c *connection) call(what string, do func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.down {
		return errors.New("connection refused")
	}
	if c.step != nil {
		if err := c.step("before " + what); err != nil {
			return err
		}
	}
	c.told = c.now()
	if c.login.Token == "" {
		if leaf := parse(c.login.Certificate); c.now().After(leaf.NotAfter) {
			return apierrors.NewUnauthorized("Unauthorized")
		}
	}
	err := do()
	if c.step != nil {
		if failed := c.step("after " + what); failed != nil {
			return failed
		}
	}
	return err
}

func (c *connection) Published(context.Context, Place) (data map[string][]byte, err error) {
	err = c.call("reading the Secret", func() error {
		if data = c.published; data == nil {
			return apierrors.NewNotFound(corev1.Resource("secrets"), "alice")
		}
		return nil
	})
	return data, err
}

func (c *connection) Submit(_ context.Context, request *certificatesv1.CertificateSigningRequest) (object *certificatesv1.CertificateSigningRequest, err error) {
	err = c.call("creating the request", func() error {
		if c.forbids > 0 {
			c.forbids--
			return apierrors.NewForbidden(requests, "", errors.New("no"))
		}
		if c.requests[request.Name] != nil {
			return apierrors.NewAlreadyExists(requests, request.Name)
		}
		object = request.DeepCopy()
		object.CreationTimestamp = metav1.NewTime(c.now())
		object.Spec.Extra = map[string]certificatesv1.ExtraValue{"credential": {fingerprint(c.login.Certificate)}, "token": {c.login.Token}}
		c.requests[object.Name] = object
		return nil
	})
	return object.DeepCopy(), err
}

func (c *connection) Request(_ context.Context, name string) (object *certificatesv1.CertificateSigningRequest, err error) {
	err = c.call("reading the request", func() error {
		if c.requests[name] == nil {
			return apierrors.NewNotFound(requests, name)
		}
		if !c.undecided {
			c.decide(c.requests[name])
		}
		object = c.requests[name].DeepCopy()
		return nil
	})
	return object, err
}

func (c *connection) WhoAmI(context.Context) (user authenticationv1.UserInfo, err error) {
	err = c.call("proving", func() error {
		leaf := parse(c.login.Certificate)
		if c.rejects {
			return apierrors.NewUnauthorized("Unauthorized")
		}
		user = authenticationv1.UserInfo{Username: leaf.Subject.CommonName, Groups: append(leaf.Subject.Organization, "system:authenticated")}
		return nil
	})
	return user, err
}

// decide is the operator.
func (c *cluster) decide(request *certificatesv1.CertificateSigningRequest) {
	if len(request.Status.Conditions) > 0 {
		return
	}
	block, _ := pem.Decode(request.Spec.Request)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		panic(err)
	}
	key, credential := digest(csr.RawSubjectPublicKeyInfo), request.Spec.Extra["credential"][0]
	spent, isKnown := c.spent[credential]
	reason := c.deny
	switch {
	case reason != "":
	case c.suspended != "":
		reason = holder.ReasonDeviceSuspended
	case credential == "":
		token := request.Spec.Extra["token"][0]
		_, device, _ := holder.ParseRequestName(request.Name)
		switch by := c.accepted[token]; {
		case by != "" && by != request.Name:
			reason = holder.ReasonInvitationUsed
		case c.taken[device]:
			reason = holder.ReasonDeviceExists
		}
	case !isKnown:
		reason = holder.ReasonCredentialUnknown
	case credential == c.newest && (spent == "" || spent == key), credential == c.last && key == c.key:
	default:
		reason, c.suspended = holder.ReasonCredentialReused, "the credential was spent on another key"
	}
	switch _, isRSA := csr.PublicKey.(interface{ Size() int }); {
	case reason != "":
	case int32(c.wanted.TTL.Seconds()) < *request.Spec.ExpirationSeconds:
		reason = holder.ReasonLifetimeMismatch
	case isRSA != (c.wanted.Algorithm == v1alpha1.RSA):
		reason = holder.ReasonKeyMismatch
	case len(csr.Subject.Organization) != len(c.wanted.Groups)+2:
		reason = holder.ReasonSubjectMismatch
	}
	if reason != "" {
		request.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied, Reason: reason, Message: "no."}}
		return
	}
	request.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved}}
	if credential != "" {
		c.spent[credential] = key
	} else {
		c.accepted[request.Spec.Extra["token"][0]] = request.Name
	}
	request.Status.Certificate = c.sign(csr, time.Duration(*request.Spec.ExpirationSeconds)*time.Second)
	if issued := fingerprint(request.Status.Certificate); credential == c.last {
		c.newest = issued
	} else {
		c.last, c.newest = c.newest, issued
	}
	c.key, c.spent[c.newest] = key, ""
}

func (c *cluster) sign(csr *x509.CertificateRequest, ttl time.Duration) []byte {
	c.serial++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(100 + c.serial), RawSubject: csr.RawSubject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: c.now().Add(-5 * time.Minute), NotAfter: c.now().Add(ttl),
	}, c.ca, csr.PublicKey, c.caKey)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// clean takes all requests away, as Kubernetes does after an hour. The operator decided them before.
func (c *cluster) clean() {
	for _, request := range c.requests {
		c.decide(request)
	}
	clear(c.requests)
}

func parse(certificatePEM []byte) *x509.Certificate {
	block, _ := pem.Decode(certificatePEM)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		panic(err)
	}
	return leaf
}

func fingerprint(certificatePEM []byte) string {
	if len(certificatePEM) == 0 {
		return ""
	}
	issued, err := certificate.ParseIssued(certificatePEM)
	if err != nil {
		panic(err)
	}
	return issued.Fingerprint()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
