// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"time"

	"github.com/clientidentity/operator/internal/holder"
)

// mostTries bounds the requests of one renewal: the one that was open, one with new parameters, one with the credential before.
const mostTries = 3

// errNotDue means that the clock of this machine is wrong: by the API server's, it is not yet time to renew.
var errNotDue = errors.New("not due")

// errCapped means that renewing gains no time, since access ends.
var errCapped = errors.New("access ends with the certificate")

// notDue returns why it is not the time to renew, nil where it is.
func (l Life) notDue(now time.Time) error {
	switch {
	case l.Due(now):
		return nil
	case l.RenewalTime.IsZero() && !now.Before(l.Until()):
		return errCapped
	}
	return errNotDue
}

// renew renews with a key of this machine.
func (s *session) renew(ctx context.Context) error {
	s.parameters = &s.record.Parameters
	if err := s.resume(); err != nil {
		return err
	}
	if err := s.refresh(ctx, s.record.Secret); err != nil {
		return err
	}
	if life, err := s.record.Life(); err != nil {
		return err
	} else if err := life.notDue(s.now()); err != nil {
		return err
	}
	if err := s.makeKey(); err != nil {
		return err
	}
	for try := 1; ; try++ {
		object, err := s.open(ctx, s.record.Renewal, s.record.Device)
		if err != nil {
			return err
		}
		object, answered, err := s.await(ctx, object)
		switch {
		case err != nil:
			return err
		case answered.refusal == nil:
			c, err := s.adopt(ctx, s.record.Renewal, object)
			if err != nil {
				return err
			}
			return s.swap(c)
		}
		if err := s.refused(ctx, answered.refusal, try); err != nil {
			return err
		}
	}
}

// swap puts a new credential into use, and ends its renewal.
func (s *session) swap(c *Credential) error {
	before := *s.record
	s.record.Previous, s.record.Current, s.record.Renewal = s.record.spentOn(), c, nil
	if err := s.save(); err != nil {
		*s.record = before
		return err
	}
	return nil
}

// spentOn returns the credential that the renewal under way was asked with: the one in use, or the one before it.
func (r *Record) spentOn() *Credential {
	if r.Renewal != nil && r.Previous != nil {
		if issued, err := r.Previous.issued(); err == nil && issued.Fingerprint() == r.Renewal.Spent {
			return r.Previous
		}
	}
	return r.Current
}

// resume asks with the credential in use, or goes on with that before it where that was begun.
func (s *session) resume() error {
	if p := s.record.Renewal; p != nil {
		current, err := s.record.Current.issued()
		if err != nil {
			return err
		}
		if spent := s.record.spentOn(); spent != s.record.Current {
			if issued, err := spent.issued(); err == nil && !s.now().After(issued.NotAfter()) {
				return s.use(spent)
			}
		}
		if p.Spent != current.Fingerprint() {
			s.record.Renewal = nil // its credential is gone
		}
	}
	return s.use(s.record.Current)
}

// makeKey makes the key of the renewal. One that was asked for before stays, since the credential may be spent on it.
func (s *session) makeKey() error {
	if p := s.record.Renewal; p != nil {
		if p.Request != nil || p.Unresolved || s.fits(p.Key) {
			return nil
		}
	}
	life, err := s.record.Life()
	if err != nil {
		return err
	}
	key, err := s.Keys.New(s.parameters.PrivateKey())
	if err != nil {
		return err
	}
	s.record.Renewal = &Pending{Key: key, Spent: life.Fingerprint}
	return nil
}

// refused gets ready to ask again after a refusal; it returns the refusal where that is of no use now. A request that was denied did not
// spend the credential, but one before it may have.
func (s *session) refused(ctx context.Context, refusal *Refusal, try int) error {
	p := s.record.Renewal
	p.Request = nil
	p.Unresolved = p.Unresolved || refusal.Failed // it was approved
	again := false
	switch previous := s.record.Previous; {
	case refusal.outdated() && try < mostTries:
		if err := s.refresh(ctx, s.record.Secret); err != nil {
			return err
		}
		// Another kind of key is asked for, and no request with this one was ever approved.
		if again = true; !p.Unresolved && !s.fits(p.Key) && s.record.spentOn() == s.record.Current {
			key, err := s.Keys.New(s.parameters.PrivateKey())
			if err != nil {
				return err
			}
			p.Key = key
		}
	case refusal.Reason == holder.ReasonCredentialUnknown && previous != nil && s.record.spentOn() == s.record.Current:
		// The operator never learned of the certificate in use: it was renewed from the one before, to the same key.
		issued, err := previous.issued()
		if again = err == nil && !s.now().After(issued.NotAfter()); again {
			s.record.Renewal = &Pending{Key: s.record.Current.Key, Spent: issued.Fingerprint(), Unresolved: true}
			if err := s.use(previous); err != nil {
				return err
			}
		}
	case refusal.Reason == holder.ReasonCredentialUnknown:
		s.record.Renewal = nil // next time with the one in use again
	}
	if err := s.save(); err != nil || again && try < mostTries {
		return err
	}
	return refusal
}
