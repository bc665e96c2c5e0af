package models

import (
	"fmt"
	"log/slog"
	"runtime"

	"textmill/models/internal/onnx"
	"textmill/places"
)

// ErrRuntime is the class of failures of ONNX Runtime's library itself: absent, of another platform, too old.
var ErrRuntime = onnx.ErrRuntime

// ErrOutOfMemory is the class of runs that needed more memory than the device has; a smaller batch may fit.
var ErrOutOfMemory = onnx.ErrOutOfMemory

// tuning is how a session uses the processor.
type tuning struct {
	intra   int // threads of one run
	workers int // runs at a time
}

// WithDefaults fills in what is not set.
func (o SessionOptions) WithDefaults() (SessionOptions, error) {
	if o.Home == "" {
		home, err := places.Home()
		if err != nil {
			return o, err
		}
		o.Home = home
	}
	if o.Library == "" {
		o.Library = places.Library(o.Home)
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// openSession loads the graph. device is "" for the processor, else the number of a CUDA device.
func openSession(spec *Spec, t tuning, device string) (*onnx.Session, error) {
	var inputs []string
	for _, in := range spec.output.inputs {
		inputs = append(inputs, in.name)
	}
	s, err := onnx.Open(spec.path(spec.Graph), inputs, []string{spec.output.name}, onnx.Options{Threads: t.intra, CUDA: device})
	if err != nil {
		return nil, fmt.Errorf("%w: load %s: %w", ErrBundle, spec.path(spec.Graph), err)
	}
	return s, nil
}
