// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/timing"
)

// checkHolder checks what there is where holders make the keys: what the Secret tells devices, that they can ask and be invited, and
// each device as far as the status tells of it.
func checkHolder(v *evidence) []Check {
	checks := checkSecret(v, v1alpha1.RequestKey)
	if checks[len(checks)-1].Result == Passed {
		checks = append(checks, checkKeyless(v), checkExecKubeconfig(v), checkParameters(v))
	}
	checks = append(checks, checkAccount(v), checkRequesters(v))
	if len(v.identity.Status.Devices) == 0 {
		return append(checks, passed("devices", "none has enrolled: kubectl clientidentity invite "+v.identity.Name))
	}
	for i := range v.identity.Status.Devices {
		checks = append(checks, checkDevice(v, &v.identity.Status.Devices[i]))
	}
	return checks
}

// checkKeyless checks that the Secret holds no key, nor anything else that devices do not need.
func checkKeyless(v *evidence) Check {
	data := maps.Clone(v.secret.value.Data)
	for _, key := range []string{v.identity.Spec.Secret.KubeconfigKey, v1alpha1.CAKey, v1alpha1.RequestKey} {
		delete(data, key)
	}
	if len(data) > 0 {
		return failed("no key", "the Secret has "+strings.Join(slices.Sorted(maps.Keys(data)), ", ")+", which devices do not need and holders may read", repair)
	}
	return passed("no key", "the Secret has no private key")
}

// checkExecKubeconfig checks that the published kubeconfig asks the plugin for the credential of this identity.
func checkExecKubeconfig(v *evidence) Check {
	const name = "kubeconfig"
	p, identity, uid, err := kubeconfig.ReadExec(v.secret.value.Data[v.identity.Spec.Secret.KubeconfigKey])
	switch {
	case err != nil:
		return failed(name, err.Error(), repair)
	case identity != v.identity.Name || uid != string(v.identity.UID):
		return failed(name, fmt.Sprintf("it is for identity %q with UID %q", identity, uid), repair)
	case v.identity.Status.Server != nil && v.identity.Status.Server.URL != p.Server:
		return failed(name, fmt.Sprintf("it points at %s, and the status says %s", p.Server, v.identity.Status.Server.URL), repair)
	}
	return passed(name, "it asks "+kubeconfig.Plugin+" for the credential of the device, and points at "+p.Server)
}

// checkParameters checks that the Secret tells devices to ask for what the spec says. The operator's --max-ttl may shorten the lifetime.
func checkParameters(v *evidence) Check {
	const name = "what devices ask for"
	have, err := holder.ParseParameters(v.secret.value.Data[v1alpha1.RequestKey])
	if err != nil {
		return failed(name, err.Error(), repair)
	}
	want := holder.ParametersFor(v.identity, have.TTL.Duration)
	wanted, err := want.Encode()
	if err != nil {
		return failed(name, err.Error())
	}
	if encoded, err := have.Encode(); err != nil || !bytes.Equal(encoded, wanted) {
		return failed(name, v1alpha1.RequestKey+" is not what the spec says", repair)
	}
	lifetime := Days(have.TTL.Duration)
	return passed(name, fmt.Sprintf("certificates for %s, for %s, as the spec says", certificate.Subject{Username: have.Username, Groups: have.Groups}, lifetime.String()))
}

// checkAccount checks the ServiceAccount whose tokens are invitations.
func checkAccount(v *evidence) Check {
	const name = "invitations"
	ref := v.identity.Status.EnrolmentRef
	switch {
	case ref == nil:
		return failed(name, "the status tells of no ServiceAccount whose tokens are invitations", repair)
	case apierrors.IsNotFound(v.account.err):
		return failed(name, fmt.Sprintf("there is no ServiceAccount %s/%s", ref.Namespace, ref.Name), repair)
	case v.account.err != nil:
		return unreadable(name, v.account.err)
	}
	account := v.account.value
	switch {
	case account.UID != ref.UID || !metav1.IsControlledBy(account, v.identity):
		return failed(name, fmt.Sprintf("ServiceAccount %s/%s is not the one that the status tells of, or not the identity's: its tokens are no invitations", ref.Namespace, ref.Name), repair)
	case account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken:
		return failed(name, fmt.Sprintf("ServiceAccount %s/%s gives pods its token", ref.Namespace, ref.Name), repair)
	}
	return passed(name, fmt.Sprintf("tokens of ServiceAccount %s/%s; %d were accepted", ref.Namespace, ref.Name, len(v.identity.Status.Invitations)))
}

// checkRequesters checks that the holder may make requests and read the Secret, and that those who are invited may.
func checkRequesters(v *evidence) Check {
	const name = "enrolment rights"
	if v.bindings.err != nil {
		return unreadable(name, v.bindings.err)
	}
	subject := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: v.identity.Spec.Username}
	if group := access.WantedGroup(v.identity); group != "" {
		subject = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}
	}
	subjects := map[string]rbacv1.Subject{"the holder": subject}
	if ref := v.identity.Status.EnrolmentRef; ref != nil {
		subjects["invitations"] = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: ref.Namespace, Name: ref.Name}
	}
	var missing []string
	for _, who := range slices.Sorted(maps.Keys(subjects)) {
		if !v.granted("", subjects[who], v1alpha1.HolderClusterRole) {
			missing = append(missing, who+" cannot make requests")
		}
		if !v.granted(placeOf(v.identity).Namespace, subjects[who], "") {
			missing = append(missing, who+" cannot read the Secret")
		}
	}
	if len(missing) > 0 {
		return failed(name, "bindings are missing: "+strings.Join(missing, "; "), repair)
	}
	return passed(name, "the holder and those who are invited may make requests, and read the Secret")
}

// granted says whether an auxiliary binding of the identity in a namespace, or in the cluster, names a subject; role is the role that it
// binds, empty for any.
func (v *evidence) granted(namespace string, subject rbacv1.Subject, role string) bool {
	return slices.ContainsFunc(v.bindings.value, func(b grant) bool {
		return b.key.Namespace == namespace && auxiliary(b.key.Name) && metav1.IsControlledBy(&b.object, v.identity) && !b.terminating &&
			(role == "" || b.roleRef.Name == role) && slices.Contains(b.subjects, subject)
	})
}

// checkDevice checks what the status tells of a device. The key is there alone: nobody else can authenticate with it.
func checkDevice(v *evidence, d *v1alpha1.Device) Check {
	name := "device " + d.Name
	if o := obstacleOfDevice(v.identity, d, v.now); o != nil {
		return failed(name, o.message, o.advice...)
	}
	if d.State == v1alpha1.DeviceRevoked {
		return passed(name, "it is revoked, as asked for: it does not renew")
	}
	end := timing.Value(d.NotAfter)
	listed := access.Listed(&v.identity.Status, d.Fingerprint)
	if end.IsZero() || listed == nil {
		return failed(name, "the status tells of no valid certificate of it", "kubectl clientidentity status "+v.identity.Name)
	}
	for _, check := range []Check{
		checkSubject(v.identity, certificate.Subject{Username: v.identity.Spec.Username, Groups: listed.Groups}),
		checkRevoked(v.identity, d.Fingerprint, listed.Groups),
	} {
		if check.Result == Failed {
			return failed(name, check.Message, "It takes part in the change when it renews, or at once when it is invited again: kubectl clientidentity invite "+v.identity.Name)
		}
	}
	return passed(name, fmt.Sprintf("revision %d ends %s, renewed %s", d.Revision, At(end, v.now), orNone(renewsText(d, v.now))))
}
