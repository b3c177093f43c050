// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const (
	version  = "v1.2.3"
	revision = "0123456789abcdef0123456789abcdef01234567"
	created  = "1700000000"
)

// amd64 and arm64 stand for the manager: this command, which has modules to list, and a program that is quickly built.
var amd64, arm64 string

func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}

func testMain(m *testing.M) (int, error) {
	folder, err := os.MkdirTemp("", "image-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a leftover in the folder for such
	amd64, arm64 = filepath.Join(folder, "amd64"), filepath.Join(folder, "arm64")
	if err := errors.Join(
		compile(amd64, ".", "GOARCH=amd64", "GOOS=linux", "CGO_ENABLED=0"),
		compile(arm64, "./testdata/nothing", "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0"),
	); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func compile(binary, program string, environment ...string) error {
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", binary, program)
	build.Env = append(os.Environ(), environment...)
	build.Stderr = os.Stderr
	return build.Run()
}

// command runs this command as make does; it returns the folder with what it wrote, and what it said.
func command(ctx context.Context, t *testing.T, name string, arguments ...string) (folder, said string, err error) {
	t.Helper()
	folder = t.TempDir()
	var out bytes.Buffer
	err = run(ctx, append([]string{
		"-dist", folder, "-name", name, "-version", version, "-revision", revision, "-created", created,
	}, arguments...), &out)
	return folder, out.String(), err
}

func written(t *testing.T, folder, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// unpack reads an archive back as the layout that it is.
func unpack(t *testing.T, archive []byte) (layout.Path, string) {
	t.Helper()
	folder := t.TempDir()
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, filepath.FromSlash(header.Name))
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o750)
		} else {
			var content []byte
			if content, err = io.ReadAll(files); err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	unpacked, err := layout.FromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	return unpacked, folder
}

// imagesIn returns what the archive has under its one name, and its image for each platform.
func imagesIn(t *testing.T, files layout.Path) (named v1.Descriptor, index v1.ImageIndex, images map[string]v1.Image) {
	t.Helper()
	top, err := files.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("index.json names %d images, want 1", len(manifest.Manifests))
	}
	named = manifest.Manifests[0]
	if index, err = top.ImageIndex(named.Digest); err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	if manifest, err = index.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	images = map[string]v1.Image{}
	for _, descriptor := range manifest.Manifests {
		if descriptor.ArtifactType != "" {
			t.Errorf("%s is an artifact of type %s, and no image", descriptor.Platform, descriptor.ArtifactType)
		}
		if images[descriptor.Platform.String()], err = index.Image(descriptor.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return named, index, images
}

func TestTheArchiveHoldsOneImageForAllPlatforms(t *testing.T) {
	const name = "registry.example.com/team/operator:v1.2.3"
	folder, said, err := command(t.Context(), t, name, arm64, amd64)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := unpack(t, written(t, folder, "client-identity-operator-multi.tar"))
	named, index, images := imagesIn(t, files)
	if got := named.Annotations["io.containerd.image.name"]; got != name {
		t.Errorf("containerd would name it %q, want %q", got, name)
	}
	if got := named.Annotations["org.opencontainers.image.ref.name"]; got != "v1.2.3" {
		t.Errorf("its tag is %q, want v1.2.3", got)
	}
	byDigest := "registry.example.com/team/operator@" + named.Digest.String() + "\n"
	if got := string(written(t, folder, "client-identity-operator-multi.digest")); got != byDigest {
		t.Errorf("the digest file says %q, want %q", got, byDigest)
	}
	if !strings.HasSuffix(said, byDigest) {
		t.Errorf("it says %q, want %q at the end", said, byDigest)
	}
	if len(images) != 2 || images["linux/amd64"] == nil || images["linux/arm64"] == nil {
		t.Errorf("platforms: %v, want linux/amd64 and linux/arm64", images)
	}
	for platform, image := range images {
		checkConfig(t, platform, image)
		manifest, err := image.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		checkSaid(t, "annotation of "+platform, manifest.Annotations)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	checkSaid(t, "annotation of the whole", manifest.Annotations)
	checkFiles(t, images["linux/amd64"], amd64)
	checkFiles(t, images["linux/arm64"], arm64)
}

func checkConfig(t *testing.T, platform string, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.OS + "/" + config.Architecture; got != platform {
		t.Errorf("config of %s: it is for %s", platform, got)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) || config.Config.Cmd != nil {
		t.Errorf("config of %s: user %s, entrypoint %v, command %v", platform, config.Config.User, config.Config.Entrypoint, config.Config.Cmd)
	}
	checkSaid(t, "label of "+platform, config.Config.Labels)
}

// checkSaid looks at what an image says about itself.
func checkSaid(t *testing.T, where string, got map[string]string) {
	t.Helper()
	for key, want := range map[string]string{
		"title": "client-identity-operator", "source": "https://github.com/clientidentity/operator", "licenses": "Apache-2.0",
		"version": version, "revision": revision, "created": "2023-11-14T22:13:20Z",
	} {
		if key = "org.opencontainers.image." + key; got[key] != want {
			t.Errorf("%s: %s is %q, want %q", where, key, got[key], want)
		}
	}
	if got["org.opencontainers.image.description"] == "" {
		t.Errorf("%s: no description", where)
	}
}

// checkFiles looks at the whole file system: nothing in it can be written, or has a time of its own.
func checkFiles(t *testing.T, image v1.Image, binary string) {
	t.Helper()
	want, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(image)
	defer content.Close() //nolint:errcheck // it was only read
	files, names := tar.NewReader(content), []string{}
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		if header.Uid != 0 || header.Gid != 0 || header.Mode&0o022 != 0 || header.ModTime.Unix() != 1700000000 {
			t.Errorf("%s: owner %d:%d, mode %o, time %s", header.Name, header.Uid, header.Gid, header.Mode, header.ModTime)
		}
		if header.Name == "manager" {
			if got, err := io.ReadAll(files); err != nil || !bytes.Equal(got, want) || header.Mode != 0o755 {
				t.Errorf("manager is not %s, or has mode %o: %v", binary, header.Mode, err)
			}
		}
	}
	if !slices.Equal(names, []string{"etc", "etc/group", "etc/passwd", "manager"}) {
		t.Errorf("files: %v", names)
	}
}

func TestOnlyStaticLinuxBinariesMakeAnImage(t *testing.T) {
	darwin := filepath.Join(t.TempDir(), "darwin")
	if err := compile(darwin, "./testdata/nothing", "GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		name, want string
		binaries   []string
	}{
		"for another system":  {"example.com/x:v1", "an image needs CGO_ENABLED=0 GOOS=linux", []string{darwin}},
		"no program at all":   {"example.com/x:v1", "go.mod", []string{"go.mod"}},
		"none":                {"example.com/x:v1", "no binaries", nil},
		"one platform twice":  {"example.com/x:v1", "linux/amd64 twice", []string{amd64, amd64}},
		"a name by digest":    {"example.com/x@sha256:" + strings.Repeat("0", 64), "-name=", []string{amd64}},
		"a name with a space": {"example.com/a b:v1", "-name=", []string{amd64}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := command(t.Context(), t, test.name, test.binaries...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestAnArchiveForOnePlatformIsReadByEveryDocker(t *testing.T) {
	folder, _, err := command(t.Context(), t, "registry.example.com/operator:v1.2.3", amd64)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(folder, "client-identity-operator-amd64.tar")
	image, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	checkConfig(t, "linux/amd64", image)
}
