package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnEchoIsNoSecondSignal: timeout(1) signals the process and then its group, which is no impatience.
func TestAnEchoIsNoSecondSignal(t *testing.T) {
	for _, c := range []struct {
		name  string
		again os.Signal
		after time.Duration
		ends  bool
	}{
		{"the echo", syscall.SIGTERM, 0, false},
		{"an echo on a busy machine", syscall.SIGTERM, echo - 1, false},
		{"the same signal later", syscall.SIGTERM, echo, true},
		{"another signal", os.Interrupt, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				signals, ended := make(chan os.Signal, 2), false
				go func() {
					twoSignals(signals, cancel)
					ended = true
				}()
				signals <- syscall.SIGTERM
				synctest.Wait()
				if i := (interrupted{}); !errors.As(context.Cause(ctx), &i) || i.signal != syscall.SIGTERM || ended {
					t.Fatalf("after the first: %v, ended %v", context.Cause(ctx), ended)
				}
				time.Sleep(c.after)
				signals <- c.again
				synctest.Wait()
				if ended != c.ends {
					t.Errorf("ended %v, want %v", ended, c.ends)
				}
				time.Sleep(echo)
				signals <- syscall.SIGTERM
				synctest.Wait()
				if !ended {
					t.Error("no further signal ends it")
				}
			})
		})
	}
}

// TestASignalIsToldAsOne where all that is known otherwise is that a context was canceled.
func TestASignalIsToldAsOne(t *testing.T) {
	live := t.Context()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupted{os.Interrupt})
	hashing := fmt.Errorf("hash model.onnx: %w", context.Canceled)
	other := errors.New("disk full")
	told := fmt.Errorf("the job goes on: %w", interrupted{os.Interrupt})
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{ctx, hashing, "ended by interrupt"},
		{ctx, errors.Join(hashing, context.Canceled), "ended by interrupt"},
		{ctx, errors.Join(hashing, other), "ended by interrupt: " + hashing.Error() + "\ndisk full"},
		{ctx, fmt.Errorf("write rows: %w", errors.Join(context.Canceled, other)), "ended by interrupt: write rows: context canceled\ndisk full"},
		{ctx, told, told.Error()},
		{ctx, other, other.Error()},
		{live, hashing, hashing.Error()},
	} {
		if got := endedBy(c.ctx, c.err); got.Error() != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if err := endedBy(ctx, nil); err != nil {
		t.Errorf("what was done: %v", err)
	}
}
