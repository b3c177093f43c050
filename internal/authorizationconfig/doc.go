// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package authorizationconfig makes the files with which an API server asks the operator whether a certificate is denied: its
// AuthorizationConfiguration, the kubeconfig for it, and what the tool that made the cluster has to be told. Values in,
// files out.
package authorizationconfig
