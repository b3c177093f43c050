// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	product = "client-identity-operator"
	source  = "https://github.com/clientidentity/operator"
	licence = "Apache-2.0"
)

// release is what the image says about itself.
type release struct {
	version, revision string
	created           time.Time
}

func (r release) annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       product,
		"org.opencontainers.image.description": "Kubernetes users as declarative objects: client certificates, kubeconfigs and role bindings",
		"org.opencontainers.image.licenses":    licence,
		"org.opencontainers.image.source":      source,
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
}

// multi is an image for several platforms.
type multi struct {
	index     v1.ImageIndex
	platforms []platform
}

type platform struct {
	v1.Platform
	binary string
	image  v1.Image
}

// platformsName is the architecture of an image that has one, else "multi".
func (m multi) platformsName() string {
	if len(m.platforms) == 1 {
		return m.platforms[0].Architecture
	}
	return "multi"
}

// build makes the image of these binaries; each of them tells its platform itself.
func build(about release, binaries []string) (multi, error) {
	built := multi{}
	for _, binary := range binaries {
		target, err := platformOf(binary)
		if err != nil {
			return multi{}, err
		}
		if slices.ContainsFunc(built.platforms, func(p platform) bool { return p.Equals(target) }) {
			return multi{}, fmt.Errorf("%s is for %s, and so is one before it: there is %[2]s twice", binary, target)
		}
		image, err := imageOf(about, binary, target)
		if err != nil {
			return multi{}, fmt.Errorf("image of %s: %w", binary, err)
		}
		built.platforms = append(built.platforms, platform{target, binary, image})
	}
	if len(built.platforms) == 0 {
		return multi{}, errors.New("no binaries: name the manager of each platform")
	}
	slices.SortFunc(built.platforms, func(a, b platform) int { return cmp.Compare(a.String(), b.String()) })

	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range built.platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        runnable{p.image},
			Descriptor: v1.Descriptor{Platform: &p.Platform},
		})
	}
	built.index = mutate.Annotations(index, about.annotations()).(v1.ImageIndex)
	return built, nil
}

// runnable keeps the library from writing into the index that an image is an artifact: that type is for what does not run.
type runnable struct{ v1.Image }

func (runnable) ArtifactType() (string, error) { return "", nil }

// platformOf reads from a binary what it runs on. It must be static: the image has nothing to link with.
func platformOf(binary string) (v1.Platform, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return v1.Platform{}, err
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if settings["CGO_ENABLED"] != "0" || settings["GOOS"] != "linux" {
		return v1.Platform{}, fmt.Errorf("%s was built with CGO_ENABLED=%s GOOS=%s: an image needs CGO_ENABLED=0 GOOS=linux",
			binary, settings["CGO_ENABLED"], settings["GOOS"])
	}
	return v1.Platform{OS: settings["GOOS"], Architecture: settings["GOARCH"]}, nil
}

func imageOf(about release, binary string, target v1.Platform) (v1.Image, error) {
	content, err := layerOf(binary, about.created)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS:           target.OS,
		Architecture: target.Architecture,
		Created:      v1.Time{Time: about.created},
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       nonroot + ":" + nonroot,
			Entrypoint: []string{"/manager"},
			WorkingDir: "/",
			Labels:     about.annotations(),
		},
	})
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: about.created}, CreatedBy: "make image"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, about.annotations()).(v1.Image), nil
}

// nonroot is the user of distroless images, too.
const nonroot = "65532"

// layerOf is the whole file system: the manager, and who it runs as. It trusts the cluster's own CAs, so it needs no others.
func layerOf(binary string, created time.Time) ([]byte, error) {
	manager, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	for _, file := range []struct {
		header  tar.Header
		content []byte
	}{
		{tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}, nil},
		{tar.Header{Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\nnonroot:x:" + nonroot + ":\n")},
		{tar.Header{Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:" + nonroot + ":" + nonroot + ":nonroot:/:/sbin/nologin\n")},
		{tar.Header{Name: "manager", Mode: 0o755}, manager},
	} {
		file.header.Size, file.header.ModTime = int64(len(file.content)), created
		if err := files.WriteHeader(&file.header); err != nil {
			return nil, err
		}
		if _, err := files.Write(file.content); err != nil {
			return nil, err
		}
	}
	return layer.Bytes(), files.Close()
}
