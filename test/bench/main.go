// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Bench measures the operator, as shipped and in a process of its own, beside a bare client that makes the same calls with the same account, and beside
// the floor of what a credential takes at all: identities a second, latencies, requests, time of the processor, memory; in every phase of the
// life of identities, on one real control plane. It prints one table and writes a JSON document (package result). With -deny: what a request
// costs that the API server asks the operator about. With -plugin: what the exec plugin adds to a call of kubectl. With -revocations: how fast
// a revocation works. Absolute numbers are the machine's; the ratios are the operator's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/clientidentity/operator/test/bench/result"
)

func main() {
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// start does what the flags say.
func start(ctx context.Context) error {
	s := settings{only: result.Phases, who: []result.Subject{result.Operator, result.Bare, result.Floor}}
	flag.IntVar(&s.Identities, "identities", 1000, "How many identities there are.")
	flag.IntVar(&s.Workers, "workers", 16, "How many are worked on at a time, by the bare client and by whoever changes identities.")
	flag.IntVar(&s.Namespaces, "namespaces", 13, "How many namespaces the role bindings are spread over.")
	flag.IntVar(&s.Bindings, "bindings", 1, "How many role bindings each has.")
	flag.IntVar(&s.Rounds, "rounds", 2, "How often everybody is measured, in turn; some phases are measured in the first round only.")
	flag.IntVar(&s.alone, "alone", 100, "How many are made one after the other.")
	flag.DurationVar(&s.quiet, "quiet", 20*time.Second, "How long nothing is changed.")
	flag.StringVar(&s.json, "json", "bin/bench.json", "Where the numbers are written.")
	flag.StringVar(&s.manager, "manager", "", "A binary of the operator; without, it is built.")
	list(&s.only, result.Phases, "phases", "Which phases are measured")
	list(&s.who, result.Subjects, "subjects", "Who is measured")
	denies := flag.Bool("deny", false, "Measure instead what a request costs that the API server asks the operator about.")
	fleet := flag.Int("fleet", 10_000, "With -deny, how many identities there are in the second half.")
	calls := flag.Int("plugin", 0, "Measure instead what the exec plugin adds to that many calls of kubectl.")
	revoked := flag.Int("revocations", 0, "Measure instead how long that many revocations take, one after the other.")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: see -help", flag.Arg(0))
	case *denies:
		return deny(ctx, s.Workers, s.Rounds, *fleet)
	case *calls > 0:
		return execPlugin(ctx, *calls)
	case *revoked > 0:
		return revocations(ctx, s.Workers, *revoked)
	}
	return run(ctx, s)
}

// list adds a flag for some of all; what is chosen already is the default.
func list[T ~string](chosen *[]T, all []T, name, what string) {
	flag.Func(name, fmt.Sprintf("%s, comma-separated, of: %s. (default %s)", what, joined(all), joined(*chosen)), choose(chosen, all))
}

// choose returns what sets a list to some of all.
func choose[T ~string](chosen *[]T, all []T) func(string) error {
	return func(value string) error {
		*chosen = nil
		for one := range strings.SplitSeq(value, ",") {
			if !slices.Contains(all, T(one)) {
				return fmt.Errorf("%q is none of %s", one, joined(all))
			}
			*chosen = append(*chosen, T(one))
		}
		return nil
	}
}

func joined[T ~string](all []T) string {
	var names []string
	for _, one := range all {
		names = append(names, string(one))
	}
	return strings.Join(names, ",")
}
