// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/buildinfo"
	"strings"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
)

func TestTheBillListsEveryModuleOfEachBinary(t *testing.T) {
	folder, said, err := command(t.Context(), t, "registry.example.com/operator:v1.2.3", amd64, arm64)
	if err != nil {
		t.Fatal(err)
	}
	document, err := spdxjson.Read(bytes.NewReader(written(t, folder, "client-identity-operator-multi.spdx.json")))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(document); err != nil {
		t.Fatal(err)
	}
	described, err := spdxlib.GetDescribedPackageIDs(document)
	if err != nil || len(described) != 1 || described[0] != "Image" {
		t.Fatalf("it describes %v: %v", described, err)
	}
	packages := map[spdx.ElementID]*spdx.Package{}
	for _, p := range document.Packages {
		packages[p.PackageSPDXIdentifier] = p
	}
	if image := packages["Image"]; !strings.Contains(said, "sha256:"+image.PackageChecksums[0].Value) {
		t.Errorf("it is about the image %s, built was %s", image.PackageChecksums[0].Value, said)
	}
	for manager, binary := range map[spdx.ElementID]string{"Manager-linux-amd64": amd64, "Manager-linux-arm64": arm64} {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{"pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go"): true}
		for _, module := range info.Deps {
			want["pkg:golang/"+module.Path+"@"+strings.ReplaceAll(module.Version, "+", "%2B")] = true
		}
		got := map[string]bool{}
		for _, r := range document.Relationships {
			if r.RefA.ElementRefID == manager && r.Relationship == "DEPENDS_ON" {
				got[packages[r.RefB.ElementRefID].PackageExternalReferences[0].Locator] = true
			}
		}
		for module := range want {
			if !got[module] {
				t.Errorf("%s lacks %s", manager, module)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s has %d modules, want %d", manager, len(got), len(want))
		}
	}
}
