// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const password = "correct horse"

// serve starts a registry that only "pusher" may use; it returns its host.
func serve(t *testing.T, options ...registry.Option) string {
	t.Helper()
	handler := registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, given, _ := r.BasicAuth(); user != "pusher" || given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, `{"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]}`, http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// login does what docker login does.
func login(t *testing.T, host, given string) {
	t.Helper()
	folder := t.TempDir()
	config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, base64.StdEncoding.EncodeToString([]byte("pusher:"+given)))
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", folder)
}

func TestAPushBringsTheImageAndItsBill(t *testing.T) {
	for to, referrers := range map[string]bool{
		"to a registry that lists referrers": true,
		"to one that does not":               false,
	} {
		t.Run(to, func(t *testing.T) {
			host := serve(t, registry.WithReferrersSupport(referrers))
			login(t, host, password)
			image := host + "/team/operator:v1.2.3"
			var folder string
			for range 2 { // a second push changes nothing, and is no error
				var err error
				if folder, _, err = command(t.Context(), t, image, "-push", amd64, arm64); err != nil {
					t.Fatal(err)
				}
			}
			checkPushed(t, folder, image)
		})
	}
}

func checkPushed(t *testing.T, folder, image string) {
	t.Helper()
	tag, err := name.NewTag(image)
	if err != nil {
		t.Fatal(err)
	}
	auth := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	index, err := remote.Index(tag, auth)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(written(t, folder, "client-identity-operator-multi.digest")), tag.Digest(digest.String()).String()+"\n"; got != want {
		t.Errorf("built %s, the registry has %s", got, want)
	}
	subjects := []string{digest.String()}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, platform := range manifest.Manifests {
		subjects = append(subjects, platform.Digest.String())
	}
	if len(subjects) != 3 {
		t.Errorf("subjects: %v", subjects)
	}
	for _, subject := range subjects {
		checkBill(t, tag.Digest(subject), written(t, folder, "client-identity-operator-multi.spdx.json"))
	}
}

// checkBill finds the bill from the image, as scanners do.
func checkBill(t *testing.T, subject name.Digest, want []byte) {
	t.Helper()
	auth := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	found, err := remote.Referrers(subject, auth)
	if err != nil {
		t.Fatal(err)
	}
	referrers, err := found.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(referrers.Manifests) != 1 || referrers.Manifests[0].ArtifactType != "application/spdx+json" {
		t.Fatalf("referrers of %s: %+v", subject, referrers.Manifests)
	}
	bill, err := remote.Image(subject.Digest(referrers.Manifests[0].Digest.String()), auth)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := bill.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("the bill has %d layers: %v", len(layers), err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(content)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the bill of %s is not the one that was written: %v", subject, err)
	}
}

func TestARefusedPushSaysWhatToDo(t *testing.T) {
	host := serve(t)
	login(t, host, "wrong horse")
	_, _, err := command(t.Context(), t, host+"/team/operator:v1.2.3", "-push", amd64)
	if err == nil || !strings.Contains(err.Error(), "docker login "+host) {
		t.Fatalf("error: %v, want one that says to log in", err)
	}
	if strings.Contains(err.Error(), "horse") {
		t.Errorf("the error tells the password: %v", err)
	}
}
