// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/util/webhook"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/denial"
)

// listed is how many certificates each identity of a fleet has: as many as a status remembers.
const listed = 10

// fleet returns identities as they are after years: with all the certificates that a status remembers, and a revoked one.
func fleet(count int) []v1alpha1.ClientIdentity {
	identities := make([]v1alpha1.ClientIdentity, count)
	for i := range identities {
		id := &identities[i]
		id.Name, id.UID = fmt.Sprintf("identity-%d", i), types.UID(fmt.Sprintf("0b1c2d3e-0000-4000-8000-%012d", i))
		id.Spec.Username, id.Spec.Groups = fmt.Sprintf("user-%d@example.com", i), []string{"developers", "team-a", "team-b"}
		id.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: fingerprintOf(i, listed), Reason: "the laptop was stolen"}}
		for n := range listed {
			id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{Fingerprint: fingerprintOf(i, n), Groups: id.Spec.Groups})
		}
	}
	return identities
}

func fingerprintOf(identity, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d", identity, n))
	return hex.EncodeToString(sum[:])
}

// over returns a handler over the cache that the operator has, filled by an informer.
func over(t testing.TB, identities []v1alpha1.ClientIdentity) *handler {
	t.Helper()
	log.SetLogger(logr.Discard())
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	list := v1alpha1.ClientIdentityList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: identities}
	list.APIVersion, list.Kind = v1alpha1.GroupVersion.String(), "ClientIdentityList"
	body, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Query().Get("sendInitialEvents") != "":
			http.Error(w, "list, please", http.StatusBadRequest)
		case r.URL.Query().Get("watch") != "":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(server.Close)
	connection, err := webhook.LoadKubeconfig(kubeconfigFor(t, server.URL), nil)
	if err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind("ClientIdentity"), meta.RESTScopeRoot)
	filled, err := cache.New(connection, cache.Options{Scheme: scheme, Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	if err := index(t.Context(), filled); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := filled.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	if _, err := filled.GetInformer(ctx, &v1alpha1.ClientIdentity{}); err != nil || !filled.WaitForCacheSync(ctx) {
		t.Fatal("the cache was not filled:", err)
	}
	return newHandler(filled, counted{}, clocktesting.NewFakePassiveClock(time.Now()))
}

// asked is a review of one of the identities' certificates, and what is to be answered.
type asked struct {
	body string
	want denial.Reason
}

// questions are those that differ in what has to be found, by the identity in the middle of a fleet.
func questions(t testing.TB, identities []v1alpha1.ClientIdentity) map[string]asked {
	middle := len(identities) / 2
	id := &identities[middle]
	of := func(username, fingerprint string, groups ...string) string {
		return v1(t, func(r *authorizationv1.SubjectAccessReview) {
			r.Spec.User, r.Spec.Groups = username, slices.Concat(groups, []string{"system:authenticated"})
			r.Spec.Extra = map[string]authorizationv1.ExtraValue{user.CredentialIDKey: {"X509SHA256=" + fingerprint}}
		})
	}
	mark := func(uid types.UID) string {
		return v1alpha1.CredentialGroupPrefix + strings.ReplaceAll(string(uid), "-", "") + ":0"
	}
	return map[string]asked{
		"a good certificate":                {of(id.Spec.Username, fingerprintOf(middle, 0), id.Spec.Groups...), ""},
		"a good one with credential group":  {of(id.Spec.Username, fingerprintOf(middle, 0), append(slices.Clone(id.Spec.Groups), mark(id.UID))...), ""},
		"one of a user who is no identity":  {of("somebody", fingerprintOf(-1, 0), "developers"), ""},
		"one that is revoked alone":         {of(id.Spec.Username, fingerprintOf(middle, listed), id.Spec.Groups...), denial.CertificateRevoked},
		"one of an identity that is gone":   {of("somebody", fingerprintOf(-1, 0), mark("0b1c2d3e-0000-4000-9000-000000000000")), denial.IdentityDeleted},
		"one with a group that it has lost": {of(id.Spec.Username, fingerprintOf(middle, 0), "admins"), denial.GroupRemoved},
	}
}

// TestCostDoesNotGrowWithTheFleet: what is found by an index takes as much work among many as among few. Allocations are counted,
// since times are the machine's.
func TestCostDoesNotGrowWithTheFleet(t *testing.T) {
	work := func(count int) map[string]float64 {
		identities := fleet(count)
		h := over(t, identities)
		allocations := map[string]float64{}
		for name, question := range questions(t, identities) {
			allocations[name] = testing.AllocsPerRun(100, func() { serve(h, question.body) })
			if told := h.metrics.(counted); told[string(question.want)] == 0 || told["unanswered"] != 0 {
				t.Errorf("%s, among %d: counted %v", name, count, told)
			}
			clear(h.metrics.(counted))
		}
		return allocations
	}
	few, many := work(10), work(1000)
	for name, allocations := range many {
		if allocations > 1.2*few[name]+5 {
			t.Errorf("%s: %.0f allocations among many, %.0f among few", name, allocations, few[name])
		}
	}
}

// BenchmarkReviews answers reviews from a cache of 10,000 identities, and decides about them without HTTP and JSON.
func BenchmarkReviews(b *testing.B) {
	identities := fleet(10_000)
	h := over(b, identities)
	for name, question := range questions(b, identities) {
		b.Run("answer/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := serve(h, question.body); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
		b.Run("decide/"+name, func(b *testing.B) {
			review, err := readReview(strings.NewReader(question.body))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := denial.Decide(review.subject, h.identities, h.clock.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
