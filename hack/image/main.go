// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// image packs manager binaries into one container image for their platforms, without a container engine: see 'make image'.
// The same binaries and flags give the same bytes, whenever and wherever.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

// run writes PREFIX.tar, PREFIX.digest and PREFIX.spdx.json, where the prefix is the product and the platform, and pushes where asked to.
func run(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	tag := flags.String("name", "", "The image's name with its tag.")
	dist := flags.String("dist", "dist", "The folder to write to.")
	pushing := flags.Bool("push", false, "Push the image to the registry in its name.")
	about := release{}
	flags.StringVar(&about.version, "version", "", "The version that the image says it is.")
	flags.StringVar(&about.revision, "revision", "", "The commit that the binaries were built from.")
	created := flags.Int64("created", 0, "When that commit was made, in seconds since 1970.")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	about.created = time.Unix(*created, 0).UTC()

	reference, err := name.NewTag(*tag)
	if err != nil {
		return fmt.Errorf("-name=%s: %w", *tag, err)
	}
	built, err := build(about, flags.Args())
	if err != nil {
		return err
	}
	sbom, err := sbomOf(about, reference, built)
	if err != nil {
		return err
	}
	digest, err := built.index.Digest()
	if err != nil {
		return err
	}
	byDigest := reference.Digest(digest.String()).String()
	prefix := filepath.Join(*dist, product+"-"+built.platformsName())
	if err := errors.Join(
		writeArchive(prefix+".tar", reference, built),
		os.WriteFile(prefix+".digest", []byte(byDigest+"\n"), 0o644),
		os.WriteFile(prefix+".spdx.json", sbom, 0o644),
	); err != nil {
		return err
	}
	if *pushing {
		if err := push(ctx, reference, built, sbom); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%s.tar\n%s\n", prefix, byDigest)
	return err
}
