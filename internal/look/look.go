// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package look reads what a pass over an identity needs to decide: one immutable Look. It only reads, from caches and, where
// those do not tell, live.
package look

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/enrolment"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/secret"
)

// Look is all that a pass knows before it acts. It is read once, and not changed. A read that failed stands beside what was
// to be read: it is in the way of the phase that needs it, and of no other.
type Look struct {
	// Identity is as the cache has it, and Status what is known of it.
	Identity *v1alpha1.ClientIdentity
	Status   v1alpha1.ClientIdentityStatus
	Now      time.Time
	// RequestHash identifies the certificate that the spec asks for.
	RequestHash string

	// Obstacle is in the way of everything: nothing is made, and of what exists only that is taken away which is not
	// asked for any more.
	Obstacle error

	// Published is the Secret that the status speaks of.
	Published    secret.Published
	PublishedErr error
	// Open is the request that this process has open, or nil.
	Open *issuance.Open

	// Target is where and how the credential is to be published.
	Target Target
	// SecretNamespace is what is wrong with the namespace of the Secret, or nil.
	SecretNamespace *problem.Problem

	// Namespaces are those that the bindings may be about: the named ones, and those that a selector may select.
	Namespaces    []access.Namespace
	NamespacesErr error
	// Readable says that the Secret may be read by those who are to read it: it stands where it belongs and is this identity's (the
	// spec could name that of another one, or the Secret of somebody else) and, where holders make the keys, has none.
	Readable    bool
	ReadableErr error

	// Account is the ServiceAccount whose tokens are invitations, where the status speaks of it and it is there; otherwise nil.
	Account *client.ObjectKey
}

// Observer reads what a pass needs.
type Observer struct {
	// Reader reads namespaces from caches.
	Reader client.Reader
	// Namesakes finds the identities of one username.
	Namesakes *Namesakes
	// Secrets are the published credentials, and Requests the open requests of this process.
	Secrets  *secret.Store
	Requests *issuance.Requests
	// Accounts are the ServiceAccounts whose tokens are invitations.
	Accounts *enrolment.Accounts
	// Cluster says what kubeconfigs point at, and ClusterName what they call it.
	Cluster     *cluster.Facts
	ClusterName string
}

// Observe reads all that the phases decide from.
func (o *Observer) Observe(ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, now time.Time) Look {
	published, publishedErr := o.Secrets.Read(ctx, &status)
	target := o.targetOf(ctx, identity, &status, published)
	namespace, namespaceErr := o.namespaceOfSecret(ctx, target.Place.Namespace)
	namespaces, namespacesErr := o.bindingNamespaces(ctx, identity)
	readable, readableErr := o.readable(ctx, identity, target.Place, target.NotAllowed == nil)
	account, accountErr := o.account(ctx, identity, &status)
	return Look{
		Identity: identity, Status: status, Now: now, RequestHash: certificate.RequestHashOf(&identity.Spec, identity.UID),
		Obstacle:  o.usernameFree(ctx, identity),
		Published: published, PublishedErr: cmp.Or(publishedErr, namespaceErr), Open: o.Requests.Get(identity),
		Target: target, SecretNamespace: namespace,
		Namespaces: namespaces, NamespacesErr: namespacesErr, Readable: readable, ReadableErr: cmp.Or(readableErr, accountErr), Account: account,
	}
}

// readable says whether the holder may be let read the Secret, where that is asked for, and publishing there is allowed.
func (o *Observer) readable(ctx context.Context, identity *v1alpha1.ClientIdentity, place client.ObjectKey, allowed bool) (bool, error) {
	switch {
	case !allowed:
		return false, nil
	case identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder:
		return o.Secrets.KeylessAt(ctx, identity, place)
	case identity.Spec.Secret.HolderCanRead && identity.Spec.BindTo == v1alpha1.BindToCredential:
		return o.Secrets.OwnedAt(ctx, identity, place)
	}
	return false, nil
}

// account returns the ServiceAccount that the status speaks of, where it is there.
func (o *Observer) account(ctx context.Context, identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus) (*client.ObjectKey, error) {
	if identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		return nil, nil
	}
	known, err := o.Accounts.Known(ctx, identity, status.EnrolmentRef)
	if err != nil || known == nil {
		return nil, err
	}
	return &client.ObjectKey{Namespace: known.Namespace, Name: known.Name}, nil
}

// Reclaimed says that the operator makes the key (again), and has published none since holders may have made theirs: they and
// invitations might read the Secret until now.
func (l *Look) Reclaimed() bool {
	if l.Identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder || l.Status.Certificate != nil {
		return false
	}
	device := func(c v1alpha1.IssuedCertificate) bool { return c.Device != "" }
	return l.Status.EnrolmentRef != nil || l.Status.SecretRef != nil || slices.ContainsFunc(l.Status.Certificates, device)
}

// PublishedGroups returns the groups in the published certificate: nil where none is published, empty where it has none.
func (l *Look) PublishedGroups() []string {
	if l.Status.Certificate == nil || len(l.Status.Certificates) == 0 {
		return nil
	}
	published := &l.Status.Certificates[0]
	if listed := access.Listed(&l.Status, l.Status.Certificate.Fingerprint); listed != nil {
		published = listed // one of a device may be newer
	}
	return append([]string{}, published.Groups...)
}

// ValidUntil returns the end of the published certificate; zero where none is valid.
func (l *Look) ValidUntil() time.Time {
	c := l.Status.Certificate
	if !l.Published.Usable() || c == nil || c.NotAfter == nil || !l.Now.Before(c.NotAfter.Time) {
		return time.Time{}
	}
	return c.NotAfter.Time
}

// Keepable says whether the published credential can be kept in order: it is usable, and nothing is in the way of its place.
func (l *Look) Keepable() bool { return l.Published.Usable() && l.Target.InTheWay() == nil }

// usernameFree returns a problem where an older identity has the same username.
func (o *Observer) usernameFree(ctx context.Context, identity *v1alpha1.ClientIdentity) error {
	older, err := o.Namesakes.Older(ctx, identity)
	if older == nil || err != nil {
		return err
	}
	return problem.NewWaiting(v1alpha1.ReasonUsernameInUse, usernameLook,
		"ClientIdentity %q, which is older, has the username %q: delete one of them, or set bindTo: Credential on both",
		older.Name, identity.Spec.Username)
}

// usernameLook is when to look again who has a username: whoever is free is told at once, and the others need to know only
// whom they wait for.
const usernameLook = 10 * time.Minute

// namespaceOfSecret returns a problem where the namespace of the Secret does not exist or is going.
func (o *Observer) namespaceOfSecret(ctx context.Context, name string) (*problem.Problem, error) {
	namespace, err := Namespace(ctx, o.Reader, name)
	switch {
	case err != nil:
		return nil, err
	case namespace == nil:
		return problem.NewWaiting(v1alpha1.ReasonSecretNamespaceMissing, 0,
			"namespace %q for the Secret does not exist: create it, or set spec.secret.namespace", name), nil
	case namespace.DeletionTimestamp != nil:
		return problem.NewWaiting(v1alpha1.ReasonSecretNamespaceMissing, 0,
			"namespace %q for the Secret is being deleted: wait until it is created again, or set spec.secret.namespace", name), nil
	}
	return nil, nil
}
