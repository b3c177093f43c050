// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package certificate makes keys and certificate requests, reads the certificates that come back, and
// says whether they are what was asked for.
//
// It is pure: it takes values and the time, reads no clock, and talks to nobody. No error of it ever
// holds key material, and what errors quote of a certificate is bounded in length.
package certificate
