// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
)

// pauseImage keeps the namespaces of pods.
const pauseImage = "localhost/pause:1"

// object is one in JSON.
type object map[string]any

// writeImage writes an OCI archive of an image that is one static program.
func writeImage(archive, name, program string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	entry := path.Base(program)
	layer, err := tarball(file{name: entry, content: content, mode: 0o755})
	if err != nil {
		return err
	}
	files := []file{}
	blob := func(mediaType string, content []byte) object {
		digest := fmt.Sprintf("%x", sha256.Sum256(content))
		files = append(files, file{name: "blobs/sha256/" + digest, content: content, mode: 0o644})
		return object{"mediaType": mediaType, "digest": "sha256:" + digest, "size": len(content)}
	}
	layerBlob := blob("application/vnd.oci.image.layer.v1.tar", layer)
	config, err1 := json.Marshal(object{
		"os": runtime.GOOS, "architecture": runtime.GOARCH,
		"config": object{"Entrypoint": []string{"/" + entry}, "User": "65535:65535"},
		"rootfs": object{"type": "layers", "diff_ids": []any{layerBlob["digest"]}},
	})
	manifest, err2 := json.Marshal(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": blob("application/vnd.oci.image.config.v1+json", config), "layers": []any{layerBlob},
	})
	entryOfIndex := blob("application/vnd.oci.image.manifest.v1+json", manifest)
	entryOfIndex["annotations"] = object{"io.containerd.image.name": name}
	index, err3 := json.Marshal(object{"schemaVersion": 2, "manifests": []any{entryOfIndex}})
	files = append(files,
		file{name: "index.json", content: index, mode: 0o644},
		file{name: "oci-layout", content: []byte(`{"imageLayoutVersion":"1.0.0"}`), mode: 0o644})
	tarred, err4 := tarball(files...)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	return os.WriteFile(archive, tarred, 0o644)
}

// file is one in an archive.
type file struct {
	name    string
	content []byte
	mode    int64
}

func tarball(files ...file) ([]byte, error) {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, file := range files {
		if err := archive.WriteHeader(&tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.content)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := archive.Write(file.content); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return out.Bytes(), err
}

// ImportImage imports the image of an OCI archive under the name that its index gives it.
func (c *Cluster) ImportImage(ctx context.Context, archive string) error {
	out, err := c.ctr(ctx, "images", "import", "--local", archive)
	if err != nil {
		return fmt.Errorf("import the image %s: %w\n%s", archive, err, out)
	}
	return nil
}

// ImportProgram imports an image of that name which is one static program.
func (c *Cluster) ImportProgram(ctx context.Context, name, program string) error {
	archive := c.path("program.tar")
	if err := writeImage(archive, name, program); err != nil {
		return fmt.Errorf("make an image of %s: %w", program, err)
	}
	return errors.Join(c.ImportImage(ctx, archive), os.Remove(archive))
}
