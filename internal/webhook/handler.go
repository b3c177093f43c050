// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	kjson "sigs.k8s.io/json"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/review"
)

// sharedFor is for how long requests share what one of their maker's permissions was found to be: thousands of identities are applied at
// once, and each needs the same ones. What somebody has lost counts so much longer here, at most.
const sharedFor = time.Second

// Handler answers whether a requester may ask for an identity.
type Handler struct {
	reviewer               *review.Reviewer
	defaultSecretNamespace string
}

// NewHandler returns a handler that asks through a client without a cache.
func NewHandler(live client.Client, defaultSecretNamespace string) *Handler {
	return &Handler{reviewer: review.NewReviewer(live).Sharing(sharedFor), defaultSecretNamespace: defaultSecretNamespace}
}

// Handle answers one request. Whatever it cannot decide it refuses.
func (h *Handler) Handle(ctx context.Context, request admission.Request) admission.Response {
	update := request.Operation == admissionv1.Update
	if !update && request.Operation != admissionv1.Create {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("the operation %q is none that is checked here", request.Operation))
	}
	if update && sameSpec(request.OldObject.Raw, request.Object.Raw) {
		return admission.Allowed("")
	}
	identity, err := decode(request.Object.Raw)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if update {
		before, err := decode(request.OldObject.Raw)
		if err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if Narrows(&before.Spec, &identity.Spec) {
			return admission.Allowed("")
		}
	}
	return h.authorize(ctx, request, identity, update)
}

// authorize checks the requester against the whole identity, not against what is new in it: the one who moves an
// administrator's Secret, or the server that his kubeconfig names, would have his key.
func (h *Handler) authorize(ctx context.Context, request admission.Request, identity *v1alpha1.ClientIdentity, update bool) admission.Response {
	required := Required(identity, h.defaultSecretNamespace)
	if len(required) > maxPermissions {
		return admission.Errored(http.StatusRequestEntityTooLarge,
			fmt.Errorf("ClientIdentity %q needs %d permissions, more than the %d that are looked at", identity.Name, len(required), maxPermissions))
	}
	ctx, cancel := context.WithTimeout(ctx, budget(ctx))
	defer cancel()
	missing, err := h.reviewer.Missing(ctx, request.UserInfo, required)
	if err != nil {
		log.FromContext(ctx).Error(err, "refused, since the access reviews failed", "user", request.UserInfo.Username, "identity", identity.Name)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return admission.Errored(http.StatusGatewayTimeout,
				errors.New("the API server did not say in time what you may do, so nothing was changed: try again"))
		}
		return admission.Errored(http.StatusServiceUnavailable,
			fmt.Errorf("the API server did not say what you may do, so nothing was changed: try again: %w", err))
	}
	if len(missing) > 0 {
		log.FromContext(ctx).Info("refused", "user", request.UserInfo.Username, "identity", identity.Name, "missing", len(missing))
		return admission.Denied(Refusal(request.UserInfo.Username, identity.Name, update, missing))
	}
	return admission.Allowed("").WithWarnings(Warnings(&identity.Spec)...)
}

// decode reads an identity. A field that this version does not know may give more than it can see: it is an error.
func decode(raw []byte) (*v1alpha1.ClientIdentity, error) {
	var object struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec json.RawMessage `json:"spec"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &object); err != nil {
		return nil, fmt.Errorf("decode the ClientIdentity: %w", err)
	}
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = object.Metadata.Name
	unknown, err := kjson.UnmarshalStrict(object.Spec, &identity.Spec)
	if err != nil {
		return nil, fmt.Errorf("decode the spec of ClientIdentity %q: %w", identity.Name, err)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("the spec of ClientIdentity %q holds what this version of the operator does not know: update the operator: %w",
			identity.Name, errors.Join(unknown...))
	}
	return identity, nil
}

// sameSpec says whether two objects have the same spec, whatever is in it: only metadata changes.
func sameSpec(a, b []byte) bool {
	var before, after struct {
		Spec any `json:"spec"`
	}
	if kjson.UnmarshalCaseSensitivePreserveInts(a, &before) != nil || kjson.UnmarshalCaseSensitivePreserveInts(b, &after) != nil {
		return false
	}
	return before.Spec != nil && reflect.DeepEqual(before.Spec, after.Spec)
}

const (
	// defaultTimeout is the one in config/webhook, which the API server repeats in each request.
	defaultTimeout = 10 * time.Second
	// longestTimeout is the longest that Kubernetes allows.
	longestTimeout = 30 * time.Second
	// answerTime is how long before the API server's deadline the answer is given.
	answerTime = time.Second
)

type timeoutKey struct{}

// withTimeout remembers how long the API server waits for the answer.
func withTimeout(ctx context.Context, request *http.Request) context.Context {
	timeout, err := time.ParseDuration(request.URL.Query().Get("timeout"))
	if err != nil || timeout <= 0 || timeout > longestTimeout {
		timeout = defaultTimeout
	}
	return context.WithValue(ctx, timeoutKey{}, timeout)
}

// budget is how long the reviews of one request may take.
func budget(ctx context.Context) time.Duration {
	timeout, ok := ctx.Value(timeoutKey{}).(time.Duration)
	if !ok {
		timeout = defaultTimeout
	}
	return timeout - min(answerTime, timeout/5)
}
