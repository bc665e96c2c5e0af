// Package card runs graphs over memory that lies where they run: on a card, or by the very same way on the processor.
//
// What models/internal/onnx opens takes its inputs from Go's memory and gives outputs there. Here memory of the device
// is bound to inputs and outputs by their names, stays bound from run to run, and is seen in several shapes.
package card

/*
#cgo LDFLAGS: -ldl
#include "api.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"textmill/models/internal/graph"
	"textmill/models/internal/onnx"
	"textmill/models/internal/signals"
)

// Classes of errors.
var (
	// ErrOutOfMemory: the device has not so much memory, or may not use so much; less may fit.
	ErrOutOfMemory = onnx.ErrOutOfMemory
	// ErrDevice: the device cannot be used here; the text says what is missing.
	ErrDevice = errors.New("the device cannot be used")
	// ErrClosed: the session, or a tensor that is bound, was closed.
	ErrClosed = errors.New("closed")
)

// Options say what is opened.
type Options struct {
	Graph   string // path of the ONNX file
	Device  string // cpu or cuda:N
	Threads int    // of a run on the processor, 0 for one
	// MemoryLimit bounds what the session takes of the device's memory beside its arena's overhead, in bytes: weights,
	// what runs need, and Tensors. 0 leaves it unbounded. On cpu it bounds Tensors alone.
	MemoryLimit int64
	// Graphs has runs with a graph ID kept as CUDA graphs, which every node must be able to run in. Runs of the session
	// take turns then.
	Graphs bool
}

// A Session is a loaded graph. It is safe for concurrent use.
type Session struct {
	o      Options
	device int // negative for the processor
	outer  *graph.Graph

	open  sync.RWMutex // held to read by whatever uses s or memory of it
	s     *C.OrtSession
	alloc *C.OrtAllocator

	mu       sync.Mutex
	held     int64 // of the device, by Tensors
	memories map[*memory]struct{}
	bindings map[*Binding]struct{}

	turn     sync.Mutex   // of runs, where they take turns
	captured map[int]bool // CUDA graphs, by their IDs
	first    sync.Once    // run, which loads more of CUDA
}

// failure makes an error of a text of C's, which it frees.
func failure(text *C.char) error {
	if text == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(text))
	return onnx.Classify(errors.New(C.GoString(text)))
}

var loading sync.Mutex

// Open loads a graph; onnx.Load was called before.
func Open(o Options) (_ *Session, err error) {
	s := &Session{o: o, device: -1, memories: map[*memory]struct{}{}, bindings: map[*Binding]struct{}{},
		captured: map[int]bool{}}
	if o.Device != "cpu" {
		if s.device, err = number(o.Device); err != nil {
			return nil, err
		}
	}
	if s.outer, err = graph.Read(o.Graph); err != nil {
		return nil, err
	}
	loading.Lock()
	defer loading.Unlock()
	library := C.CString(onnx.Loaded())
	defer C.free(unsafe.Pointer(library))
	if err := failure(C.card_load(library)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", onnx.ErrRuntime, onnx.Loaded(), err)
	}
	if s.device >= 0 {
		restore := signals.Keep() // the CUDA provider takes Go's handlers, without which SIGTERM would not drain
		defer restore()
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func number(device string) (int, error) {
	digits, ok := strings.CutPrefix(device, "cuda:")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil {
		return 0, fmt.Errorf("%w: %q is neither cpu nor cuda:N", ErrDevice, device)
	}
	return int(n), nil
}

func (s *Session) load() error {
	defer s.hold(false)()
	o := C.card_open_options{graph: C.CString(s.o.Graph), device: C.int(s.device), threads: C.int(max(s.o.Threads, 1))}
	defer C.free(unsafe.Pointer(o.graph))
	if s.o.Threads > 1 && s.device < 0 {
		o.spin = 1
	}
	keys, values := s.provider()
	defer free(keys)
	defer free(values)
	o.keys, o.values, o.options = &keys[0], &values[0], C.size_t(len(keys)-1)
	var pin runtime.Pinner
	pin.Pin(&keys[0])
	pin.Pin(&values[0])
	defer pin.Unpin()
	err := failure(C.card_open(&o, &s.s))
	if err == nil && s.device >= 0 {
		err = failure(C.cuda_find())
	}
	if err == nil {
		err = failure(C.card_allocator(s.s, C.int(s.device), &s.alloc))
	}
	switch {
	case err == nil:
		return nil
	case s.device >= 0 && !errors.Is(err, ErrOutOfMemory):
		return fmt.Errorf("%w: load %s on %s: %w", ErrDevice, s.o.Graph, s.o.Device, err)
	}
	return fmt.Errorf("load %s on %s: %w", s.o.Graph, s.o.Device, err)
}

// provider is what the CUDA provider is told, with an empty entry behind.
func (s *Session) provider() (keys, values []*C.char) {
	add := func(key, value string) { keys, values = append(keys, C.CString(key)), append(values, C.CString(value)) }
	add("device_id", strconv.Itoa(max(s.device, 0)))
	add("arena_extend_strategy", "kSameAsRequested")
	add("use_tf32", "0") // what is computed in fp32 is there because fp16 was not exact enough
	if s.o.MemoryLimit > 0 {
		add("gpu_mem_limit", strconv.FormatInt(s.o.MemoryLimit, 10))
	}
	if s.o.Graphs {
		add("enable_cuda_graph", "1")
	}
	return append(keys, nil), append(values, nil)
}

func free(texts []*C.char) {
	for _, t := range texts {
		C.free(unsafe.Pointer(t))
	}
}

// On is cpu or cuda:N.
func (s *Session) On() string { return s.o.Device }

// Inputs are what the graph reads; a size that differs from run to run is -1.
func (s *Session) Inputs() []graph.Value { return s.outer.Inputs }

// Outputs are what the graph gives.
func (s *Session) Outputs() []graph.Value { return s.outer.Outputs }

// Held is how many bytes of the device Tensors hold.
func (s *Session) Held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// use has the session stay open until done is called.
func (s *Session) use() (done func(), err error) {
	s.open.RLock()
	if s.s == nil {
		s.open.RUnlock()
		return nil, fmt.Errorf("session of %s: %w", s.o.Graph, ErrClosed)
	}
	return s.open.RUnlock, nil
}

// Close waits for runs under way and frees the session with all its Tensors and Bindings. Those that run later get
// ErrClosed.
func (s *Session) Close() error {
	s.open.Lock()
	defer s.open.Unlock()
	defer s.hold(false)()
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := range s.bindings {
		b.free()
	}
	for m := range s.memories {
		m.free()
	}
	if s.alloc != nil {
		C.card_free_allocator(s.alloc)
		s.alloc = nil
	}
	if s.s != nil {
		C.card_close(s.s)
		s.s = nil
	}
	return nil
}
