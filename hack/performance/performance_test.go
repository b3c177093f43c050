// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clientidentity/operator/test/bench/result"
)

var update = flag.Bool("update", false, "Write testdata/want.md anew.")

// made makes the page of testdata, and returns its path and the folder of its plots.
func made(t *testing.T, results string) (page, images string) {
	t.Helper()
	folder := t.TempDir()
	page, images = filepath.Join(folder, "page.md"), filepath.Join(folder, "images")
	if err := os.WriteFile(page, content(t, "testdata/page.md"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(page, results, images); err != nil {
		t.Fatal(err)
	}
	return page, images
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	read, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestThePageTellsTheMediansOfAllRounds(t *testing.T) {
	page, _ := made(t, "testdata/results")
	got := content(t, page)
	if *update {
		if err := os.WriteFile("testdata/want.md", got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := content(t, "testdata/want.md"); !bytes.Equal(got, want) {
		t.Errorf("the page is not testdata/want.md (go test -update writes it):\n%s", got)
	}
}

func TestTheSameResultsMakeTheSameBytes(t *testing.T) {
	page, images := made(t, "testdata/results")
	first := map[string][]byte{page: content(t, page)}
	for _, name := range plotNames {
		path := filepath.Join(images, name+".svg")
		first[path] = content(t, path)
	}
	if err := run(page, "testdata/results", images); err != nil {
		t.Fatal(err)
	}
	for path, before := range first {
		if !bytes.Equal(before, content(t, path)) {
			t.Errorf("%s differs the second time", path)
		}
	}
}

func TestPlotsAreReadableOnEveryGround(t *testing.T) {
	_, images := made(t, "testdata/results")
	texts := map[string][]string{
		growth: {"operator", "bare", "floor", "cert-manager", "100", "1,000"},
		within: {"operator", "bare", "identities issued"},
		effort: {"kube-apiserver", "etcd", "milliseconds", "100", "1,000"},
	}
	for _, name := range plotNames {
		svg := content(t, filepath.Join(images, name+".svg"))
		decoder := xml.NewDecoder(bytes.NewReader(svg))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s is no XML: %v", name, err)
			}
		}
		_, drawing, _ := bytes.Cut(svg, []byte("<path "))
		if ground, _, _ := bytes.Cut(drawing, []byte(">")); !bytes.Contains(ground, []byte("fill:#FFFFFF")) {
			t.Errorf("%s does not begin with a white ground: %s", name, ground)
		}
		for _, text := range texts[name] {
			if !bytes.Contains(svg, []byte(">"+text+"</text>")) {
				t.Errorf("%s does not say %q", name, text)
			}
		}
	}
}

func TestWithoutResultsThePageSaysSo(t *testing.T) {
	page, images := made(t, "testdata/results")
	if err := run(page, t.TempDir(), images); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(content(t, page)), strings.TrimSpace(nothing)), len(tables(nil)); got != want { // but for what is on paper
		t.Errorf("%d of %d blocks say that nothing was measured", got, want)
	}
	if left, err := filepath.Glob(filepath.Join(images, "*")); err != nil || len(left) > 0 {
		t.Errorf("plots of results that are gone are left: %q, %v", left, err)
	}
}

func TestAPageThatLacksABlockFails(t *testing.T) {
	for lacking, page := range map[string]string{
		"begin: speed": "<!-- begin: runs (make performance) -->\n<!-- end: runs -->\n",
		"end: speed":   "<!-- begin: speed (make performance) -->\n",
	} {
		_, err := replaceBlocks([]byte(page), map[string]string{"speed": "x"})
		if err == nil || !strings.Contains(err.Error(), lacking) {
			t.Errorf("a page without %q: %v", lacking, err)
		}
	}
}

func TestWhatIsNoResultFails(t *testing.T) {
	for name, text := range map[string]string{"other.json": `{"items": []}`, "broken.json": `{`} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(folder); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is taken for a result: %v", name, err)
		}
	}
}

func TestTheMedianOfAnEvenNumberIsInTheMiddle(t *testing.T) {
	k := key{identities: 1, phase: result.Issue, subject: result.Bare}
	for want, values := range map[float64][]float64{0: {0}, 2: {9, 1, 2}, 2.5: {4, 1, 3, 2}} {
		all := cells{}
		for _, value := range values {
			all[k] = append(all[k], measurement{Measurement: result.Measurement{PerSecond: value}})
		}
		if got, measured := all.median(k, perSecond); got != want || measured != (want > 0) {
			t.Errorf("the median of %v is %v, not %v", values, got, want)
		}
	}
}

func TestAQuotientIsOfWhatOneRunMeasured(t *testing.T) {
	operator := key{identities: 1, phase: result.Issue, subject: result.Operator}
	other := key{identities: 1, phase: result.Issue, subject: result.CertManager}
	measured := func(run int, value float64) measurement {
		return measurement{Measurement: result.Measurement{PerSecond: value}, run: run}
	}
	for name, test := range map[string]struct {
		all  cells
		want float64
	}{
		"a run without the other one does not count": {cells{operator: {measured(0, 10), measured(1, 90)}, other: {measured(0, 5)}}, 2},
		"the medians of its rounds do":               {cells{operator: {measured(0, 10), measured(0, 20), measured(0, 90)}, other: {measured(0, 5)}}, 4},
		"the median of several runs":                 {cells{operator: {measured(0, 10), measured(1, 20)}, other: {measured(0, 10), measured(1, 5)}}, 2.5},
		"none where no run measured both":            {cells{operator: {measured(0, 10)}, other: {measured(1, 10)}}, 0},
	} {
		if got, ok := test.all.quotient(operator, other, perSecond); got != test.want || ok != (test.want > 0) {
			t.Errorf("%s: got %v, %t, want %v", name, got, ok, test.want)
		}
	}
}
