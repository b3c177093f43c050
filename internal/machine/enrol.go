// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/timing"
)

// How often, and in what pauses, an invitation that may do nothing yet is tried.
const (
	forbiddenTries = 20
	forbiddenPause = 500 * time.Millisecond
)

// mostNames bounds the names that are tried for a device: as many devices as an identity can have.
const mostNames = 10

// Order is an enrolment of this machine that somebody asks for.
type Order struct {
	Parameters holder.Parameters
	Cluster    kubeconfig.Parameters
	// Secret is where the parameters are published.
	Secret Place
	// Invitation is the text of the invitation, and kept until it is done; empty where an administrator asks.
	Invitation string
	// API is asked as whoever is entitled.
	API API
	// Device is the name of this machine. Unless it is Fixed, the first of NAME, NAME-2 and so on that is free is taken.
	Device string
	Fixed  bool
	// Replace enrols a machine again that has a valid certificate.
	Replace bool
	// Patience is how long to wait.
	Patience time.Duration
	// Progress is told what happens.
	Progress func(message string)
}

// load returns the record of an identity, or a new one.
func (s *Store) load(folder *Folder, p holder.Parameters) (*Record, error) {
	record, err := folder.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return &Record{Identity: p.Identity, UID: p.UID, Source: v1alpha1.SourceHolder}, nil
	}
	return record, err
}

// Enrol makes this machine a device of an identity: it makes a key, asks for a certificate, tries it and keeps both. Called again after it
// was killed, it goes on with the same key and request.
func (d *Device) Enrol(ctx context.Context, o Order) (*Record, error) {
	folder, err := d.Store.Folder(o.Parameters.UID)
	if err != nil {
		return nil, err
	}
	if err := folder.Make(); err != nil {
		return nil, fmt.Errorf("make the folder for key and certificate: %w", err)
	}
	unlock, err := folder.Lock(ctx, lastPatience)
	if err != nil {
		return nil, err
	}
	defer unlock()
	record, err := d.Store.load(folder, o.Parameters)
	if err != nil {
		return nil, err
	}
	if record.Unwritten && record.Enrolment == nil && !o.Replace {
		if life, err := record.Life(); err == nil && life.Valid(d.Clock.Now()) {
			return record, nil // it was killed after that
		}
	}
	if o.API == nil {
		return nil, fmt.Errorf("the certificate of the enrolment that was begun has ended, or is to be replaced: ask for another invitation (kubectl clientidentity invite %s)", o.Parameters.Identity)
	}
	if err := d.enrollable(folder, record, o); err != nil {
		return nil, err
	}
	s := &session{Device: d, folder: folder, record: record, target: TargetOf(o.Cluster), api: o.API, patience: o.Patience, persistent: true}
	if err := s.begin(&o); err != nil {
		return nil, err
	}
	if err := s.enrol(ctx, o); err != nil {
		return nil, err
	}
	folder.Remember(Attempt{})
	return record, nil
}

// enrollable returns why a machine is not enrolled again: it would leave a device behind that nobody has the key of.
func (d *Device) enrollable(folder *Folder, record *Record, o Order) error {
	if record.Current == nil || record.Enrolment != nil || o.Replace || record.Source != v1alpha1.SourceHolder {
		return nil
	}
	life, err := record.Life()
	if err != nil || !life.Valid(d.Clock.Now()) {
		return nil //nolint:nilerr // it is of no use
	}
	if reason := folder.Attempt().Reason; slices.Contains([]string{
		holder.ReasonCredentialReused, holder.ReasonDeviceSuspended, holder.ReasonCredentialRevoked, holder.ReasonCredentialUnknown, holder.ReasonCredentialExpired,
	}, reason) {
		return nil // its renewal says so
	}
	return fmt.Errorf("this machine is device %q of ClientIdentity %q already, with a certificate until %s that renews by itself: "+
		"there is nothing to do. kubectl clientidentity kubeconfig %s writes its kubeconfig again. If the device was revoked or suspended, enrol it again with --replace",
		record.Device, record.Identity, timing.Stamp(life.NotAfter), record.Identity)
}

// begin puts the enrolment into the record: a new one, or the one that was begun, with the key that was made for it.
func (s *session) begin(o *Order) error {
	e := s.record.Enrolment
	if e == nil {
		e = &Enrolment{Device: o.Device}
		if s.record.Device != "" && !o.Fixed { // the same machine
			e.Device = s.record.Device
		}
		s.record.Enrolment = e
	}
	if o.Fixed && e.Device != o.Device {
		e.Device, e.Request = o.Device, nil
	}
	e.Invitation, e.Secret, e.Cluster, e.Parameters = o.Invitation, o.Secret, o.Cluster, o.Parameters
	s.parameters = &e.Parameters
	if e.Key != "" && (e.Request != nil || s.fits(e.Key)) {
		return nil
	}
	return s.enrolmentKey()
}

func (s *session) enrolmentKey() (err error) {
	s.record.Enrolment.Key, err = s.Keys.New(s.parameters.PrivateKey())
	return err
}

// enrol asks until there is a certificate.
func (s *session) enrol(ctx context.Context, o Order) error {
	e := s.record.Enrolment
	first := e.Device
	for try := 1; ; try++ {
		o.Progress(fmt.Sprintf("Asking for a certificate of %q for the device %q", s.record.Identity, e.Device))
		object, err := s.openAllowed(ctx, e)
		if err != nil {
			return s.explain(err)
		}
		o.Progress(fmt.Sprintf("Waiting until the request %s is approved and signed", object.Name))
		object, answered, err := s.await(ctx, object)
		if err != nil {
			return s.explain(err)
		}
		if answered.refusal == nil {
			o.Progress("Trying the certificate")
			c, err := s.adopt(ctx, &e.Pending, object)
			if err != nil {
				return err
			}
			return s.enrolled(c)
		}
		e.Request = nil
		again, err := s.enrolAgain(ctx, answered.refusal, o, first, try)
		if saved := s.save(); err != nil || saved != nil || !again {
			return errors.Join(err, saved)
		}
	}
}

// openAllowed opens the request, as soon as the API server knows of the role binding that lets an invitation do so: that may be as new as the
// identity.
func (s *session) openAllowed(ctx context.Context, e *Enrolment) (object *certificatesv1.CertificateSigningRequest, err error) {
	for range forbiddenTries {
		if object, err = s.open(ctx, &e.Pending, e.Device); !apierrors.IsForbidden(err) || e.Invitation == "" {
			break
		}
		s.Wait(ctx, forbiddenPause)
	}
	return object, err
}

// enrolAgain gets ready to ask again after a refusal.
func (s *session) enrolAgain(ctx context.Context, refusal *Refusal, o Order, first string, try int) (again bool, err error) {
	e := s.record.Enrolment
	switch {
	case refusal.Reason == holder.ReasonDeviceExists && !o.Fixed && try < mostNames:
		e.Device = nextName(first, try+1)
		return true, nil
	case refusal.outdated() && try < mostTries:
		if err := s.refresh(ctx, o.Secret); err != nil {
			return false, err
		}
		if !s.fits(e.Key) {
			return true, s.enrolmentKey()
		}
		return true, nil
	}
	return false, refusal
}

// enrolled puts the first certificate into use.
func (s *session) enrolled(c *Credential) error {
	e := s.record.Enrolment
	r := s.record
	r.Device, r.Source, r.Secret, r.Cluster, r.Parameters = e.Device, v1alpha1.SourceHolder, e.Secret, e.Cluster, e.Parameters
	r.Current, r.Previous, r.Renewal, r.Enrolment, r.Unwritten = c, nil, nil, nil, true
	return s.save()
}

// explain says how an enrolment goes on.
func (s *session) explain(err error) error {
	switch {
	case errors.Is(err, errWaiting):
		return fmt.Errorf("%w: run kubectl clientidentity enroll again to go on waiting, within an hour", err)
	case apierrors.IsUnauthorized(err) && s.record.Enrolment.Invitation != "":
		return fmt.Errorf("the invitation has ended, or was ended: ask for another one (kubectl clientidentity invite %s): %w", s.record.Identity, err)
	case apierrors.IsForbidden(err) && s.record.Enrolment.Invitation != "":
		// Nobody is to grant it by hand: what it wraps says which permission is missing, and is not told.
		return fmt.Errorf("the invitation gives no right to ask for a certificate: ClientIdentity %q is withdrawn, or its role bindings are not in place (kubectl clientidentity status %s)",
			s.record.Identity, s.record.Identity)
	}
	return err
}

// Written notes that there is a kubeconfig for the identity.
func (d *Device) Written(ctx context.Context, record *Record) error {
	folder, err := d.Store.Folder(record.UID)
	if err != nil {
		return err
	}
	unlock, err := folder.Lock(ctx, lastPatience)
	if err != nil {
		return err
	}
	defer unlock()
	if record, err = folder.Load(); err != nil || !record.Unwritten {
		return err
	}
	record.Unwritten = false
	return folder.Save(record)
}

// Begun returns the records of enrolments that were begun and not finished.
func (s *Store) Begun() ([]*Record, error) {
	folders, err := s.Folders()
	if err != nil {
		return nil, err
	}
	var begun []*Record
	for _, folder := range folders {
		if record, err := folder.Load(); err == nil && (record.Enrolment != nil || record.Unwritten) {
			begun = append(begun, record)
		}
	}
	return begun, nil
}

// NameOf returns the name of a device for the host name of a machine: its first part, as a DNS label.
func NameOf(host string) string {
	short, _, _ := strings.Cut(strings.ToLower(host), ".")
	label := strings.Trim(strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return '-'
	}, short), "-")
	label = strings.Trim(label[:min(len(label), 50)], "-")
	if label == "" {
		return "device"
	}
	return label
}

// nextName returns the n-th name that is tried.
func nextName(name string, n int) string { return fmt.Sprintf("%s-%d", name, n) }
