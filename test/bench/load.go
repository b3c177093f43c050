// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// reader is somebody who reads one ConfigMap, again and again.
type reader struct {
	name   string
	client *http.Client
	url    string
}

// newReader returns a reader with connections of its own.
func newReader(name string, config *rest.Config) (*reader, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return &reader{name: name, client: client, url: config.Host + "/api/v1/namespaces/default/configmaps/kube-root-ca.crt"}, nil
}

func (r *reader) read(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s may not read: %s", r.name, response.Status)
	}
	return nil
}

// speed is what was measured of requests.
type speed struct {
	perSecond float64
	p50, p99  time.Duration
}

// measure reads for some time, so many at a time. What comes first is not counted: connections are made then.
func (r *reader) measure(ctx context.Context, workers int, duration time.Duration) (speed, error) {
	for range 2 * workers {
		if err := r.read(ctx); err != nil {
			return speed{}, err
		}
	}
	var (
		mu   sync.Mutex
		all  []time.Duration
		errs []error
		wait sync.WaitGroup
	)
	began := time.Now()
	for range workers {
		wait.Go(func() {
			var took []time.Duration
			var err error
			for err == nil && time.Since(began) < duration {
				start := time.Now()
				err = r.read(ctx)
				took = append(took, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, took...), append(errs, err)
		})
	}
	wait.Wait()
	elapsed := time.Since(began)
	slices.Sort(all)
	return speed{
		perSecond: float64(len(all)) / elapsed.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100],
	}, errors.Join(errs...)
}

// middle returns the speed whose parts are the medians of many.
func middle(many []speed) speed {
	return speed{
		perSecond: median(many, func(s speed) float64 { return s.perSecond }),
		p50:       time.Duration(median(many, func(s speed) float64 { return float64(s.p50) })),
		p99:       time.Duration(median(many, func(s speed) float64 { return float64(s.p99) })),
	}
}

// median returns the median of one number of each.
func median[T any](many []T, number func(T) float64) float64 {
	var numbers []float64
	for _, one := range many {
		numbers = append(numbers, number(one))
	}
	slices.Sort(numbers)
	return numbers[len(numbers)/2]
}
