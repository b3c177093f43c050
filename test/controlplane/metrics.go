// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
)

// Metric returns the sum of the series of a metric of an API server that have these labels, each written as in name="value"; 0 where
// there are none.
func (cp *ControlPlane) Metric(ctx context.Context, c Component, name string, labels ...string) (float64, error) {
	url := cp.URL()
	if c == SecondAPIServer {
		url = cp.secondURL()
	}
	admin, err := rest.HTTPClientFor(cp.admin)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := admin.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("/metrics of %s answers %s", c, response.Status)
	}
	sum := 0.0
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		value, is := valueOf(lines.Text(), name, labels)
		if !is {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s of %s: %w", name, c, err)
		}
		sum += number
	}
	return sum, lines.Err()
}

// valueOf returns the value in a line of /metrics that is of this metric and has the labels.
func valueOf(line, name string, labels []string) (value string, is bool) {
	series, is := strings.CutPrefix(line, name)
	if !is || (!strings.HasPrefix(series, "{") && !strings.HasPrefix(series, " ")) {
		return "", false
	}
	end := strings.LastIndex(series, " ")
	for _, label := range labels {
		if !strings.Contains(series[:end], label) {
			return "", false
		}
	}
	return series[end+1:], true
}
