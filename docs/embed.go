// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package docs hands out what guides say, for programs that tell people the same.
package docs

import _ "embed" // the guides

// Troubleshooting is the guide that has a row for each reason: what it means, and what to do.
//
//go:embed troubleshooting.md
var Troubleshooting string
