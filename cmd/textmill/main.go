// Command textmill turns queues of text into tables.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"textmill/config"
	"textmill/daemon/client"
	"textmill/daemon/local"
)

// version is set by the linker.
var version = "devel"

// What the process ends with.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if status, child := local.Child(); child {
		os.Exit(status)
	}
	ctx, stop := untilSignal()
	code := exitCode(rootCommand().ExecuteContext(ctx))
	stop()
	os.Exit(code)
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal os.Signal }

func (i interrupted) Error() string { return "ended by " + i.signal.String() }

// untilSignal gives a context that the first SIGINT or SIGTERM ends; the second ends the process at once.
func untilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(interrupted{<-signals})
		<-signals
		fmt.Fprintln(os.Stderr, "textmill: ended at once")
		os.Exit(exitFailed)
	}()
	return ctx, func() { signal.Stop(signals) }
}

// exitCode reports err, where that was not done yet, and says what the process ends with.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "textmill: %v\nRun '%s --help' for usage.\n", err, usage.command)
		return exitUsage
	case errors.Is(err, local.ErrUsage), errors.Is(err, client.ErrUsage), fromFlags(err):
		fmt.Fprintln(os.Stderr, "textmill:", err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "textmill:", err)
	return exitFailed
}

// fromFlags tells whether a configuration was refused for what stands on the command line.
func fromFlags(err error) bool {
	var c *config.Error
	if !errors.As(err, &c) {
		return false
	}
	for _, p := range c.Problems {
		if p.Source == config.FromFlag {
			return true
		}
	}
	return false
}

// limitMemory sets the soft limit of the Go heap that the configuration asks for.
func limitMemory(c config.Config) {
	if c.Runtime.Memory > 0 {
		debug.SetMemoryLimit(int64(c.Runtime.Memory))
	}
}
