// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

func TestOnlySmallAnswersAreHandedOn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		size, _ := strconv.Atoi(strings.TrimPrefix(request.URL.Path, "/"))
		compressed := gzip.NewWriter(w)
		_, _ = io.WriteString(compressed, strings.Repeat("x", size))
		_ = compressed.Close()
	}))
	defer server.Close()
	c := smallAnswersOnly(server.Client())
	for size, want := range map[int]error{0: nil, smallAnswer: nil, smallAnswer + 1: errNotSmall, 50 * smallAnswer: errNotSmall} {
		response, err := c.Get(server.URL + "/" + strconv.Itoa(size))
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
		if err != nil {
			continue
		}
		if content, err := io.ReadAll(response.Body); err != nil || len(content) != size {
			t.Errorf("%d bytes: read %d, %v", size, len(content), err)
		}
		_ = response.Body.Close()
	}
}
