// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// smallAnswer is the size of an answer, in bytes, that is small: less than one object may have.
const smallAnswer = 1 << 20

var errNotSmall = errors.New("the answer is larger than a megabyte")

// smallAnswersOnly returns a client over the same connections that fails where an answer is not small.
func smallAnswersOnly(shared *http.Client) *http.Client {
	return &http.Client{Transport: smallAnswers{shared.Transport}, Timeout: shared.Timeout}
}

// smallAnswers hands small answers on. Of others it reads no more than tells that they are none, and nothing is decoded.
type smallAnswers struct{ next http.RoundTripper }

func (s smallAnswers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := s.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func(body io.Closer) { _ = body.Close() }(response.Body)
	content, err := io.ReadAll(io.LimitReader(response.Body, smallAnswer+1))
	if err == nil && len(content) > smallAnswer {
		err = errNotSmall
	}
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	return response, nil
}
