// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const metricsOfAnAPIServer = `# HELP apiserver_request_total [STABLE] Counter of apiserver requests
apiserver_longrunning_requests{component="apiserver",group="",resource="secrets",scope="cluster",subresource="",verb="WATCH",version="v1"} 3
apiserver_longrunning_requests{component="apiserver",group="",resource="pods",scope="cluster",subresource="exec",verb="CONNECT",version="v1"} 3
apiserver_request_total{code="0",component="apiserver",dry_run="",group="",resource="secrets",scope="cluster",subresource="",verb="WATCH",version="v1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="POST",version="v1"} 40
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="POST",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="certificates.k8s.io",resource="certificatesigningrequests",scope="resource",subresource="approval",verb="PUT",version="v1"} 41
apiserver_request_total{code="200",component="",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 7
apiserver_request_total_of_another{verb="GET",resource="secrets"} 7
`

func TestRequestsAreThoseForResources(t *testing.T) {
	got, err := parseRequests(strings.NewReader(metricsOfAnAPIServer))
	if err != nil {
		t.Fatal(err)
	}
	want := requests{"watch secrets": 5, "create secrets": 42, "update certificatesigningrequests/approval": 41}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestRequestsOfThisProcessHaveTheNamesOfTheAPIServers(t *testing.T) {
	for path, want := range map[string]string{
		"GET /api/v1/namespaces":                                                 "list namespaces",
		"GET /api/v1/namespaces/default":                                         "get namespaces",
		"POST /api/v1/namespaces/default/secrets":                                "create secrets",
		"DELETE /api/v1/namespaces/default/secrets":                              "deletecollection secrets",
		"DELETE /api/v1/namespaces/default/secrets/a":                            "delete secrets",
		"PUT /api/v1/namespaces/default/status":                                  "update namespaces/status",
		"GET /api/v1/secrets?watch=true":                                         "watch secrets",
		"PATCH /apis/clientidentity.dev/v1alpha1/clientidentities/a/status":      "patch clientidentities/status",
		"PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval": "update certificatesigningrequests/approval",
		"POST /apis/events.k8s.io/v1/namespaces/default/events":                  "create events",
		"POST /api/v1/namespaces/client-identity-system/serviceaccounts/x/token": "create serviceaccounts/token",
		"GET /metrics":                          "",
		"GET /apis/clientidentity.dev/v1alpha1": "",
	} {
		method, url, _ := strings.Cut(path, " ")
		request, err := http.NewRequest(method, "https://localhost"+url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := requestName(request); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
}

func TestWhatWasCountedSince(t *testing.T) {
	got := requests{"a": 3, "b": 1, "c": 2}.minus(requests{"a": 1, "b": 1, "d": 2})
	if want := (requests{"a": 2, "c": 2, "d": -2}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}
