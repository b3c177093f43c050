// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

const unknown = "NOASSERTION"

// bill is a software bill of materials in the making: what the image holds, by what Go wrote into its binaries.
type bill struct {
	document spdx.Document
	known    map[common.ElementID]bool
}

// sbomOf says in SPDX what is in the image: the managers, and the modules that each was linked from.
func sbomOf(about release, reference name.Tag, built multi) ([]byte, error) {
	digest, err := built.index.Digest()
	if err != nil {
		return nil, err
	}
	sbom := bill{known: map[common.ElementID]bool{}, document: spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      product + " " + about.version,
		DocumentNamespace: source + "/spdx/" + digest.Hex,
		CreationInfo: &spdx.CreationInfo{
			Created:  about.created.Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Tool", Creator: product + "-image"}},
		},
	}}
	image := &spdx.Package{
		PackageName:             reference.Repository.String(),
		PackageSPDXIdentifier:   "Image",
		PackageVersion:          about.version,
		PackageDownloadLocation: unknown,
		PackageLicenseConcluded: unknown,
		PackageLicenseDeclared:  licence,
		PackageCopyrightText:    unknown,
		PrimaryPackagePurpose:   "CONTAINER",
		PackageChecksums:        []common.Checksum{{Algorithm: common.SHA256, Value: digest.Hex}},
		PackageExternalReferences: purl(fmt.Sprintf("pkg:oci/%s@%s?repository_url=%s&tag=%s", lastOf(reference.RepositoryStr()),
			url.QueryEscape(digest.String()), url.QueryEscape(reference.Repository.String()), url.QueryEscape(reference.TagStr()))),
	}
	sbom.add(image)
	sbom.relate(sbom.document.SPDXIdentifier, "DESCRIBES", image.PackageSPDXIdentifier)
	for _, p := range built.platforms {
		binary, err := sbom.addBinary(about, p)
		if err != nil {
			return nil, err
		}
		sbom.relate(image.PackageSPDXIdentifier, "CONTAINS", binary)
	}
	var content bytes.Buffer
	err = spdxjson.Write(&sbom.document, &content, spdxjson.Indent("  "), spdxjson.EscapeHTML(false))
	return content.Bytes(), err
}

func (b *bill) addBinary(about release, p platform) (common.ElementID, error) {
	info, err := buildinfo.ReadFile(p.binary)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(p.binary)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	manager := &spdx.Package{
		PackageName:             info.Main.Path,
		PackageSPDXIdentifier:   common.ElementID("Manager-" + p.OS + "-" + p.Architecture),
		PackageVersion:          about.version,
		PackageFileName:         "/manager",
		PackageDownloadLocation: unknown,
		PackageSourceInfo:       "revision " + about.revision,
		PackageLicenseConcluded: unknown,
		PackageLicenseDeclared:  licence,
		PackageCopyrightText:    unknown,
		PrimaryPackagePurpose:   "APPLICATION",
		PackageChecksums:        []common.Checksum{{Algorithm: common.SHA256, Value: hex.EncodeToString(sum[:])}},
		PackageExternalReferences: purl(fmt.Sprintf("pkg:golang/%s@%s?goarch=%s&goos=%s",
			info.Main.Path, about.version, p.Architecture, p.OS)),
	}
	b.add(manager)
	b.relate(manager.PackageSPDXIdentifier, "DEPENDS_ON", b.addModule("stdlib", strings.TrimPrefix(info.GoVersion, "go"), ""))
	for _, module := range info.Deps {
		used := effective(module)
		b.relate(manager.PackageSPDXIdentifier, "DEPENDS_ON", b.addModule(used.Path, used.Version, used.Sum))
	}
	return manager.PackageSPDXIdentifier, nil
}

// effective is the module that was linked, where go.mod replaces one by another.
func effective(module *debug.Module) *debug.Module {
	if module.Replace != nil {
		return module.Replace
	}
	return module
}

func (b *bill) addModule(path, version, sum string) common.ElementID {
	identity := common.ElementID("Module-" + idstring(path) + "-" + idstring(version))
	if b.known[identity] {
		return identity
	}
	module := &spdx.Package{
		PackageName:               path,
		PackageSPDXIdentifier:     identity,
		PackageVersion:            version,
		PackageDownloadLocation:   unknown,
		PackageLicenseConcluded:   unknown,
		PackageLicenseDeclared:    unknown,
		PackageCopyrightText:      unknown,
		PrimaryPackagePurpose:     "LIBRARY",
		PackageExternalReferences: purl("pkg:golang/" + path + "@" + url.QueryEscape(version)),
	}
	if sum != "" {
		module.PackageSourceInfo = "go.sum " + sum
	}
	b.add(module)
	return identity
}

func (b *bill) add(p *spdx.Package) {
	b.known[p.PackageSPDXIdentifier] = true
	b.document.Packages = append(b.document.Packages, p)
}

func (b *bill) relate(from common.ElementID, relationship string, to common.ElementID) {
	b.document.Relationships = append(b.document.Relationships, &spdx.Relationship{
		RefA:         common.DocElementID{ElementRefID: from},
		RefB:         common.DocElementID{ElementRefID: to},
		Relationship: relationship,
	})
}

func purl(locator string) []*spdx.PackageExternalReference {
	return []*spdx.PackageExternalReference{{Category: common.CategoryPackageManager, RefType: "purl", Locator: locator}}
}

// idstring writes any text in the characters that an SPDX identifier may have, so that two texts stay two identifiers.
func idstring(text string) string {
	var id strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.':
			id.WriteByte(c)
		default:
			fmt.Fprintf(&id, "-%02x", c)
		}
	}
	return id.String()
}

func lastOf(path string) string { return path[strings.LastIndex(path, "/")+1:] }
