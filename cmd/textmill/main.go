// Command textmill turns queues of text into tables.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"textmill/client"
	"textmill/config"
	"textmill/ground/plain"
	"textmill/local"
	"textmill/warehouse"
)

// version is set by the linker.
var version = "devel"

// What the process ends with.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // and the signal's number
)

func main() {
	stdout, stderr := plain.NewWriter(os.Stdout), plain.NewWriter(os.Stderr)
	root := rootCommand()
	root.SetOut(stdout)
	root.SetErr(stderr)
	ctx, stop := untilSignal()
	err := endedBy(ctx, root.ExecuteContext(ctx))
	code := exitCode(stderr, errors.Join(err, stdout.Flush()))
	if stderr.Flush() != nil && code == exitDone {
		code = exitFailed
	}
	stop()
	os.Exit(code)
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal os.Signal }

func (i interrupted) Error() string { return "ended by " + i.signal.String() }

// code is what a shell gives a process that the signal ended.
func (i interrupted) code() int {
	if n, ok := i.signal.(syscall.Signal); ok {
		return exitSignal + int(n)
	}
	return exitFailed
}

// untilSignal gives a context that the first SIGINT or SIGTERM ends; the second ends the process at once.
func untilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		twoSignals(signals, cancel)
		fmt.Fprintln(os.Stderr, "textmill: ended at once")
		os.Exit(exitFailed)
	}()
	return ctx, func() { signal.Stop(signals) }
}

// echo is how long the signal that came first may come again and mean the same: timeout(1) sends it to the process and
// to its group.
const echo = 100 * time.Millisecond

// twoSignals gives the first signal to cancel, and returns with the second.
func twoSignals(signals <-chan os.Signal, cancel context.CancelCauseFunc) {
	first := <-signals
	at := time.Now()
	cancel(interrupted{first})
	for again := <-signals; again == first && time.Since(at) < echo; {
		again = <-signals
	}
}

// endedBy is err, and where work was given up because of a signal, the signal, with what else went wrong meanwhile.
func endedBy(ctx context.Context, err error) error {
	var told, cause interrupted
	if errors.Is(err, context.Canceled) && !errors.As(err, &told) && errors.As(context.Cause(ctx), &cause) {
		if onlyCanceled(err) {
			return cause
		}
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// onlyCanceled tells that nothing but a context's end is wrong.
func onlyCanceled(err error) bool {
	switch e := err.(type) { //nolint:errorlint // each level is looked at
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(one error) bool { return !onlyCanceled(one) })
	case interface{ Unwrap() error }:
		return onlyCanceled(e.Unwrap())
	}
	return err == context.Canceled //nolint:errorlint // the last level
}

// exitCode reports err to stderr and says what the process ends with.
func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	var usage usageError
	var child exited
	switch {
	case errors.As(err, &child):
		return int(child)
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "textmill: %s\nRun '%s --help' for usage.\n", indented(err), usage.command)
		return exitUsage
	case errors.Is(err, local.ErrUsage), errors.Is(err, client.ErrUsage), errors.Is(err, warehouse.ErrUsage),
		fromFlags(err):
		fmt.Fprintln(stderr, "textmill:", indented(err))
		return exitUsage
	}
	fmt.Fprintln(stderr, "textmill:", indented(err))
	if i := (interrupted{}); errors.Is(err, client.ErrInterrupted) && errors.As(err, &i) {
		return i.code()
	}
	return exitFailed
}

// indented is an error's text in which no further line begins as if it were ours: some of it may come from outside.
func indented(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines[1:] {
		if !strings.HasPrefix(line, "  ") {
			lines[i+1] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
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
