// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// image packs manager binaries into one container image for their platforms, without a container engine: see 'make image'.
// The same binaries and flags give the same bytes, whenever and wherever.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

const product = "client-identity-operator"

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	tag := flag.String("name", "", "The image's name with its tag.")
	dist := flag.String("dist", "dist", "The folder that archive and digest are written to.")
	about := release{}
	flag.StringVar(&about.version, "version", "", "The version that the image says it is.")
	flag.StringVar(&about.revision, "revision", "", "The commit that the binaries were built from.")
	created := flag.Int64("created", 0, "When that commit was made, in seconds since 1970.")
	flag.Parse()
	about.created = time.Unix(*created, 0).UTC()

	reference, err := name.NewTag(*tag)
	if err != nil {
		return fmt.Errorf("-name=%s: %w", *tag, err)
	}
	built, err := build(about, flag.Args())
	if err != nil {
		return err
	}
	digest, err := built.index.Digest()
	if err != nil {
		return err
	}
	base := filepath.Join(*dist, product+"-"+built.platformsName())
	if err := writeArchive(base+".tar", reference, built); err != nil {
		return err
	}
	byDigest := reference.Digest(digest.String()).String()
	if err := os.WriteFile(base+".digest", []byte(byDigest+"\n"), 0o600); err != nil {
		return err
	}
	fmt.Printf("%s.tar\n%s\n", base, byDigest)
	return nil
}
