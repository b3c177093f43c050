// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"net/http"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// rememberingMapper remembers which resource a kind is. The one of controller-runtime asks all groups of the cluster again at each read
// of the caches: a seventh of what an issuance allocated. It finds kinds that are installed later, as before: only answers are
// remembered, and an operator asks for a dozen kinds.
type rememberingMapper struct {
	meta.RESTMapper
	known sync.Map // of kindVersions to *meta.RESTMapping
}

type kindVersions struct {
	kind     schema.GroupKind
	versions string
}

// newMapper returns a mapper that asks the API server which kinds it has, once for each.
func newMapper(connection *rest.Config, client *http.Client) (meta.RESTMapper, error) {
	dynamic, err := apiutil.NewDynamicRESTMapper(connection, client)
	if err != nil {
		return nil, err
	}
	return &rememberingMapper{RESTMapper: dynamic}, nil
}

// RESTMapping implements meta.RESTMapper. What it returns is shared, and not to be changed.
func (m *rememberingMapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	key := kindVersions{kind: kind, versions: strings.Join(versions, ",")}
	if mapping, ok := m.known.Load(key); ok {
		return mapping.(*meta.RESTMapping), nil
	}
	mapping, err := m.RESTMapper.RESTMapping(kind, versions...)
	if err == nil {
		m.known.Store(key, mapping)
	}
	return mapping, err
}
