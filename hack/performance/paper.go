// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/clientidentity/operator/test/bench/result"
)

// What one identity with one role binding is to Kubernetes v1.36.3. Measured: docs/performance.md says how.
const (
	// staysBytes are on the disk of etcd, after compaction and defragmentation, as long as there is the identity: itself, its Secret, its
	// role binding. goesBytes are a request, until it is cleaned up, and an event.
	staysBytes   = 15_000
	requestBytes = 2_700
	eventBytes   = 750
	// writtenBytes are written for a renewal, in versions that etcd keeps until it is compacted.
	writtenBytes = 25_000
	// writes are those of a renewal: a request made, approved, signed and deleted, a Secret, a status, an event that comes and goes.
	writes = 8
	// watchedBytes are sent to those who watch, for a renewal.
	watchedBytes = 95_000
	// heapBytes are those of the operator for each identity, without its request and without a scrape.
	heapBytes = 9_000
	// serverBytes are those of an API server for each identity: alive after its garbage collector ran, with nothing but what stays.
	serverBytes = 41_000
	// earlierCPU are the milliseconds of the processor for each identity, where there are no results yet: of earlier runs on 2 cores.
	earlierOperator, earlierServer = 5.6, 19.0
)

// Of Kubernetes: the page has the links.
const (
	// renewedAfter is the part of a lifetime after which a certificate is renewed, on the average: when a third is left, less half the jitter of a
	// tenth of that.
	renewedAfter = 1 - (1+0.1/2)/3
	// requestLives is how long a request is there, on the average: the cleaner looks every hour for those that are older than one.
	requestLives = 90 * time.Minute
	eventLives   = time.Hour
	// history is the most that etcd keeps of old versions: the API server has it compacted every five minutes, up to those five minutes ago.
	history = 10 * time.Minute
	// signedPerSecond is the client's limit of kube-controller-manager, unless it is raised.
	signedPerSecond = 20.0
)

// situation is one of those that are worked out.
type situation struct {
	identities float64
	lifetime   time.Duration
	lived      string // the same in words
	// operator and server are milliseconds of the processor for each identity.
	operator, server float64
}

// situations are those of the page.
func situations(all cells) []situation {
	operator, server := earlierOperator, earlierServer
	if sizes := all.sizes(); len(sizes) > 0 {
		k := key{sizes[len(sizes)-1], result.Issue, result.Operator}
		if value, measured := all.median(k, cpu("operator")); measured {
			operator = value
		}
		if value, measured := all.median(k, cpu("kube-apiserver")); measured {
			server = value
		}
	}
	var list []situation
	for _, identities := range []float64{100_000, 1_000_000} {
		list = append(list,
			situation{identities, 90 * 24 * time.Hour, "90 days", operator, server}, situation{identities, 24 * time.Hour, "24 hours", operator, server})
	}
	return list
}

// renewals returns how many certificates are renewed a second.
func (s situation) renewals() float64 { return s.identities / (renewedAfter * s.lifetime.Seconds()) }

// kept returns the bytes that etcd keeps: what stays, and what a renewal leaves for a while.
func (s situation) kept() float64 {
	return s.identities*staysBytes + s.renewals()*(requestBytes*requestLives.Seconds()+eventBytes*eventLives.Seconds())
}

// paperTable tells what many identities are, and how that is worked out.
func paperTable(all cells) string {
	list := situations(all)
	head := []string{"What", "How"}
	for _, s := range list {
		head = append(head, fmt.Sprintf("%s, %s", count(int(s.identities)), s.lived))
	}
	first := list[0]
	lines := []struct {
		what, how string
		number    func(situation) string
	}{
		{"objects that stay", "3 each", func(s situation) string { return count(int(3 * s.identities)) }},
		{"their bytes in etcd", fmt.Sprintf("%.0f KB each", staysBytes/1e3), func(s situation) string { return amount(s.identities * staysBytes) }},
		{"renewals a second", fmt.Sprintf("identities / (%.2f of the lifetime)", renewedAfter), func(s situation) string { return rate(s.renewals()) }},
		{"requests that are there", "renewals in 90 minutes", func(s situation) string { return count(int(s.renewals() * requestLives.Seconds())) }},
		{"events that are there", "renewals in an hour", func(s situation) string { return count(int(s.renewals() * eventLives.Seconds())) }},
		{"all bytes in etcd, compacted", "with a request of 2.7 KB and an event of 0.75 KB for each of those", func(s situation) string { return amount(s.kept()) }},
		{"and old versions", fmt.Sprintf("renewals in ten minutes, %.0f KB each", writtenBytes/1e3), func(s situation) string {
			return amount(s.renewals() * history.Seconds() * writtenBytes)
		}},
		{"writes a second", fmt.Sprintf("%d for each renewal", writes), func(s situation) string { return rate(writes * s.renewals()) }},
		{"sent to watchers, a second", fmt.Sprintf("%.0f KB for each renewal", watchedBytes/1e3), func(s situation) string { return amount(watchedBytes * s.renewals()) }},
		{"the signer's share of its 20 a second", "renewals / 20", func(s situation) string { return percent(s.renewals() / signedPerSecond) }},
		{"cores that an API server is busy", fmt.Sprintf("%.1f ms for each renewal", first.server), func(s situation) string { return rate(s.renewals() * s.server / 1000) }},
		{"cores that the operator is busy", fmt.Sprintf("%.1f ms for each renewal", first.operator), func(s situation) string { return rate(s.renewals() * s.operator / 1000) }},
		{"live heap of each replica of the operator", "9 KB each", func(s situation) string { return amount(s.identities * heapBytes) }},
		{"live heap of each API server", fmt.Sprintf("%.0f KB each", serverBytes/1e3), func(s situation) string { return amount(s.identities * serverBytes) }},
		{"all at once, by the signer", "identities / 20 a second", func(s situation) string { return hours(s.identities / signedPerSecond) }},
		{"all at once, by 8 cores of an API server", fmt.Sprintf("%.1f ms each / 8", first.server), func(s situation) string { return hours(s.identities * s.server / 1000 / 8) }},
	}
	var rows [][]string
	for _, line := range lines {
		row := []string{line.what, line.how}
		for _, s := range list {
			row = append(row, line.number(s))
		}
		rows = append(rows, row)
	}
	return table(2, head, rows)
}

// amount writes bytes.
func amount(bytes float64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", bytes/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.0f MB", bytes/1e6)
	}
	return fmt.Sprintf("%.0f KB", bytes/1e3)
}

// rate writes a number with two digits that count.
func rate(number float64) string {
	switch {
	case number >= 10:
		return fmt.Sprintf("%.0f", number)
	case number >= 1:
		return fmt.Sprintf("%.1f", number)
	case number >= 0.1:
		return fmt.Sprintf("%.2f", number)
	}
	return fmt.Sprintf("%.2g", number)
}

func percent(part float64) string { return rate(100*part) + " %" }

func hours(seconds float64) string {
	if seconds >= 3600 {
		return rate(seconds/3600) + " h"
	}
	return fmt.Sprintf("%.0f min", seconds/60)
}
