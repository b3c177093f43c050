// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/controller"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/secret"
)

// mostBytes bounds what the caches keep of one identity that was renewed once, with its Secret's metadata, a role binding, a signed request of
// the last hour, and the indexes: what it is now, and a tenth. docs/performance.md says what follows from it for a pod.
const mostBytes = 11400

// someStatus is a status as the operator writes it, of an identity that was renewed once.
func someStatus(i int, ref *v1alpha1.SecretReference) v1alpha1.ClientIdentityStatus {
	now := metav1.NewTime(time.Date(2026, 11, 26, 18, 16, 1, 0, time.UTC))
	of := func(what string) string {
		sum := sha256.Sum256(fmt.Append(nil, what, i))
		return hex.EncodeToString(sum[:])
	}
	condition := func(kind, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, ObservedGeneration: 1, LastTransitionTime: now, Reason: reason, Message: message}
	}
	issued := func(name string, revision int64) v1alpha1.IssuedCertificate {
		return v1alpha1.IssuedCertificate{
			Revision: revision, Fingerprint: of(name), SerialNumber: of(name)[:32], NotBefore: &now, NotAfter: &now, Issuer: "CN=kubernetes", Groups: []string{"developers"},
		}
	}
	return v1alpha1.ClientIdentityStatus{
		ObservedGeneration: 1, State: "Ready", StateReason: "Issued", OutstandingUntil: &now, SecretRef: ref, BoundBindings: 1, PublishedSince: &now,
		Conditions: []metav1.Condition{
			condition("CertificateIssued", "Issued", "Certificate is valid until 2027-02-24T18:15:51Z"),
			condition("AccessBound", "Bound", "Role bindings in place: 1"),
			condition("Ready", "Ready", "The credential is published and proven, and every role binding is in place"),
		},
		Certificate: &v1alpha1.CertificateStatus{
			SerialNumber: of("second")[:32], Fingerprint: of("second"), NotBefore: &now, NotAfter: &now, RequestTime: &now, RenewalTime: &now,
			Issuer: "CN=kubernetes", AuthorityKeyID: of("ca")[:40], RequestedTTL: &metav1.Duration{Duration: 2160 * time.Hour}, Revision: 2,
		},
		Certificates: []v1alpha1.IssuedCertificate{issued("second", 2), issued("first", 1)},
		Server:       &v1alpha1.ServerStatus{URL: "https://api.example.com:6443", Source: "ClusterInfo"},
	}
}

// lists returns what an API server lists of so many identities, by the end of the path.
func lists(t *testing.T, count int) map[string][]byte {
	t.Helper()
	identities := v1alpha1.ClientIdentityList{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentityList"}}
	secrets := metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadataList"}}
	bindings := rbacv1.RoleBindingList{TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBindingList"}}
	requests := certificatesv1.CertificateSigningRequestList{
		TypeMeta: metav1.TypeMeta{APIVersion: certificatesv1.SchemeGroupVersion.String(), Kind: "CertificateSigningRequestList"},
	}
	for i := range count {
		id := v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("identity-%05d", i), UID: types.UID(fmt.Sprintf("0b1c2d3e-0000-4000-8000-%012d", i)), ResourceVersion: "12345", Generation: 1,
		}}
		id.Spec.Username, id.Spec.Groups = id.Name+"@example.com", []string{"developers"}
		id.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "view", Namespace: "team-a", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}}}
		published := dependent.Meta(&id, client.ObjectKey{Namespace: "client-identities", Name: id.Name + "-kubeconfig"})
		published.UID, published.ResourceVersion = id.UID, "12345"
		published.Annotations = map[string]string{v1alpha1.RequestHashAnnotation: "v1:" + string(id.UID), v1alpha1.KubeconfigHashAnnotation: string(id.UID) + ":kubeconfig"}
		binding := dependent.Meta(&id, client.ObjectKey{Namespace: "team-a", Name: "clientidentity:" + id.Name + ":view:29f624cbf1"})
		binding.UID, binding.ResourceVersion = id.UID, "12345"
		id.Status = someStatus(i, &v1alpha1.SecretReference{Namespace: published.Namespace, Name: published.Name, UID: published.UID, ResourceVersion: published.ResourceVersion})
		identities.Items = append(identities.Items, id)
		secrets.Items = append(secrets.Items, metav1.PartialObjectMetadata{ObjectMeta: published})
		requests.Items = append(requests.Items, signedRequest(t, &id))
		bindings.Items = append(bindings.Items, rbacv1.RoleBinding{
			ObjectMeta: binding, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: id.Spec.Username}},
		})
	}
	all := map[string][]byte{}
	for path, list := range map[string]any{"/clientidentities": identities, "/secrets": secrets, "/rolebindings": bindings, "/certificatesigningrequests": requests} {
		body, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = body
	}
	return all
}

// signedRequest is a request as it is in the hour before Kubernetes deletes it.
func signedRequest(t *testing.T, identity *v1alpha1.ClientIdentity) certificatesv1.CertificateSigningRequest {
	t.Helper()
	made := dependent.Meta(identity, client.ObjectKey{Name: identity.Name + "-abcdefghij"})
	made.UID, made.ResourceVersion, made.CreationTimestamp = identity.UID, "12345", metav1.Now()
	pemOf := func(kind string, size int) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes.Repeat([]byte{1}, size)})
	}
	return certificatesv1.CertificateSigningRequest{
		ObjectMeta: made,
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: pemOf("CERTIFICATE REQUEST", 300), SignerName: certificatesv1.KubeAPIServerClientSignerName, ExpirationSeconds: ptr.To[int32](7776000),
			Usages: holder.Usages, Username: "system:serviceaccount:client-identity-operator-system:client-identity-operator",
			UID: "0b1c2d3e-0000-4000-8000-000000000000", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:client-identity-operator-system", "system:authenticated"},
			Extra: map[string]certificatesv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=0b1c2d3e-0000-4000-8000-000000000000"}},
		},
		Status: certificatesv1.CertificateSigningRequestStatus{
			Certificate: pemOf("CERTIFICATE", 800),
			Conditions: []certificatesv1.CertificateSigningRequestCondition{{
				Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "ClientIdentityRequested",
				Message: "Requested by ClientIdentity " + identity.Name, LastUpdateTime: metav1.Now(), LastTransitionTime: metav1.Now(),
			}},
		},
	}
}

// heapWith returns how many bytes live on the heap once the caches have so many identities.
func heapWith(t *testing.T, count int) uint64 {
	t.Helper()
	bodies := lists(t, count)
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
			body, ok := bodies[r.URL.Path[strings.LastIndex(r.URL.Path, "/"):]]
			if !ok {
				body = []byte(`{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1"}}`)
			}
			_, _ = w.Write(body)
		}
	}))
	defer server.Close()
	scheme := Scheme()
	mapper := meta.NewDefaultRESTMapper(nil)
	for kind := range scheme.AllKnownTypes() {
		mapper.Add(kind, map[bool]meta.RESTScope{true: meta.RESTScopeRoot, false: meta.RESTScopeNamespace}[kind.Kind == "ClientIdentity"])
	}
	options := cacheOptions(DefaultOptions())
	options.Scheme, options.Mapper, options.SyncPeriod = scheme, mapper, ptr.To(time.Hour)
	filled, err := cache.New(&rest.Config{Host: server.URL}, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := controller.Index(ctx, filled, secret.Places{Namespaces: []string{"client-identities"}, Default: "client-identities"}); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := filled.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	defer func() { cancel(); running.Wait() }() // before the server ends
	for _, object := range []client.Object{&v1alpha1.ClientIdentity{}, secret.NewMetadata(), &rbacv1.RoleBinding{}, &certificatesv1.CertificateSigningRequest{}} {
		if _, err := filled.GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			t.Fatal(err)
		}
	}
	if !filled.WaitForCacheSync(ctx) {
		t.Fatal("the caches were not filled")
	}
	var found v1alpha1.ClientIdentityList
	if err := filled.List(ctx, &found, client.UnsafeDisableDeepCopy); err != nil || len(found.Items) != count {
		t.Fatalf("%d of %d identities are in the cache: %v", len(found.Items), count, err)
	}
	clear(bodies)
	found.Items = nil
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	runtime.KeepAlive(filled)
	return stats.HeapAlloc
}

func TestAnIdentityTakesFewBytes(t *testing.T) {
	const few, many = 100, 2100
	var heap [2]uint64
	for i, count := range []int{few, many} {
		t.Run(fmt.Sprint(count), func(t *testing.T) { heap[i] = heapWith(t, count) }) // its caches end with it
	}
	each := (int64(heap[1]) - int64(heap[0])) / (many - few)
	t.Logf("an identity takes %d bytes", each)
	if each > mostBytes {
		t.Errorf("an identity takes %d bytes of the caches, and may take %d", each, mostBytes)
	}
}
