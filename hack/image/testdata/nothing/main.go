// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// nothing is a program for the tests.
package main

func main() {}
