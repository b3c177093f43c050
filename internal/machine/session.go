// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

// How long to wait between two looks at a request.
const (
	firstLook = 200 * time.Millisecond
	lastLook  = 2 * time.Second
)

// errWaiting means that a request was not decided yet.
var errWaiting = errors.New("the request is not decided yet: the operator, or the signer of the cluster, may be down")

// Device is this machine.
type Device struct {
	Store   *Store
	Keys    KeyStore
	Connect Connect
	Clock   clock.PassiveClock
	// Wait returns after the time, or earlier if ctx ends.
	Wait func(ctx context.Context, d time.Duration)
	// Say tells the user something, in one line.
	Say func(message string)

	busyPatience time.Duration
}

// New returns this machine: its files, its clock, its network.
func New(base string, say func(message string)) *Device {
	return &Device{
		Store: NewStore(base, OSFiles{}), Keys: InFile{}, Connect: Dial, Clock: clock.RealClock{}, Say: say, busyPatience: busyPatience,
		Wait: func(ctx context.Context, d time.Duration) {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		},
	}
}

// session is work on a record, under its lock.
type session struct {
	*Device
	folder *Folder
	record *Record
	target Target
	// parameters are what to ask for.
	parameters *holder.Parameters
	// api is the API server, asked with the credential or invitation that entitles.
	api API
	// patience is how long a request is waited for.
	patience time.Duration
	// persistent goes on waiting while the API server cannot be reached.
	persistent bool
}

// now returns the time of the API server, where it told one: certificates count by it, and clocks of laptops are wrong at times.
func (s *session) now() time.Time {
	if s.api != nil {
		if now := s.api.Now(); !now.IsZero() {
			return now
		}
	}
	return s.Clock.Now()
}

// save writes the record.
func (s *session) save() error { return s.folder.Save(s.record) }

// login returns how to authenticate with a credential.
func (s *session) login(c *Credential) (Login, error) {
	key, err := s.export(c.Key)
	return Login{Certificate: []byte(c.Certificate), Key: key}, err
}

// export returns a key in PEM: what a TLS connection and kubectl take.
func (d *Device) export(handle string) ([]byte, error) {
	signer, err := d.Keys.Signer(handle)
	if err != nil {
		return nil, err
	}
	return certificate.EncodeKey(signer)
}

// use makes the credential that the API server is asked with the given one.
func (s *session) use(c *Credential) error {
	login, err := s.login(c)
	if err != nil {
		return err
	}
	s.api, err = s.Connect(s.target, login)
	return err
}

// refresh reads what to ask for. What is known stays where nothing is published any more: the answer to a request says why.
func (s *session) refresh(ctx context.Context, place Place) error {
	published, err := s.api.Published(ctx, place)
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("read what to ask for: %w", err)
	}
	p, err := holder.ParseParameters(published[v1alpha1.RequestKey])
	if err == nil && p.UID == s.record.UID && p.Identity == s.record.Identity {
		*s.parameters = p
	}
	return nil
}

// fits says whether a key is of the kind that is asked for.
func (s *session) fits(handle string) bool {
	signer, err := s.Keys.Signer(handle)
	return err == nil && certificate.KeyMatches(s.parameters.PrivateKey(), signer)
}

// open returns the request for a key: the one that was made before, as long as the API server has it, or a new one, which is on disk
// before it is made.
func (s *session) open(ctx context.Context, p *Pending, device string) (*certificatesv1.CertificateSigningRequest, error) {
	if p.Request != nil {
		object, err := s.api.Request(ctx, p.Request.Name)
		switch {
		case err == nil && p.Request.is(object):
			return object, nil
		case err == nil: // somebody else's, who was first: ours was never made
			p.Request = nil
		case apierrors.IsNotFound(err): // never made, or cleaned up: who knows whether it had been approved
			p.Request, p.Unresolved = nil, true
		default:
			return nil, fmt.Errorf("look after the request %s: %w", p.Request.Name, err)
		}
	}
	signer, err := s.Keys.Signer(p.Key)
	if err != nil {
		return nil, err
	}
	if p.Request, err = plan(*s.parameters, device, signer, s.now()); err != nil {
		return nil, err
	}
	if err := s.save(); err != nil {
		return nil, err
	}
	object, err := s.api.Submit(ctx, p.Request.object(s.record.Identity))
	if apierrors.IsAlreadyExists(err) { // an answer was lost on the way
		object, err = s.api.Request(ctx, p.Request.Name)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask for a certificate: %w", err)
	case !p.Request.is(object):
		return nil, fmt.Errorf("another request has the name %s: try again", p.Request.Name)
	}
	return object, nil
}

// await waits until a request is decided: errWaiting where it is not in time.
func (s *session) await(ctx context.Context, object *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, answer, error) {
	for waited, pause := time.Duration(0), firstLook; ; pause = min(pause*3/2, lastLook) {
		if a := answerOf(object); a.refusal != nil || len(a.certificate) > 0 {
			return object, a, nil //nolint:nilerr // a refusal is an answer
		}
		if waited >= s.patience {
			return nil, answer{}, errWaiting
		}
		s.Wait(ctx, pause)
		waited += pause
		if ctx.Err() != nil {
			return nil, answer{}, errWaiting
		}
		var err error
		if object, err = s.look(ctx, object); err != nil {
			return nil, answer{}, err
		}
	}
}

// look returns a request as it is by now.
func (s *session) look(ctx context.Context, before *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error) {
	now, err := s.api.Request(ctx, before.Name)
	switch {
	case err == nil:
		return now, nil
	case s.persistent && apierrors.ReasonForError(err) == metav1.StatusReasonUnknown:
		return before, nil // the API server cannot be reached: the next look tells
	}
	return nil, fmt.Errorf("look after the request: %w", err)
}

// adopt checks a certificate, proves it, and returns it with its key.
func (s *session) adopt(ctx context.Context, p *Pending, object *certificatesv1.CertificateSigningRequest) (*Credential, error) {
	issued, err := certificate.ParseIssued(object.Status.Certificate)
	if err != nil {
		return nil, err
	}
	signer, err := s.Keys.Signer(p.Key)
	if err != nil {
		return nil, err
	}
	if err := issued.Check(signer.Public(), p.Request.Subject, s.now()); err != nil {
		return nil, err
	}
	c := &Credential{
		Certificate: string(issued.ChainPEM), Key: p.Key, RequestTime: object.CreationTimestamp.UTC(), Requested: p.Request.TTL,
	}
	return c, s.prove(ctx, c, p.Request.Subject)
}

// prove returns nil if the API server takes the holder of a credential for the subject: what it does not accept never replaces what it does.
func (s *session) prove(ctx context.Context, c *Credential, subject certificate.Subject) error {
	login, err := s.login(c)
	if err != nil {
		return err
	}
	api, err := s.Connect(s.target, login)
	if err != nil {
		return err
	}
	user, err := api.WhoAmI(ctx)
	if err != nil {
		return fmt.Errorf("try the new certificate: %w", err)
	}
	return authenticated(user, subject)
}
