// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package property

import (
	"context"
	"time"

	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/operator"
)

// process is an operator in this process that can be killed: what it does after that does not arrive.
type process struct {
	connection *rest.Config
	transport  *faults.Transport
	running    *operator.Running
}

// start starts the operator, if it does not run.
func (p *process) start(ctx context.Context) error {
	if p.running != nil {
		return nil
	}
	p.transport = faults.NewTransport()
	var err error
	p.running, err = operator.Start(ctx, p.transport.Through(p.connection), func(options *manager.Options) {
		options.SlowLook, options.APIServerLag = time.Second, time.Second
	})
	return err
}

// kill ends the operator as a crash does.
func (p *process) kill() {
	if p.running == nil {
		return
	}
	p.transport.Kill()
	_ = p.running.Stop() // it could do nothing in an orderly way
	p.running = nil
}

// stop ends the operator in an orderly way.
func (p *process) stop() error {
	if p.running == nil {
		return nil
	}
	err := p.running.Stop()
	p.running = nil
	return err
}
