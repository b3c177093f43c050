// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
)

const (
	// minimumMinor is the oldest Kubernetes 1.x that takes what config/ has: the CRD's rules use the library format, which rules that are
	// new may use from 1.32 on (TestTheOldestKubernetes).
	minimumMinor = 32
	// testedFrom and testedTo are the versions that the tests run on.
	testedFrom, testedTo = 35, 37
	// answerBytes bounds what is read of an answer.
	answerBytes = 64 << 10
)

// serverLook is how an API server answered.
type serverLook struct {
	version version.Info
	// date is the API server's clock, in whole seconds; zero where it told none. asked and answered are ours around it.
	date, asked, answered time.Time
	err                   error
}

// lookAtServer asks for the version.
func (p *probe) lookAtServer(ctx context.Context) Finding {
	url, _, err := rest.DefaultServerUrlFor(p.Connection)
	if err != nil {
		return fail("the address %q is none: %v", p.Connection.Host, err).fix("set --server, or another --kubeconfig or --context")
	}
	p.report.Facts.APIServer.URL = url.Scheme + "://" + url.Host + strings.TrimSuffix(url.Path, "/")
	p.server = p.askServer(ctx)
	p.report.Facts.APIServer.Version = foreign(p.server.version.GitVersion)
	return p.server.judge(p.report.Facts.APIServer.URL)
}

func (p *probe) askServer(ctx context.Context) serverLook {
	look := serverLook{}
	client, err := rest.HTTPClientFor(p.Connection)
	if err != nil {
		return serverLook{err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.report.Facts.APIServer.URL+"/version", nil)
	if err != nil {
		return serverLook{err: err}
	}
	look.asked = p.Clock.Now()
	response, err := client.Do(request)
	if err != nil {
		return serverLook{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	look.answered = p.Clock.Now()
	look.date, _ = http.ParseTime(response.Header.Get("Date"))
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	switch {
	case err != nil:
		look.err = err
	case response.StatusCode != http.StatusOK:
		look.err = fmt.Errorf("it answers %s", response.Status)
	default:
		if json.Unmarshal(body, &look.version) != nil || look.version.GitVersion == "" {
			look.err = fmt.Errorf("its answer is not the one of an API server")
		}
	}
	return look
}

// judge says whether the version is one that the operator runs on.
func (l serverLook) judge(url string) Finding {
	if l.err != nil {
		return fail("the API server at %s was not reached: %v", url, l.err).fix("set --server, or another --kubeconfig or --context")
	}
	minor, err := strconv.Atoi(strings.TrimRight(l.version.Minor, "+"))
	switch {
	case err != nil || l.version.Major != "1":
		return warn("%s at %s: a version that is not known here", l.version.GitVersion, url)
	case minor < minimumMinor:
		return fail("%s at %s: the operator needs Kubernetes 1.%d, whose API servers take the rules in its CRD", l.version.GitVersion, url, minimumMinor).
			fix("update the cluster to Kubernetes 1.%d or later", minimumMinor)
	case minor < testedFrom || minor > testedTo:
		return warn("%s at %s: the operator is tested on 1.%d to 1.%d; this one should do", l.version.GitVersion, url, testedFrom, testedTo)
	}
	return ok("%s at %s", l.version.GitVersion, url)
}
