// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// registering lets one operator of a process take the place of another at a time.
var registering sync.Mutex

// Register adds collectors to a registry. Where the registry has such already, of another operator in the same process, they take
// their place: that is so in tests only.
func Register(registry prometheus.Registerer, collectors ...prometheus.Collector) error {
	registering.Lock()
	defer registering.Unlock()
	for _, collector := range collectors {
		err := registry.Register(collector)
		var there prometheus.AlreadyRegisteredError
		if errors.As(err, &there) {
			registry.Unregister(there.ExistingCollector)
			err = registry.Register(collector)
		}
		if err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
