// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package config has the manifests in it, for programs that compare a cluster with them: the one source of what is installed, and of
// the rights that the operator has.
package config

import "embed"

// Manifests are the files of what config/default installs.
//
//go:embed crd/*.yaml crd/bases/*.yaml rbac/*.yaml manager/*.yaml webhook/*.yaml policy/*.yaml
var Manifests embed.FS
