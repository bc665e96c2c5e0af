// Package onnx opens sessions of ONNX Runtime and runs them until a context ends.
package onnx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// ONNX Runtime has one environment per process, which lives until the process ends.
var environment struct {
	sync.Mutex
	library string
}

// ErrRuntime is the class of failures of ONNX Runtime's library itself: absent, of another platform, too old.
var ErrRuntime = errors.New("cannot load ONNX Runtime")

// Load makes the process use the library at path; a process can use only one.
func Load(library string) error {
	path, err := filepath.Abs(library)
	if err != nil {
		return err
	}
	environment.Lock()
	defer environment.Unlock()
	if environment.library == path {
		return nil
	}
	if environment.library != "" {
		return fmt.Errorf("%w: %s is already loaded, and a process can load only one; %s was asked for", ErrRuntime,
			environment.library, path)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w: %w; run textmill setup", ErrRuntime, err)
	}
	// From 1.29 on official builds report what runs (file names, hashes, durations) to their maker, unless this is set
	// before they are loaded; turned off by a call, they have made their files and begun.
	if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
		return err
	}
	ort.SetSharedLibraryPath(path)
	// What goes wrong comes back as an error; ONNX Runtime need not print it as well.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return fmt.Errorf("%w: %s: %w (version 1.24 or later is needed; textmill setup obtains one)", ErrRuntime, path, err)
	}
	environment.library = path
	return nil
}

// Loaded is the path of the library that Load made the process use, "" before.
func Loaded() string {
	environment.Lock()
	defer environment.Unlock()
	return environment.library
}

// Version is that of the loaded library.
func Version() string { return ort.GetVersion() }

// A Session is a loaded graph. It is safe for concurrent use.
type Session = ort.DynamicAdvancedSession

// Options say how a session uses the machine.
type Options struct {
	Threads int    // of one run
	Spin    bool   // threads wait for work by spinning
	CUDA    string // number of the CUDA device, "" for the processor
}

// Open loads the graph at path. Runs take values for inputs and outputs in this order.
func Open(path string, inputs, outputs []string, opts Options) (*Session, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy() //nolint:errcheck // it fails only when done twice
	spin := "0"
	if opts.Spin {
		spin = "1"
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(opts.Threads),
		o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// A memory pattern is kept for each shape ever seen, and texts come in many shapes.
		o.SetMemPattern(false),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", spin),
	)
	if err != nil {
		return nil, err
	}
	if opts.CUDA != "" {
		if err := useCUDA(o, opts.CUDA); err != nil {
			return nil, err
		}
	}
	return ort.NewDynamicAdvancedSession(path, inputs, outputs, o)
}

func useCUDA(o *ort.SessionOptions, device string) error {
	c, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer c.Destroy() //nolint:errcheck // it fails only when done twice
	err = c.Update(map[string]string{"device_id": device, "arena_extend_strategy": "kSameAsRequested"})
	if err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(c)
}

// Run runs once, and stops early when ctx ends.
func Run(ctx context.Context, s *Session, inputs, outputs []ort.Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return Classify(s.Run(inputs, outputs))
	}
	o, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer o.Destroy() //nolint:errcheck // it fails only when done twice
	terminated := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { terminated <- o.Terminate() })
	err = s.RunWithOptions(inputs, outputs, o)
	if !stop() {
		// The options must outlive Terminate. A run that finished all the same counts as stopped: its caller is gone.
		return errors.Join(ctx.Err(), <-terminated)
	}
	return Classify(err)
}

// Destroy frees values.
func Destroy(values ...ort.Value) (err error) {
	for _, v := range values {
		err = errors.Join(err, v.Destroy())
	}
	return err
}

// ErrOutOfMemory is the class of runs that needed more memory than the device has; a smaller batch may fit.
var ErrOutOfMemory = errors.New("out of memory")

// Classify finds the one failure that a caller can do something about. The binding passes on no error codes, and ONNX
// Runtime has none for this, so that its message is all there is.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, sign := range []string{"Failed to allocate memory", "bad_alloc", "out of memory",
		"CUBLAS_STATUS_ALLOC_FAILED", "Available memory of"} {
		if strings.Contains(text, sign) {
			return fmt.Errorf("%w: %w", ErrOutOfMemory, err)
		}
	}
	return err
}
