// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// What was approved before a device was revoked can be signed while that is waited for.
func TestRevokesWhatIsIssuedToADeviceMeanwhile(t *testing.T) {
	id := identity("alice", heldOn(onDevice("laptop", time.Hour, 0, v1alpha1.DeviceActive)))
	id.Status.Conditions = append(id.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionRevocationComplete, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeniedByAPIServer,
	})
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			data, err := io.ReadAll(r.Body)
			if err != nil || json.Unmarshal(data, &id) != nil {
				t.Error("the patch cannot be read")
			}
			id.Generation++
			// The operator has looked at it, and the signer was not done yet.
			id.Status.ObservedGeneration, id.Status.Devices[0].State = id.Generation, v1alpha1.DeviceRevoked
			if len(id.Status.Certificates) == 1 {
				late := *id.Status.Certificates[0].DeepCopy()
				late.Fingerprint, late.Revision = fingerprint('e'), 4
				id.Status.Certificates = append(id.Status.Certificates, late)
			}
		}
		id.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClientIdentity"))
		reply(t, w, http.StatusOK, &id)
	}, asItIs)
	env := &Env{IOStreams: genericiooptions.NewTestIOStreamsDiscard()}
	r := &revokeCommand{acting: acting{env: env, dry: dryRun{"none"}, waiting: waiting{wait: true, timeout: time.Minute}}} // nothing is said: there is only one device
	first := id.DeepCopy()
	s := &subject{client: c, identity: first, now: now}
	plan, asked, err := r.write(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	plan, revoked, err := r.wait(t.Context(), s, plan, asked)
	if err != nil {
		t.Fatal(err)
	}
	if len(revoked.Spec.RevokedCertificates) != 2 || len(plan.fingerprints) != 2 {
		t.Errorf("revoked: %v, planned: %v", revoked.Spec.RevokedCertificates, plan.fingerprints)
	}
}
