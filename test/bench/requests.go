// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// requests counts requests by verb and resource.
type requests map[string]float64

// minus returns what was counted since.
func (r requests) minus(before requests) requests {
	since := requests{}
	for name, count := range r {
		if count -= before[name]; count != 0 {
			since[name] = count
		}
	}
	for name, count := range before {
		if _, known := r[name]; !known {
			since[name] = -count
		}
	}
	return since
}

var (
	// verbs are what the API server's metrics call them, and RBAC.
	verbs = map[string]string{
		"GET": "get", "LIST": "list", "WATCH": "watch", "POST": "create", "PUT": "update", "PATCH": "patch", "APPLY": "patch",
		"DELETE": "delete", "DELETECOLLECTION": "deletecollection",
	}
	label = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// nameOf returns verb and resource as RBAC has them.
func nameOf(verb, resource, subresource string) string {
	if subresource != "" {
		resource += "/" + subresource
	}
	return verb + " " + resource
}

// parseRequests reads the /metrics of an API server. Requests for other things than resources are left out. A watch is counted
// when it begins: those that have ended are counted with the other requests, and those that are open in a metric of their own.
func parseRequests(metrics io.Reader) (requests, error) {
	counted := requests{}
	lines := bufio.NewScanner(metrics)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		open := strings.HasPrefix(line, "apiserver_longrunning_requests{")
		if !open && !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		end := strings.LastIndex(line, " ")
		labels := map[string]string{}
		for _, pair := range label.FindAllStringSubmatch(line[:end], -1) {
			labels[pair[1]] = pair[2]
		}
		verb, known := verbs[labels["verb"]]
		if !known || labels["resource"] == "" || (open && verb != "watch") {
			continue
		}
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", line, err)
		}
		counted[nameOf(verb, labels["resource"], labels["subresource"])] += value
	}
	return counted, lines.Err()
}

// apiServer reads what an API server counts.
type apiServer struct {
	client *http.Client
	url    string
}

func newAPIServer(admin *rest.Config) (*apiServer, error) {
	client, err := rest.HTTPClientFor(admin)
	return &apiServer{client: client, url: admin.Host + "/metrics"}, err
}

func (a *apiServer) requests(ctx context.Context) (counted requests, err error) {
	body, err := get(ctx, a.client, a.url, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	return parseRequests(body)
}

// get returns what is served at a URL, to the holder of a token where there is one.
func get(ctx context.Context, client *http.Client, url, token string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answers %s", url, response.Status), response.Body.Close())
	}
	return response.Body, nil
}

// tally counts the requests of clients of this process, as the API server does.
type tally struct {
	mu      sync.Mutex
	counted requests
}

// wrap makes a connection count its requests here.
func (t *tally) wrap(connection *rest.Config) *rest.Config {
	counting := rest.CopyConfig(connection)
	counting.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counter{next: next, tally: t} })
	return counting
}

// requests returns what was counted so far.
func (t *tally) requests() requests {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counted.minus(nil)
}

type counter struct {
	next  http.RoundTripper
	tally *tally
}

func (c *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	if name := requestName(request); name != "" {
		c.tally.mu.Lock()
		c.tally.counted[name]++
		c.tally.mu.Unlock()
	}
	return c.next.RoundTrip(request)
}

// requestName returns the verb and resource of a request; empty where it is about none.
func requestName(request *http.Request) string {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return ""
	}
	if len(parts) > 2 && parts[0] == "namespaces" && parts[2] != "status" && parts[2] != "finalize" {
		parts = parts[2:]
	}
	verb, subresource := verbs[request.Method], ""
	if len(parts) > 2 {
		subresource = parts[2]
	}
	switch collection := len(parts) == 1; {
	case request.Method == http.MethodGet && request.URL.Query().Get("watch") != "":
		verb = "watch"
	case request.Method == http.MethodGet && collection:
		verb = "list"
	case request.Method == http.MethodDelete && collection:
		verb = "deletecollection"
	}
	return nameOf(verb, parts[0], subresource)
}
