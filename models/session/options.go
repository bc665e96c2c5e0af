// Package session is what sessions of ONNX Runtime have in common: what they run on, and what was measured of their
// graphs there.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"textmill/ground/places"
	"textmill/models/internal/onnx"
)

// ErrRuntime is the class of failures of ONNX Runtime's library itself: absent, of another platform, too old.
var ErrRuntime = onnx.ErrRuntime

// ErrOutOfMemory is the class of runs that needed more memory than the device has; a smaller batch may fit.
var ErrOutOfMemory = onnx.ErrOutOfMemory

// Options say what a session runs on. The zero value runs on the processor with all threads that Go may use.
type Options struct {
	// Home is where textmill keeps things, "" for places.Home().
	Home string
	// Library is libonnxruntime; "" for the one under Home that fits Device and Beside.
	Library string
	// Device is cpu, cuda:N or auto ("" is cpu). auto takes the first card if it works, else the processor.
	Device string
	// Beside are what other models of this process are to run on: it can load only one library.
	Beside []string
	// Threads is how many threads compute, 0 for GOMAXPROCS, which follows the cgroup's limit.
	Threads int
	// DeviceMemory bounds what the model takes of a card, in bytes; 0: what it wants, if the card has it.
	DeviceMemory int64
	// AttentionBytes bounds the scores that attention holds on the processor at a time, of all runs in this process; 0:
	// DefaultAttentionBytes.
	AttentionBytes int64
	// BatchTokens is the padded size that callers should aim batches at; 0 has it learned.
	BatchTokens int
	// RunTimeout ends a run of a model that takes longer, also one by which it is measured when it is opened; 0 means
	// never.
	RunTimeout time.Duration
	Log        *slog.Logger

	// Auto is filled in by WithDefaults: Device was auto, so that the processor will do where a card does not.
	Auto bool
	// Notes are filled in by WithDefaults: what is worth knowing of where the model runs.
	Notes []string
}

// Run runs a model once, within RunTimeout.
func (o Options) Run(ctx context.Context, run func(context.Context) error) error {
	if o.RunTimeout <= 0 {
		return run(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, o.RunTimeout)
	defer cancel()
	err := run(limited)
	if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("a run took longer than %v (limits.run_timeout): %w", o.RunTimeout, err)
	}
	return err
}

// WithDefaults fills in what is not set and settles what auto is: afterwards Device is cpu or cuda:N, and a card has
// been tried. Its error is ErrDevice where that cannot be had.
func (o Options) WithDefaults() (Options, error) {
	if o.Home == "" {
		home, err := places.Home()
		if err != nil {
			return o, err
		}
		o.Home = home
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.AttentionBytes <= 0 {
		o.AttentionBytes = DefaultAttentionBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o.place()
}
