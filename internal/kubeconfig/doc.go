// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubeconfig renders the kubeconfigs that are published and reads them back, with the types of
// k8s.io/client-go/tools/clientcmd: what it writes is what kubectl reads.
//
// It is pure: it takes values, reads no file and no environment, and talks to nobody. No error of it
// holds any content of a kubeconfig, which is a credential.
package kubeconfig
