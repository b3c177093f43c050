// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"fmt"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

const (
	// maxVerbosity is the highest level that is logged. At 7 client-go adds the headers of requests, and from 8 on their
	// bodies and those of responses: the private keys in Secrets, and tokens.
	maxVerbosity = 6

	levelFlagName = "zap-log-level"
)

// Logging says what is logged, and how. No setting of it prints what is in a Secret.
type Logging struct {
	options zap.Options
	// refused is the level that was asked for and is not used.
	refused string
}

// BindFlags adds the flags of zap.
func (l *Logging) BindFlags(flags *flag.FlagSet) {
	l.options.BindFlags(flags)
	level := flags.Lookup(levelFlagName)
	level.Value = &levelFlag{Value: level.Value, logging: l}
	level.Usage += fmt.Sprintf(". Higher ones than %d count as %d: from there on the bodies of requests would be logged, private keys included.",
		maxVerbosity, maxVerbosity)
}

// Use makes all that this process logs go this way, and returns the logger.
func (l *Logging) Use() logr.Logger {
	logger := withoutRaces(zap.New(zap.UseFlagOptions(&l.options)))
	ctrl.SetLogger(logger)
	// Contextual: client-go then asks this logger for its level, and never klog, which has one of its own.
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	if l.refused != "" {
		logger.Info(fmt.Sprintf("WARNING: --%s is lowered: a higher level logs the bodies of requests, private keys included", levelFlagName),
			"asked", l.refused, "used", maxVerbosity)
	}
	return logger
}

// levelFlag is the flag of the level, up to the highest one.
type levelFlag struct {
	flag.Value
	logging *Logging
}

// Set sets the level. A number is lowered before zap sees it, which keeps the last eight bits of it only.
func (f *levelFlag) Set(value string) error {
	f.logging.refused = ""
	if level, err := strconv.Atoi(value); err == nil && level > maxVerbosity {
		f.logging.refused, value = value, strconv.Itoa(maxVerbosity)
	}
	return f.Value.Set(value)
}

// String returns the level; the flag package asks for that of a flag without a value, too.
func (f *levelFlag) String() string {
	if f.Value == nil {
		return ""
	}
	return f.Value.String()
}
