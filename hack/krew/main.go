// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// krew packs binaries of the kubectl plugin into archives, and writes the manifest that krew installs them by: see 'make plugin-archives'.
// The same binaries and flags give the same bytes, whenever and wherever.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/krew/pkg/constants"
	"sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"
)

const (
	plugin     = "clientidentity"
	repository = "https://github.com/clientidentity/operator"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "krew: %v\n", err)
		os.Exit(1)
	}
}

// run packs binaries, whose folders are named <os>-<arch>.
func run(arguments []string) error {
	flags := flag.NewFlagSet("krew", flag.ContinueOnError)
	dist := flags.String("dist", "dist", "The folder to write to.")
	version := flags.String("version", "", "The version of the release.")
	license := flags.String("license", "LICENSE", "The file with the license, which goes into each archive.")
	created := flags.Int64("created", 0, "The time of all files, in seconds since 1970.")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	text, err := os.ReadFile(*license)
	if err != nil {
		return err
	}
	manifest := describe(*version)
	for _, path := range flags.Args() {
		platform, err := pack(*dist, path, text, time.Unix(*created, 0).UTC())
		if err != nil {
			return fmt.Errorf("pack %s: %w", path, err)
		}
		platform.URI = fmt.Sprintf("%s/releases/download/%s/%s", repository, *version, platform.URI)
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, platform)
	}
	content, err := yaml.Marshal(manifest)
	if err != nil {
		return err
	}
	// krew's types write an empty time, which krew's own reader refuses.
	content = []byte(strings.Replace(string(content), "  creationTimestamp: null\n", "", 1))
	return os.WriteFile(filepath.Join(*dist, plugin+constants.ManifestExtension), content, 0o644)
}

// describe returns the manifest without its platforms.
func describe(version string) index.Plugin {
	return index.Plugin{
		TypeMeta:   metav1.TypeMeta{APIVersion: constants.CurrentAPIVersion, Kind: constants.PluginKind},
		ObjectMeta: metav1.ObjectMeta{Name: plugin},
		Spec: index.PluginSpec{
			Version:          version,
			Homepage:         repository,
			ShortDescription: "Client certificates for Kubernetes users",
			Description: `Hands out, watches and ends identities of the Client Identity Operator: users with client certificates
that renew themselves. It enrols devices, whose keys never leave them, lists what ends soon, says what is
in the way of an identity, and verifies credentials and role bindings.
`,
			Caveats: `The Client Identity Operator must be installed in the cluster: ` + repository + `

Kubeconfigs that renew themselves call kubectl-clientidentity, which must be in the PATH: with krew it is
in ~/.krew/bin.
`,
		},
	}
}

// pack writes the archive of a binary; its URI is the name of the file.
func pack(dist, path string, license []byte, created time.Time) (index.Platform, error) {
	system, architecture, ok := strings.Cut(filepath.Base(filepath.Dir(path)), "-")
	if !ok {
		return index.Platform{}, fmt.Errorf("the folder of the binary is not named <os>-<arch>")
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return index.Platform{}, err
	}
	write, extension := tarball, ".tar.gz"
	if system == "windows" {
		write, extension = zipped, ".zip"
	}
	content, err := write([]file{{"LICENSE", 0o644, license}, {filepath.Base(path), 0o755, binary}}, created)
	if err != nil {
		return index.Platform{}, err
	}
	name := fmt.Sprintf("kubectl-%s_%s_%s%s", plugin, system, architecture, extension)
	sum := sha256.Sum256(content)
	return index.Platform{
		URI:      name,
		Sha256:   hex.EncodeToString(sum[:]),
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"os": system, "arch": architecture}},
		Files:    []index.FileOperation{{From: "LICENSE", To: "."}, {From: filepath.Base(path), To: "."}},
		Bin:      filepath.Base(path),
	}, os.WriteFile(filepath.Join(dist, name), content, 0o644)
}
