// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const spdxMediaType = types.MediaType("application/spdx+json")

// push uploads the image, with who docker login made the caller, and its bill of materials as what refers to it: to the image for all
// platforms, and to the one for each. Registries that cannot list referrers get the tag that OCI has for that.
func push(ctx context.Context, reference name.Tag, built multi, sbom []byte) error {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	// The bills first, and the tag last: who sees it finds them.
	subjects := []partial.Describable{}
	for _, p := range built.platforms {
		subjects = append(subjects, p.image)
	}
	digest, err := built.index.Digest()
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(reference.Digest(digest.String()), built.index, options...); err != nil {
		return explained(reference, err)
	}
	for _, subject := range append(subjects, built.index) {
		if err := attach(reference.Repository, subject, sbom, options); err != nil {
			return explained(reference, err)
		}
	}
	return explained(reference, remote.Tag(reference, built.index, options...))
}

func attach(repository name.Repository, subject partial.Describable, sbom []byte, options []remote.Option) error {
	descriptor, err := partial.Descriptor(subject)
	if err != nil {
		return err
	}
	bill, err := mutate.Append(
		mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), spdxMediaType),
		mutate.Addendum{Layer: static.NewLayer(sbom, spdxMediaType)})
	if err != nil {
		return err
	}
	bill = mutate.Subject(bill, v1.Descriptor{
		MediaType: descriptor.MediaType, Digest: descriptor.Digest, Size: descriptor.Size,
	}).(v1.Image)
	digest, err := bill.Digest()
	if err != nil {
		return err
	}
	return remote.Write(repository.Digest(digest.String()), bill, options...)
}

// explained says what to do where the registry refuses; what it answered follows.
func explained(reference name.Tag, err error) error {
	if err == nil {
		return nil
	}
	refused := &transport.Error{}
	if errors.As(err, &refused) && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%s refuses a push to %s: log in with 'docker login %s' as somebody who may: %w",
			reference.RegistryStr(), reference.Repository, reference.RegistryStr(), err)
	}
	return fmt.Errorf("push %s: %w", reference, err)
}
