package card

// #include "api.h"
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	"textmill/models/internal/graph"
)

// A Kind is the type of a tensor's elements, in ONNX's numbers: those of package graph.
type Kind int32

// size is how many bytes an element takes, 0 where no whole number does or the kind is not known.
func (k Kind) size() int64 {
	switch k {
	case graph.Uint8, graph.Int8, graph.Bool:
		return 1
	case graph.Float16, graph.BFloat16:
		return 2
	case graph.Float32, graph.Int32:
		return 4
	case graph.Int64:
		return 8
	}
	return 0
}

// memory is what a Tensor and its views lie in. Session.mu guards it.
type memory struct {
	s      *Session
	p      unsafe.Pointer
	size   int64
	host   bool
	values map[*C.OrtValue]struct{} // of the Tensor and its views
}

// A Tensor is memory of the device, or of the host, seen in one shape.
type Tensor struct {
	m     *memory
	kind  Kind
	shape []int64
	at    int64 // bytes
	value *C.OrtValue
	view  bool
}

// Device makes a tensor in the device's memory. It is zero at first.
func (s *Session) Device(kind Kind, shape ...int64) (*Tensor, error) {
	return s.tensor(false, kind, shape)
}

// Host makes a tensor in memory that the processor reads and writes, and that a card copies from and to at its speed.
// It is zero at first.
func (s *Session) Host(kind Kind, shape ...int64) (*Tensor, error) {
	return s.tensor(true, kind, shape)
}

func (s *Session) tensor(host bool, kind Kind, shape []int64) (*Tensor, error) {
	size, err := bytesOf(kind, shape)
	if err != nil {
		return nil, err
	}
	done, err := s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	defer s.hold(false)()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &memory{s: s, size: size, host: host, values: map[*C.OrtValue]struct{}{}}
	if err := m.allocate(); err != nil {
		m.free()
		return nil, fmt.Errorf("allocate %d bytes on %s for %v: %w", size, s.o.Device, shape, err)
	}
	s.memories[m] = struct{}{}
	t, err := m.tensor(0, size, kind, shape)
	if err != nil {
		delete(s.memories, m)
		m.free()
	}
	return t, err
}

func bytesOf(kind Kind, shape []int64) (int64, error) {
	size := kind.size()
	if size == 0 {
		return 0, fmt.Errorf("a tensor's elements cannot be of ONNX's type %d", kind)
	}
	for _, n := range shape {
		if n < 0 || n > 0 && size > (1<<60)/n {
			return 0, fmt.Errorf("a tensor cannot have the shape %v", shape)
		}
		size *= n
	}
	return size, nil
}

// allocate gets the memory; a tensor without elements has a place, too.
func (m *memory) allocate() error {
	n := C.size_t(max(m.size, 1))
	if m.host && m.s.device < 0 {
		m.p = C.calloc(1, n)
		return nil
	}
	if m.host {
		if err := failure(C.cuda_pinned(C.int(m.s.device), n, &m.p)); err != nil {
			return err
		}
		C.memset(m.p, 0, n)
		return nil
	}
	if limit := m.s.o.MemoryLimit; limit > 0 && m.s.held+m.size > limit {
		return fmt.Errorf("%w: %d bytes are held already, and the limit is %d", ErrOutOfMemory, m.s.held, limit)
	}
	if err := failure(C.card_alloc(m.s.alloc, n, &m.p)); err != nil {
		return err
	}
	m.s.held += m.size
	if m.s.device >= 0 {
		return failure(C.cuda_clear(C.int(m.s.device), m.p, n))
	}
	C.memset(m.p, 0, n)
	return nil
}

func (m *memory) free() {
	for v := range m.values {
		C.card_free_value(v)
	}
	m.values = nil
	switch {
	case m.p == nil:
		return
	case m.host && m.s.device < 0:
		C.free(m.p)
	case m.host:
		C.cuda_free_pinned(C.int(m.s.device), m.p)
	default:
		C.card_free(m.s.alloc, m.p)
		m.s.held -= m.size
	}
	m.p = nil
}

func (m *memory) tensor(at, size int64, kind Kind, shape []int64) (*Tensor, error) {
	t := &Tensor{m: m, kind: kind, shape: slices.Clone(shape), at: at, view: size != m.size || at > 0}
	device := m.s.device
	if m.host {
		device = -1
	}
	var first *C.int64_t
	if len(shape) > 0 {
		first = (*C.int64_t)(unsafe.Pointer(&shape[0]))
	}
	err := failure(C.card_value(C.int(device), unsafe.Add(m.p, at), C.size_t(size), first, C.size_t(len(shape)),
		C.int(kind), &t.value))
	if err != nil {
		return nil, fmt.Errorf("tensor of %v: %w", shape, err)
	}
	m.values[t.value] = struct{}{}
	return t, nil
}

// View sees the tensor's memory from its beginning on in another shape, which may be smaller.
func (t *Tensor) View(shape ...int64) (*Tensor, error) { return t.ViewAt(0, shape...) }

// ViewAt is View from an element on. A view ends with Close, at the latest with that of the tensor it is of.
func (t *Tensor) ViewAt(element int64, shape ...int64) (*Tensor, error) {
	size, err := bytesOf(t.kind, shape)
	if err != nil {
		return nil, err
	}
	at := t.at + element*t.kind.size()
	if element < 0 || at+size > t.at+t.Size() {
		return nil, fmt.Errorf("a view of %v from element %d on is beyond its tensor of %v", shape, element, t.shape)
	}
	done, err := t.m.s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	t.m.s.mu.Lock()
	defer t.m.s.mu.Unlock()
	if t.m.p == nil {
		return nil, fmt.Errorf("view a tensor of %v: %w", t.shape, ErrClosed)
	}
	v, err := t.m.tensor(at, size, t.kind, shape)
	if err == nil {
		v.view = true
	}
	return v, err
}

// Size is in bytes.
func (t *Tensor) Size() int64 {
	size, _ := bytesOf(t.kind, t.shape) //nolint:errcheck // it was asked when the tensor was made
	return size
}

// Close ends a view; of a tensor that is none it frees the memory, with all views of it. No binding of it may run
// again.
func (t *Tensor) Close() error {
	if t.view { // what is bound keeps what it needs of a view
		t.m.s.open.RLock()
		defer t.m.s.open.RUnlock()
	} else { // runs may still read the memory
		t.m.s.open.Lock()
		defer t.m.s.open.Unlock()
	}
	defer t.m.s.hold(false)()
	t.m.s.mu.Lock()
	defer t.m.s.mu.Unlock()
	if !t.view {
		delete(t.m.s.memories, t.m)
		t.m.free()
	} else if _, lives := t.m.values[t.value]; lives {
		delete(t.m.values, t.value)
		C.card_free_value(t.value)
	}
	return nil
}

// lives tells whether neither the tensor nor what it is a view of was closed; Session.mu is held.
func (t *Tensor) lives() bool {
	_, lives := t.m.values[t.value]
	return lives
}

// Bytes is a host tensor's memory, which must not be used after its Close. It is nil for memory of the device, also of
// the device cpu, since the card has none that the processor could read.
func (t *Tensor) Bytes() []byte { return elements[byte](t, t.kind) }

// Int64s, Int32s and Floats are Bytes for tensors of that kind, and nil for others.
func (t *Tensor) Int64s() []int64   { return elements[int64](t, graph.Int64) }
func (t *Tensor) Int32s() []int32   { return elements[int32](t, graph.Int32) }
func (t *Tensor) Floats() []float32 { return elements[float32](t, graph.Float32) }

func elements[T any](t *Tensor, kind Kind) []T {
	t.m.s.mu.Lock()
	defer t.m.s.mu.Unlock()
	if !t.m.host || t.kind != kind || !t.lives() {
		return nil
	}
	var one T
	return unsafe.Slice((*T)(unsafe.Add(t.m.p, t.at)), t.Size()/int64(unsafe.Sizeof(one)))
}
