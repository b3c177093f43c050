// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeArchive writes an OCI layout as one file, which containerd, Podman, skopeo and Docker import.
func writeArchive(path string, reference name.Tag, built multi) (err error) {
	folder, err := os.MkdirTemp(filepath.Dir(path), "."+product+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	files, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	if err := files.AppendIndex(built.index, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          reference.String(),
		"org.opencontainers.image.ref.name": reference.TagStr(),
	})); err != nil {
		return err
	}
	if len(built.platforms) == 1 {
		if err := addDockerManifest(folder, reference, built.platforms[0].image); err != nil {
			return err
		}
	}
	return tarFolder(path, folder)
}

// addDockerManifest adds what Docker reads where it does not use containerd's image store; that takes one platform only.
func addDockerManifest(folder string, reference name.Tag, image v1.Image) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	blob := func(of v1.Descriptor) string { return "blobs/" + of.Digest.Algorithm + "/" + of.Digest.Hex }
	layers := []string{}
	for _, layer := range manifest.Layers {
		layers = append(layers, blob(layer))
	}
	content, err := json.Marshal([]any{map[string]any{
		"Config": blob(manifest.Config), "RepoTags": []string{reference.String()}, "Layers": layers,
	}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "manifest.json"), content, 0o600)
}

// tarFolder writes the files of a folder in the order of their names, as nobody's, at no time.
func tarFolder(path, folder string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriterSize(file, 1<<20)
	archive := tar.NewWriter(buffer)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		return addToTar(archive, folder, path, entry)
	})
	return errors.Join(err, archive.Close(), buffer.Flush())
}

func addToTar(archive *tar.Writer, folder, path string, entry fs.DirEntry) error {
	relative, err := filepath.Rel(folder, path)
	if err != nil {
		return err
	}
	header := tar.Header{Name: filepath.ToSlash(relative), Mode: 0o644, ModTime: time.Unix(0, 0)}
	if entry.IsDir() {
		header.Name, header.Mode, header.Typeflag = header.Name+"/", 0o755, tar.TypeDir
		return archive.WriteHeader(&header)
	}
	content, err := os.Open(path)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // it was only read
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := archive.WriteHeader(&header); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}
