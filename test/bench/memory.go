// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/operator"
)

const (
	// scraper is whom the operator shows its metrics.
	scraper = "bench-scraper"
	// metricsReader is the role that config ships for that.
	metricsReader = "client-identity-operator-metrics-reader"

	liveBytes = "go_gc_heap_live_bytes"
	cycles    = "go_gc_cycles_total_gc_cycles_total"

	// small is how many small requests are made until the garbage collector is looked at again, and patience for how long.
	small    = 500
	patience = 20 * time.Second
)

// allowScraping makes a ServiceAccount that may read the operator's metrics, as that of Prometheus may.
func allowScraping(ctx context.Context, admin client.Client) error {
	return errors.Join(
		admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: scraper}}),
		admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: scraper},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: metricsReader},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operator.Namespace, Name: scraper}},
		}))
}

// memory returns what the operator has. It has no way to be told to collect garbage, so it is asked small things until it has: what was
// alive then is the live heap. What scraping its metrics takes may be among it.
func (o *ours) memory(ctx context.Context) (m memory, err error) {
	m.resident, m.peak = memoryOf(o.pid())
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: scraper}}
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](3600)}}
	if err := o.admin.SubResource("token").Create(ctx, account, token); err != nil {
		return m, err
	}
	first, err := o.scrape(ctx, token.Status.Token)
	if err != nil {
		return m, err
	}
	for end := time.Now().Add(patience); ; {
		now, err := o.scrape(ctx, token.Status.Token)
		if err != nil {
			return m, err
		}
		if m.live = int64(now[liveBytes]); now[cycles] > first[cycles] || time.Now().After(end) {
			return m, nil
		}
		for range small {
			body, err := get(ctx, http.DefaultClient, "http://"+o.probes+"/healthz", "")
			if err != nil {
				return m, err
			}
			if err := body.Close(); err != nil {
				return m, err
			}
		}
	}
}

// scrape returns the operator's metrics that have no labels.
func (o *ours) scrape(ctx context.Context, token string) (values map[string]float64, err error) {
	// Its certificate is for its Service, and made by itself.
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	body, err := get(ctx, insecure, "https://"+o.metrics+"/metrics", token)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	values = map[string]float64{}
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if values[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
	}
	return values, lines.Err()
}
