// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

const (
	// patience is how long kubectl waits for a renewal while the certificate in use is valid, and shortPatience once that was in vain.
	patience      = 10 * time.Second
	shortPatience = time.Second
	// lastPatience is how long it waits where there is nothing else to serve.
	lastPatience = 30 * time.Second
	// reserve is the time for the requests before and after the waiting.
	reserve = 5 * time.Second
	// busyPatience is how long to wait for another process while the certificate in use is valid.
	busyPatience = 300 * time.Millisecond
	// closeToEnd is when to wait for another process as long as it takes.
	closeToEnd = 30 * time.Second

	// Attempts that came to nothing are repeated after firstPause at the earliest, and after lastPause at the latest.
	firstPause = 5 * time.Second
	lastPause  = 5 * time.Minute
	// longestPause is for looking whether access ends later by now.
	longestPause = time.Hour
	// steady is how long a client is not given another certificate, if it can be: when client-go gets one it closes the connections that it
	// has, those of requests under way and the one that it is just opening included, and they fail.
	steady = 20 * time.Second
	// sayAgain is how long the same thing is not told again.
	sayAgain = 5 * time.Minute
)

// Served is what kubectl gets.
type Served struct {
	// Certificate and Key are in PEM.
	Certificate, Key []byte
	// Expires is when to ask again.
	Expires time.Time
}

// Serve returns the credential of an identity, renewed if it is time. Target is how kubectl reaches the API server; nil is as it was when
// this machine was enrolled. While the credential in use is valid nothing that goes wrong is an error: it is told, and tried again.
func (d *Device) Serve(ctx context.Context, identity string, uid types.UID, target *Target) (Served, error) {
	folder, err := d.Store.Folder(uid)
	if err != nil {
		return Served{}, err
	}
	record, err := folder.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return Served{}, fmt.Errorf("this machine has no certificate of ClientIdentity %q: ask for an invitation (kubectl clientidentity invite %s), and enrol with it (kubectl clientidentity enroll)", identity, identity)
	} else if err != nil {
		return Served{}, err
	}
	life, err := record.Life()
	if err != nil {
		return Served{}, err
	}
	now := d.Clock.Now()
	if life.Serves(now) {
		return d.served(record, life, life.Until())
	}
	attempt := folder.Attempt()
	if pause := attempt.Next.Sub(now); pause > 0 && pause <= longestPause && (life.Valid(now) || attempt.Accepted == life.Fingerprint) {
		return d.served(record, life, attempt.Next)
	}
	return d.renewAndServe(ctx, folder, record, life, attempt, target)
}

// served returns a credential.
func (d *Device) served(record *Record, life Life, expires time.Time) (Served, error) {
	now := d.Clock.Now()
	if soonest := now.Add(min(steady, max(life.NotAfter.Sub(now)/2, 0))); expires.Before(soonest) {
		expires = soonest
	}
	key, err := d.export(record.Current.Key)
	return Served{Certificate: []byte(record.Current.Certificate), Key: key, Expires: expires}, err
}

// renewAndServe renews, and serves what there is then.
func (d *Device) renewAndServe(ctx context.Context, folder *Folder, record *Record, life Life, attempt Attempt, asked *Target) (Served, error) {
	now := d.Clock.Now()
	wait, busy := lastPatience, lastPatience
	if life.Valid(now) {
		wait = patience
		if attempt.Failures > 0 {
			wait = shortPatience
		}
		if life.NotAfter.Sub(now) > closeToEnd {
			busy = d.busyPatience
		}
	}
	var best time.Time
	var cause error
	for _, target := range targets(record, asked) {
		s := &session{Device: d, folder: folder, record: record, target: target, patience: wait}
		var renewed *Record
		if renewed, cause = s.locked(ctx, busy); cause == nil {
			if attempt.Failures > 0 {
				folder.Remember(Attempt{})
			}
			after, err := renewed.Life()
			if err != nil {
				return Served{}, err
			}
			return d.served(renewed, after, after.Until())
		}
		best = s.now()
		if !unverified(cause) {
			break
		}
	}
	return d.serveOld(folder, record, life, attempt, best, cause)
}

// locked renews under the lock, unless another process did meanwhile, and returns the record as it is then.
func (s *session) locked(ctx context.Context, busy time.Duration) (*Record, error) {
	unlock, err := s.folder.Lock(ctx, busy)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s.record, err = s.folder.Load(); err != nil {
		return nil, err
	}
	life, err := s.record.Life()
	if err != nil {
		return nil, err
	}
	if life.Serves(s.Clock.Now()) {
		return s.record, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience+reserve)
	defer cancel()
	if s.record.Source == v1alpha1.SourceHolder {
		err = s.renew(ctx)
	} else {
		err = s.fetch(ctx)
	}
	return s.record, err
}

// serveOld serves the credential that could not be renewed, as long as it is valid by the best clock there is.
func (d *Device) serveOld(folder *Folder, record *Record, life Life, attempt Attempt, best time.Time, cause error) (Served, error) {
	if !life.Valid(best) {
		return Served{}, ended(record, life, best, cause)
	}
	now := d.Clock.Now()
	if errors.Is(cause, errBusy) {
		return d.served(record, life, now.Add(firstPause))
	}
	pause, message := d.afterFailure(record, life, attempt, best, cause)
	attempt.Failures++
	attempt.Next, attempt.Accepted = now.Add(pause), life.Fingerprint
	var refusal *Refusal
	if attempt.Reason = ""; errors.As(cause, &refusal) {
		attempt.Reason = refusal.Reason
	}
	if since := now.Sub(attempt.SaidAt); message != "" && (message != attempt.Said || since < 0 || since >= sayAgain) {
		d.Say(message)
		attempt.Said, attempt.SaidAt = message, now
	}
	folder.Remember(attempt)
	return d.served(record, life, attempt.Next)
}

// afterFailure returns when to try again, and what to tell of it.
func (d *Device) afterFailure(record *Record, life Life, attempt Attempt, best time.Time, cause error) (pause time.Duration, message string) {
	left := life.NotAfter.Sub(best)
	pause = min(firstPause<<min(attempt.Failures, 10), lastPause, max(left/4, firstPause))
	switch {
	case errors.Is(cause, errCapped):
		return min(max(left/4, firstPause), longestPause), ""
	case errors.Is(cause, errNotDue):
		return min(max(life.Until().Sub(best), firstPause), lastPause),
			fmt.Sprintf("the clock of this machine is wrong: it differs by %s from that of the API server", duration.HumanDuration(d.Clock.Now().Sub(best).Abs()))
	case errors.Is(cause, errNotRenewed) && !life.RenewalTime.IsZero() && left > life.NotAfter.Sub(life.RenewalTime)/2:
		return pause, "" // the operator has its own time
	}
	return pause, fmt.Sprintf("the certificate of %s could not be renewed, and is used until it ends at %s: %s", record.title(), timing.Stamp(life.NotAfter), cause)
}

// ended tells of a certificate that is not valid, and what to do.
func ended(record *Record, life Life, now time.Time, cause error) error {
	if now.Before(life.NotBefore) {
		return fmt.Errorf("the certificate of %s is not valid before %s, and the clock of this machine has %s: set it right (%w)",
			record.title(), timing.Stamp(life.NotBefore), timing.Stamp(now), cause)
	}
	again := fmt.Sprintf("ask for an invitation (kubectl clientidentity invite %s), and enrol this machine again (kubectl clientidentity enroll)", record.Identity)
	if record.Source != v1alpha1.SourceHolder {
		again = fmt.Sprintf("get the present one as somebody who may: kubectl clientidentity kubeconfig %s --self-renewing", record.Identity)
	}
	return fmt.Errorf("the certificate of %s ended at %s, and could not be renewed (%w): %s", record.title(), timing.Stamp(life.NotAfter), cause, again)
}

// title names an identity and device for people.
func (r *Record) title() string {
	if r.Device == "" {
		return fmt.Sprintf("%q", r.Identity)
	}
	return fmt.Sprintf("%q on device %q", r.Identity, r.Device)
}
