// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// testdata is where the objects are.
const testdata = "config/argocd/resource_customizations/clientidentity.dev/ClientIdentity/testdata"

// fixed are the values of fields that differ from run to run.
var fixed = map[string]string{
	"uid":                               "d01fa743-3673-4dec-b269-05423cdcc6a9",
	"resourceVersion":                   "1234",
	"creationTimestamp":                 "2026-11-22T03:04:00Z",
	"deletionTimestamp":                 "2026-11-23T03:04:00Z",
	"lastTransitionTime":                "2026-11-22T03:04:02Z",
	"requestTime":                       "2026-11-22T03:04:01Z",
	"notBefore":                         "2026-11-22T02:59:01Z",
	"notAfter":                          "2027-02-20T02:59:01Z",
	"outstandingUntil":                  "2027-02-20T02:59:01Z",
	"renewalTime":                       "2027-01-19T12:00:00Z",
	"observedTime":                      "2026-11-22T03:04:02Z",
	"lastFailureTime":                   "2026-11-22T03:04:02Z",
	"revokeIssuedBefore":                "2026-11-22T03:03:00Z",
	"completedRevocation":               "2026-11-22T03:03:00Z",
	"serialNumber":                      "60aa52e1a2b1d3c4e5f60718293a4b5c",
	"fingerprint":                       strings.Repeat("ab", 32),
	"authorityKeyID":                    strings.Repeat("cd", 20),
	"url":                               "https://api.example.com:6443",
	"certificateSigningRequest":         "identity-request",
	"failedRenewRequest":                "2026-11-22T03:03:00Z",
	"lastHandledRenewRequest":           "2026-11-22T03:03:00Z",
	v1alpha1.RenewRequestedAtAnnotation: "2026-11-22T03:03:00Z",
}

var (
	credentialGroup = regexp.MustCompile(`^clientidentity\.dev:[0-9a-f]+:(0|[1-9]\d*)$`)
	timeInText      = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
)

// scrubbed returns an identity as the API server has it, without what differs from run to run.
func scrubbed(name string) map[string]any {
	GinkgoHelper()
	identity := &unstructured.Unstructured{}
	identity.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClientIdentity"))
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	identity.SetManagedFields(nil)
	return scrub(identity.Object).(map[string]any)
}

func scrub(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for field := range v {
			if constant, ok := fixed[field]; ok && v[field] != "" {
				v[field] = constant
			} else {
				v[field] = scrub(v[field])
			}
		}
	case []any:
		for i := range v {
			v[i] = scrub(v[i])
		}
	case string:
		if match := credentialGroup.FindStringSubmatch(v); match != nil {
			revoked := match[1]
			if revoked != "0" {
				revoked = "1795316580" // the fixed revokeIssuedBefore
			}
			return v1alpha1.CredentialGroupPrefix + "d01fa74336734decb26905423cdcc6a9:" + revoked
		}
		return timeInText.ReplaceAllString(v, fixed["notAfter"])
	}
	return value
}

// settle compares what was taken with what is checked in, file by file, or writes it.
func settle(folder string, objects map[string]map[string]any) {
	GinkgoHelper()
	folder = filepath.Join(root(), folder)
	present, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	var want []string
	for name, object := range objects {
		content, err := yaml.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		file := filepath.Join(folder, name+".yaml")
		want = append(want, file)
		if *update {
			Expect(os.WriteFile(file, content, 0o644)).To(Succeed())
			continue
		}
		is, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred(), "run make argocd-testdata")
		Expect(string(is)).To(Equal(string(content)), "%s is not what the operator writes: run make argocd-testdata", file)
	}
	if !*update {
		Expect(present).To(ConsistOf(want))
	}
}

// copyOf returns a copy that may be changed.
func copyOf(object map[string]any) map[string]any { return runtime.DeepCopyJSON(object) }
