// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"time"

	"github.com/go-logr/logr"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/enrolment"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/secret"
)

// reconcileTimeout bounds one pass, so that a hanging connection does not hold a worker for ever.
const reconcileTimeout = 2 * time.Minute

// longestWait bounds the wait after errors in a row. What is due meanwhile (a renewal, the end of a binding) comes late
// by as much, so it is far less than the time that the shortest certificate is renewed ahead of its end.
const longestWait = time.Minute

// SetupWithManager registers the controller, its watches and its indexes. Concurrent is how many identities are
// reconciled at a time.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, concurrent int) error {
	if err := Index(ctx, mgr.GetFieldIndexer(), r.places); err != nil {
		return err
	}
	toIdentity := r.client.Watching(handler.EnqueueRequestsFromMapFunc(ownerRequests))
	built := ctrl.NewControllerManagedBy(mgr).
		Named("clientidentity").
		Watches(&v1alpha1.ClientIdentity{}, r.client.Watching(&handler.EnqueueRequestForObject{}), builder.WithPredicates(beyondMessages())).
		Watches(&v1alpha1.ClientIdentity{}, r.namesakes()).
		Watches(&certificatesv1.CertificateSigningRequest{}, r.client.Watching(handler.EnqueueRequestsFromMapFunc(aboutRequests))).
		Watches(&rbacv1.RoleBinding{}, toIdentity).
		Watches(&rbacv1.ClusterRoleBinding{}, toIdentity).
		Watches(&rbacv1.Role{}, toIdentity).
		WatchesMetadata(secret.NewMetadata(), toIdentity).
		WatchesMetadata(enrolment.NewMetadata(), toIdentity).
		WatchesMetadata(newNamespace(), r.namespaces(), builder.WithPredicates(namespaceChanged())).
		WatchesRawSource(source.Func(r.lookAtBindings)).
		WatchesRawSource(source.Func(r.keysMade)).
		WatchesRawSource(source.Channel(r.everyone, handler.EnqueueRequestsFromMapFunc(r.allRequests))).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.allRequests), builder.WithPredicates(clusterFacts())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrent,
			ReconciliationTimeout:   reconcileTimeout,
			LogConstructor:          logConstructor(mgr.GetLogger()),
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, longestWait),
		})
	if r.reachChanged != nil {
		built = built.WatchesRawSource(source.Channel(r.reachChanged, handler.EnqueueRequestsFromMapFunc(r.revokedRequests)))
	}
	return built.Complete(r)
}

// keysMade asks for a pass over each identity whose key has been made.
func (r *Reconciler) keysMade(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.credential.requests.KeysMade(func(identity string) { queue.Add(requestFor(identity)) })
	return nil
}

// logConstructor names the identity in each line: without the empty namespace of a cluster-scoped object.
func logConstructor(log logr.Logger) func(*reconcile.Request) logr.Logger {
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return log
		}
		return log.WithValues("clientIdentity", request.Name)
	}
}

// ownerRequests asks for a pass over the identities that an object may belong to.
func ownerRequests(_ context.Context, object client.Object) []reconcile.Request {
	return requestsFor(dependent.Identities(object))
}

// aboutRequests asks for a pass over the identities that a CertificateSigningRequest belongs to, or is about.
func aboutRequests(_ context.Context, object client.Object) []reconcile.Request {
	return requestsFor(issuance.About(object))
}

func requestsFor(names []string) []reconcile.Request {
	var requests []reconcile.Request
	for _, name := range names {
		requests = append(requests, requestFor(name))
	}
	return requests
}

func requestFor(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

// namesakes asks for passes over the identities whose turn it may be, or is no more, where one of the same username comes,
// goes, or is bound to something else.
func (r *Reconciler) namesakes() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if !e.IsInInitialList { // every identity is looked at then
				younger, err := r.observer.Namesakes.Created(ctx, e.Object.(*v1alpha1.ClientIdentity))
				enqueue(queue, read(ctx, younger, err))
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			before, after := e.ObjectOld.(*v1alpha1.ClientIdentity), e.ObjectNew.(*v1alpha1.ClientIdentity)
			if before.Spec.BindTo != after.Spec.BindTo {
				younger, err := r.observer.Namesakes.Rebound(ctx, after)
				enqueue(queue, read(ctx, younger, err))
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			freed, err := r.observer.Namesakes.Freed(ctx, e.Object.(*v1alpha1.ClientIdentity))
			enqueue(queue, read(ctx, freed, err))
		},
	}
}

// read returns what was read from a cache, which has no reason to fail once it is synced.
func read[T any](ctx context.Context, all []T, err error) []T {
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "read identities")
	}
	return all
}

// lookAtBindings begins to look at all bindings for passes that ask for it. Each is asked for again when that was done.
func (r *Reconciler) lookAtBindings(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go r.bindings.writer.Look(ctx, r.clock, func(name string) { queue.Add(requestFor(name)) })
	return nil
}

func enqueue(queue workqueue.TypedRateLimitingInterface[reconcile.Request], names []string) {
	for _, name := range names {
		queue.Add(requestFor(name))
	}
}

// beyondMessages drops the updates of an identity in which nothing but the message of a condition changed: our own writes,
// mostly. Where such a message quotes an error that is different each time (a port, a time, the identifier of a request), each
// write would bring the next pass at once, and that one the next write. Periodic resyncs go through.
func beyondMessages() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.ClientIdentity)
		after, isToo := e.ObjectNew.(*v1alpha1.ClientIdentity)
		if !ok || !isToo || before.ResourceVersion == after.ResourceVersion {
			return true
		}
		return !equality.Semantic.DeepEqual(withoutMessages(before), withoutMessages(after))
	}}
}

// withoutMessages returns an identity without the messages of its conditions.
func withoutMessages(identity *v1alpha1.ClientIdentity) *v1alpha1.ClientIdentity {
	bare := identity.DeepCopy()
	bare.ResourceVersion, bare.ManagedFields = "", nil
	for i := range bare.Status.Conditions {
		bare.Status.Conditions[i].Message = ""
	}
	return bare
}

// clusterFacts lets through the ConfigMaps that say what this cluster is, where they say something else than before: every identity
// is looked at then.
func clusterFacts() predicate.Predicate {
	return predicate.And(predicate.NewPredicateFuncs(func(o client.Object) bool {
		key := client.ObjectKeyFromObject(o)
		return key == cluster.ClusterInfo || key == cluster.RootCA
	}), predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList }, // every identity is looked at anyway
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*corev1.ConfigMap)
			after, isToo := e.ObjectNew.(*corev1.ConfigMap)
			return !ok || !isToo || !maps.Equal(before.Data, after.Data)
		},
	})
}

// revokedRequests asks for a pass over the identities whose status is to say how far a revocation reaches.
func (r *Reconciler) revokedRequests(ctx context.Context, _ client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, identity := range r.identities(ctx) {
		spec := &identity.Spec
		if spec.RevokeIssuedBefore != nil || len(spec.RevokedCertificates) > 0 || access.End(&identity, r.clock.Now()) != nil {
			requests = append(requests, requestFor(identity.Name))
		}
	}
	return requests
}

// allRequests asks for a pass over every identity.
func (r *Reconciler) allRequests(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.requests(ctx)
}

func (r *Reconciler) requests(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	var requests []reconcile.Request
	for _, identity := range r.identities(ctx, options...) {
		requests = append(requests, requestFor(identity.Name))
	}
	return requests
}

// identities returns identities as the cache holds them: not to be changed.
func (r *Reconciler) identities(ctx context.Context, options ...client.ListOption) []v1alpha1.ClientIdentity {
	var list v1alpha1.ClientIdentityList
	err := r.client.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...)
	return read(ctx, list.Items, err)
}
