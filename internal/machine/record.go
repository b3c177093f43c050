// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package machine is a device of a holder: the credentials that this machine has, and how it gets them. It makes keys, asks for
// certificates, renews them with the ones it has, and hands them to kubectl.
//
// A credential is renewed to one key: whoever asks for a second one with it is taken for a thief. So everything is on disk before
// anything is asked, a key is used until its certificate is in place, whatever becomes of the requests that were made with it, and
// nothing that goes wrong (a full disk, a killed process, no network, a wrong clock) loses what is in use.
package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/timing"
)

// recordVersion is the version of what is on disk.
const recordVersion = "v1"

// maxRecord bounds, in bytes, a record that is read.
const maxRecord = 4 << 20

// uidPattern is what UIDs of the API server look like. They name folders, and come from invitations, too.
var uidPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

// Record is all that this machine keeps of one identity. It is one file, which is replaced as a whole: a certificate is never seen with
// another one's key, nor in use while its request still counts as open.
type Record struct {
	Version string `json:"version"`
	// Identity and UID name the identity, Device this machine; it is empty where the operator makes the keys.
	Identity string    `json:"identity"`
	UID      types.UID `json:"uid"`
	Device   string    `json:"device,omitempty"`
	// Source is who makes the keys.
	Source v1alpha1.KeySource `json:"source"`
	// Secret is what the operator publishes: what to ask for, or the next certificate and key.
	Secret Place `json:"secret"`
	// Cluster is how to reach the API server, and how things are named in kubeconfigs.
	Cluster kubeconfig.Parameters `json:"cluster"`
	// Parameters are what to ask for, and when to renew.
	Parameters holder.Parameters `json:"parameters"`
	// Current is in use; nil before the first one. Previous is the one before it.
	Current  *Credential `json:"current,omitempty"`
	Previous *Credential `json:"previous,omitempty"`
	// Renewal is a renewal that is under way, and Enrolment an enrolment.
	Renewal   *Pending   `json:"renewal,omitempty"`
	Enrolment *Enrolment `json:"enrolment,omitempty"`
	// Unwritten says that no kubeconfig was written yet since the enrolment.
	Unwritten bool `json:"unwritten,omitempty"`
}

// Place names a Secret.
type Place struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// Credential is a certificate and its key.
type Credential struct {
	// Certificate is the chain in PEM, and Key what the KeyStore knows the key by.
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	// RequestTime is when it was asked for, by the API server's clock, and Requested the lifetime that was asked for.
	RequestTime time.Time     `json:"requestTime,omitzero"`
	Requested   time.Duration `json:"requested,omitempty"`
}

// Pending is a key that a certificate is asked for.
type Pending struct {
	// Key is what the KeyStore knows the key by.
	Key string `json:"key"`
	// Spent is the fingerprint of the credential that it is asked with: it entitles to this key, and to no other.
	Spent string `json:"spent,omitempty"`
	// Unresolved says that nobody knows what became of an earlier request for this key: it may have been approved.
	Unresolved bool `json:"unresolved,omitempty"`
	// Request is the request that was made last; nil where none is open.
	Request *Request `json:"request,omitempty"`
}

// Request is a CertificateSigningRequest as it was or will be made.
type Request struct {
	Name    string              `json:"name"`
	Subject certificate.Subject `json:"subject"`
	PEM     string              `json:"pem"`
	Signer  string              `json:"signer"`
	TTL     time.Duration       `json:"ttl"`
}

// Enrolment is an enrolment that is under way. What it was asked with takes the place of the record's once it is done.
type Enrolment struct {
	Pending
	Device string `json:"device"`
	// Invitation is how it is asked for; empty where an administrator asks.
	Invitation string                `json:"invitation,omitempty"`
	Secret     Place                 `json:"secret"`
	Cluster    kubeconfig.Parameters `json:"cluster"`
	Parameters holder.Parameters     `json:"parameters"`
}

// String tells nothing of the keys.
func (r *Record) String() string { return fmt.Sprintf("the identity %q", r.Identity) }

// GoString is String.
func (r *Record) GoString() string { return r.String() }

// encode returns the record as it is on disk.
func (r *Record) encode() ([]byte, error) {
	r.Version = recordVersion
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, errors.New("the record cannot be encoded")
	}
	return append(data, '\n'), nil
}

// decode reads a record. Errors quote nothing of it.
func decode(data []byte) (*Record, error) {
	r := &Record{}
	if len(data) > maxRecord || json.Unmarshal(data, r) != nil {
		return nil, errors.New("it is damaged")
	}
	if r.Version != recordVersion {
		return nil, errors.New("it was written by another version of this program: update kubectl-clientidentity")
	}
	if r.Identity == "" || !uidPattern.MatchString(string(r.UID)) {
		return nil, errors.New("it is damaged: it names no identity")
	}
	return r, nil
}

// issued reads a certificate.
func (c *Credential) issued() (*certificate.Issued, error) {
	return certificate.ParseIssued([]byte(c.Certificate))
}

// validity returns what renewal counts with.
func (c *Credential) validity(issued *certificate.Issued) renewal.Validity {
	return renewal.Validity{
		NotBefore: issued.NotBefore(), NotAfter: issued.NotAfter(), RequestTime: c.RequestTime.Truncate(time.Second), Requested: c.Requested,
	}
}

// Life is when a credential is valid, and when it is to be renewed.
type Life struct {
	Fingerprint         string
	NotBefore, NotAfter time.Time
	// RenewalTime is zero where renewing gains no time, since access ends.
	RenewalTime time.Time
	// LookTime is when to look whether access ends later by now, where renewing gains no time otherwise.
	LookTime time.Time
}

// Life returns when the credential in use is valid and to be renewed: as the operator counts.
func (r *Record) Life() (Life, error) {
	if r.Current == nil {
		return Life{}, fmt.Errorf("this machine has no certificate of ClientIdentity %q: ask for an invitation (kubectl clientidentity invite %s), and enrol with it", r.Identity, r.Identity)
	}
	issued, err := r.Current.issued()
	if err != nil {
		return Life{}, err
	}
	var previous *renewal.Validity
	if r.Previous != nil {
		if before, err := r.Previous.issued(); err == nil {
			v := r.Previous.validity(before)
			previous = &v
		}
	}
	policy := renewal.Policy{}
	if p := r.Parameters.RenewBefore; p != nil {
		policy.Before = p.Duration
	}
	if p := r.Parameters.RenewBeforePercentage; p != nil {
		policy.Percentage = *p
	}
	in := renewal.Input{Policy: policy, AccessUntil: timing.Of(r.Parameters.AccessUntil)}
	validity, seed := r.Current.validity(issued), string(r.UID)+"/"+issued.SerialNumber()
	life := Life{Fingerprint: issued.Fingerprint(), NotBefore: issued.NotBefore(), NotAfter: issued.NotAfter()}
	if life.RenewalTime = renewal.ScheduleOf(in, validity, previous, seed).RenewalTime; life.RenewalTime.IsZero() && in.AccessUntil != nil {
		life.LookTime = renewal.At(validity, policy, seed)
	}
	return life, nil
}

// Valid says whether the credential is valid at a moment.
func (l Life) Valid(now time.Time) bool { return !now.Before(l.NotBefore) && !now.After(l.NotAfter) }

// Due says whether it is time to renew.
func (l Life) Due(now time.Time) bool {
	return now.After(l.NotAfter) || (!l.RenewalTime.IsZero() && !now.Before(l.RenewalTime))
}

// Serves says whether the credential is valid and serves without another look.
func (l Life) Serves(now time.Time) bool { return l.Valid(now) && now.Before(l.Until()) }

// Until returns until when the credential serves without another look.
func (l Life) Until() time.Time {
	switch {
	case !l.RenewalTime.IsZero():
		return l.RenewalTime
	case !l.LookTime.IsZero():
		return l.LookTime
	}
	return l.NotAfter.Add(time.Nanosecond)
}
