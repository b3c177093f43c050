// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// stay tells how to use the set-up from another terminal, and waits for the end: Ctrl-C, or an operator that ended.
func (s *stage) stay(ctx context.Context) error {
	fmt.Printf(`
The control plane and the operator are up. In another terminal, in a directory of yours:

  export KUBECONFIG=%s
  export PATH="%s:%s:$PATH"   # the kubectl and the plugin that were built

  kubectl get cid -o wide
  kubectl describe cid jane
  %s
  kubectl --kubeconfig jane.kubeconfig auth whoami
  kubectl --kubeconfig jane.kubeconfig auth can-i --list -n development
  kubectl edit cid jane   # other groups, a shorter ttl, another role binding
  kubectl patch cid jane --type=merge -p '{"spec":{"state":"Withdrawn"}}'
  kubectl delete cid ci-bot

  kubectl clientidentity invite lea > invitation   # as on a laptop of hers, with a folder here in place of her own
  export KUBECTL_CLIENTIDENTITY_HOME=$PWD/laptop
  kubectl clientidentity enroll --kubeconfig lea.kubeconfig invitation
  kubectl --kubeconfig lea.kubeconfig auth whoami
  kubectl clientidentity status lea

Metrics, as Prometheus scrapes them with a token (docs/guides/monitoring.md has queries and alerts):

  export METRICS=%s
  %s
  %s | grep ^clientidentity_

You are an administrator there. The operator's log: %s
Ctrl-C stops everything and removes its files.
`, s.controlPlane.Kubeconfig(), filepath.Dir(s.controlPlane.Kubectl()), filepath.Join(s.root, "bin"), saveKubeconfig("jane"), s.operator.metrics, allowScraping, scrape, s.operator.logFile)
	select {
	case <-ctx.Done():
		return nil
	case <-s.operator.ended:
		return fmt.Errorf("the operator ended: %w", s.operator.exit())
	}
}
