package models

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

func loadRuntime(library string) error {
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
		return fmt.Errorf("%w: %s is already loaded, and a process can load only one; %s was asked for", ErrRuntime, environment.library, path)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w: %w; run textmill setup", ErrRuntime, err)
	}
	ort.SetSharedLibraryPath(path)
	// What goes wrong comes back as an error; ONNX Runtime need not print it as well.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return fmt.Errorf("%w: %s: %w (version 1.24 or later is needed; textmill setup obtains one)", ErrRuntime, path, err)
	}
	environment.library = path
	return nil
}

// tuning is how a session uses the processor.
type tuning struct {
	intra   int  // threads of one run
	workers int  // runs at a time
	spin    bool // threads wait for work by spinning
}

// openSession loads the graph. device is "" for the processor, else the number of a CUDA device.
func openSession(spec *Spec, t tuning, device string) (*ort.DynamicAdvancedSession, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	spin := "0"
	if t.spin {
		spin = "1"
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(t.intra),
		o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// A memory pattern is kept for each shape ever seen, and texts come in many shapes.
		o.SetMemPattern(false),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", spin),
	)
	if err != nil {
		return nil, err
	}
	if device != "" {
		if err := useCUDA(o, device); err != nil {
			return nil, err
		}
	}
	var inputs []string
	for _, in := range spec.output.inputs {
		inputs = append(inputs, in.name)
	}
	s, err := ort.NewDynamicAdvancedSession(spec.path(spec.Graph), inputs, []string{spec.output.name}, o)
	if err != nil {
		return nil, fmt.Errorf("%w: load %s: %w", ErrBundle, spec.path(spec.Graph), err)
	}
	return s, nil
}

func useCUDA(o *ort.SessionOptions, device string) error {
	c, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer c.Destroy()
	err = c.Update(map[string]string{"device_id": device, "arena_extend_strategy": "kSameAsRequested"})
	if err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(c)
}

// runSession runs once, and stops early when ctx ends.
func runSession(ctx context.Context, s *ort.DynamicAdvancedSession, inputs, outputs []ort.Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return classify(s.Run(inputs, outputs))
	}
	o, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer o.Destroy()
	terminated := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { terminated <- o.Terminate() })
	err = s.RunWithOptions(inputs, outputs, o)
	if !stop() {
		// The options must outlive Terminate. A run that finished all the same counts as stopped: its caller is gone.
		return errors.Join(ctx.Err(), <-terminated)
	}
	return classify(err)
}

// ErrOutOfMemory is the class of runs that needed more memory than the device has; a smaller batch may fit.
var ErrOutOfMemory = errors.New("out of memory")

// classify finds the one failure that a caller can do something about. The binding passes on no error codes, and ONNX
// Runtime has none for this, so that its message is all there is.
func classify(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, sign := range []string{"Failed to allocate memory", "bad_alloc", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED"} {
		if strings.Contains(text, sign) {
			return fmt.Errorf("%w: %w", ErrOutOfMemory, err)
		}
	}
	return err
}
