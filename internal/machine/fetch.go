// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// errNotRenewed means that the operator has published nothing newer.
var errNotRenewed = errors.New("the operator has published no newer certificate yet")

// fetch takes the next certificate and key from the Secret where the operator publishes them.
func (s *session) fetch(ctx context.Context) error {
	if err := s.use(s.record.Current); err != nil {
		return err
	}
	published, err := s.api.Published(ctx, s.record.Secret)
	if err != nil {
		return fmt.Errorf("read the next certificate: %w", err)
	}
	if life, err := s.record.Life(); err != nil {
		return err
	} else if err := life.notDue(s.now()); err != nil && !errors.Is(err, errCapped) {
		return err
	}
	current, err := s.record.Current.issued()
	if err != nil {
		return err
	}
	c, issued, err := PublishedCredential(published)
	if err != nil {
		return err
	}
	switch {
	case issued.Fingerprint() == current.Fingerprint():
		return errNotRenewed
	case issued.Subject().Username != current.Subject().Username:
		return fmt.Errorf("the Secret %s/%s has a certificate for another user", s.record.Secret.Namespace, s.record.Secret.Name)
	case s.now().After(issued.NotAfter()):
		return errNotRenewed
	}
	if err := s.prove(ctx, c, issued.Subject()); err != nil {
		return err
	}
	return s.swap(c)
}

// PublishedCredential returns the certificate and key that the operator published. Errors quote nothing of them.
func PublishedCredential(published map[string][]byte) (*Credential, *certificate.Issued, error) {
	issued, err := certificate.ParseIssued(published[v1alpha1.CertificateKey])
	if err != nil {
		return nil, nil, err
	}
	key, err := certificate.ParseKey(published[v1alpha1.PrivateKeyKey])
	if err != nil {
		return nil, nil, err
	}
	if !issued.HasKey(key.Public()) {
		return nil, nil, errors.New("the published key is not that of the published certificate")
	}
	encoded, err := certificate.EncodeKey(key)
	if err != nil {
		return nil, nil, err
	}
	return &Credential{Certificate: string(issued.ChainPEM), Key: string(encoded)}, issued, nil
}

// Keep keeps a credential that the operator made.
func (d *Device) Keep(ctx context.Context, record *Record) error {
	folder, err := d.Store.Folder(record.UID)
	if err != nil {
		return err
	}
	issued, err := record.Current.issued()
	if err != nil {
		return err
	}
	if err := folder.Make(); err != nil {
		return fmt.Errorf("make the folder for key and certificate: %w", err)
	}
	unlock, err := folder.Lock(ctx, lastPatience)
	if err != nil {
		return err
	}
	defer unlock()
	s := &session{Device: d, folder: folder, record: record, target: TargetOf(record.Cluster)}
	if err := s.prove(ctx, record.Current, issued.Subject()); err != nil {
		return err
	}
	folder.Remember(Attempt{})
	return s.save()
}
