// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var start = time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC)

func fingerprint(n int) string { return fmt.Sprintf("%064x", n) }

// identity returns an identity with certificates of those numbers, the newest first.
func identity(name string, certificates ...int) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{}
	id.Name, id.UID = name, types.UID(name)
	for _, n := range certificates {
		id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{Fingerprint: fingerprint(n), Revision: int64(n)})
	}
	return id
}

// use returns a use, some time after the start.
func use(after time.Duration) Use {
	return Use{Time: start.Add(after), SourceAddress: "203.0.113.7", UserAgent: "kubectl/v1.36.3"}
}

// used returns how the status has the use of a certificate.
func used(n int, after time.Duration) v1alpha1.CertificateUse {
	u := use(after)
	return v1alpha1.CertificateUse{Fingerprint: fingerprint(n), Revision: int64(n), Time: metav1.Time{Time: u.Time}, SourceAddress: u.SourceAddress, UserAgent: u.UserAgent}
}

// auditEvent returns an event as the API server makes it.
func auditEvent(n int, after time.Duration, changes ...func(*auditv1.Event)) auditv1.Event {
	e := auditv1.Event{
		Level: auditv1.LevelMetadata, AuditID: types.UID(fmt.Sprint(n)), Stage: auditv1.StageResponseComplete, Verb: "list",
		RequestURI: "/api/v1/namespaces/development/configmaps?limit=500",
		User: authenticationv1.UserInfo{Username: "alice@example.com", Groups: []string{"developers", "system:authenticated"}, Extra: map[string]authenticationv1.ExtraValue{
			"authentication.kubernetes.io/credential-id": {"X509SHA256=" + fingerprint(n)},
		}},
		SourceIPs: []string{"203.0.113.7"}, UserAgent: "kubectl/v1.36.3",
		ObjectRef:                &auditv1.ObjectReference{Resource: "configmaps", Namespace: "development", APIVersion: "v1"},
		ResponseStatus:           &metav1.Status{Code: 200},
		RequestReceivedTimestamp: metav1.NewMicroTime(start.Add(after)), StageTimestamp: metav1.NewMicroTime(start.Add(after)),
		Annotations: map[string]string{"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by RoleBinding"},
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

// post returns the body of a post of events.
func post(t testing.TB, events ...auditv1.Event) string {
	t.Helper()
	list := auditv1.EventList{TypeMeta: metav1.TypeMeta{Kind: "EventList", APIVersion: "audit.k8s.io/v1"}, Items: events}
	body, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// asked records the writes that a table asks for.
type asked []string

func (a *asked) due(name string, in time.Duration) {
	*a = append(*a, fmt.Sprintf("%s in %s", name, in))
}

func (a *asked) String() string { return strings.Join(*a, ", ") }
