package card

// #include "api.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unsafe"

	"textmill/models/internal/signals"
)

// Eager is the graph ID of runs without a CUDA graph.
const Eager = -1

// A Binding says which memory a session's runs read and write. Several bindings of a session may run at a time, one of
// them takes turns.
type Binding struct {
	s       *Session
	mu      sync.Mutex
	b       *C.OrtIoBinding
	inputs  map[string]*Tensor
	outputs map[string]*Tensor
}

// Bind makes a binding of nothing yet.
func (s *Session) Bind() (*Binding, error) {
	done, err := s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	b := &Binding{s: s, inputs: map[string]*Tensor{}, outputs: map[string]*Tensor{}}
	if err := failure(C.card_bind(s.s, &b.b)); err != nil {
		return nil, fmt.Errorf("bind memory to %s: %w", s.o.Graph, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bindings[b] = struct{}{}
	return b, nil
}

// In has runs read an input from t. Memory of the host, if the graph reads that input on the card, is copied there
// when it is bound and at each eager run; a CUDA graph reads only what the device's memory holds, and what the graph
// reads on the host as it was when it was captured.
func (b *Binding) In(name string, t *Tensor) error { return b.bind(name, t, b.inputs, true) }

// Out has runs write an output to t, which may be an input's memory where the operator allows that. Either may be
// memory of another session on the same device, which must stay open.
func (b *Binding) Out(name string, t *Tensor) error { return b.bind(name, t, b.outputs, false) }

func (b *Binding) bind(name string, t *Tensor, among map[string]*Tensor, input bool) error {
	done, err := b.s.use()
	if err != nil {
		return err
	}
	defer done()
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.s.hold(false)()
	if err := b.attach(name, t, input); err != nil {
		return fmt.Errorf("bind %v to %s of %s: %w", t.shape, name, b.s.o.Graph, err)
	}
	among[name] = t
	return nil
}

func (b *Binding) attach(name string, t *Tensor, input bool) error {
	t.m.s.mu.Lock()
	defer t.m.s.mu.Unlock()
	if b.b == nil || !t.lives() {
		return ErrClosed
	}
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	if input {
		return failure(C.card_bind_input(b.b, text, t.value))
	}
	return failure(C.card_bind_output(b.b, text, t.value))
}

// Run runs the graph once and is done when it comes back: outputs are there. It stops early when ctx ends. graphID is
// Eager, or the number of a CUDA graph that is captured at its first run and replayed from then on, which is for
// bindings of the same memory in the same shapes only; without Options.Graphs, and on the processor, every run is
// eager.
func (b *Binding) Run(ctx context.Context, graphID int) error {
	done, err := b.s.use()
	if err != nil {
		return err
	}
	defer done()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.s.o.Graphs {
		b.s.turn.Lock()
		defer b.s.turn.Unlock()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	defer b.s.hold(b.s.captures(graphID))()
	if err := b.ready(graphID); err != nil {
		return fmt.Errorf("run %s: %w", b.s.o.Graph, err)
	}
	if b.s.device >= 0 {
		ran := false
		b.s.first.Do(func() {
			restore := signals.Keep() // the first run loads the rest of CUDA
			defer restore()
			ran, err = true, b.run(ctx, graphID)
		})
		if ran {
			return err
		}
	}
	return b.run(ctx, graphID)
}

// ready sees whether all that is bound is there still, and has inputs that lie on the host copied anew.
func (b *Binding) ready(graphID int) error {
	for _, bound := range []map[string]*Tensor{b.inputs, b.outputs} {
		for name, t := range bound {
			t.m.s.mu.Lock()
			lives := b.b != nil && t.lives()
			t.m.s.mu.Unlock()
			if !lives {
				return fmt.Errorf("the memory bound to %s: %w", name, ErrClosed)
			}
		}
	}
	if b.s.device < 0 || graphID >= 0 && b.s.o.Graphs {
		return nil
	}
	for name, t := range b.inputs {
		if !t.m.host {
			continue
		}
		if err := b.attach(name, t, true); err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return nil
}

func (b *Binding) run(ctx context.Context, graphID int) error {
	var id *C.char // nil where the provider knows no graphs
	if b.s.o.Graphs && b.s.device >= 0 {
		id = C.CString(strconv.Itoa(graphID))
		defer C.free(unsafe.Pointer(id))
	}
	var o *C.OrtRunOptions
	err := failure(C.card_run_options(id, &o))
	if o != nil {
		defer C.card_free_run_options(o)
	}
	if err != nil {
		return err
	}
	terminated := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { terminated <- failure(C.card_terminate(o)) })
	err = failure(C.card_run(b.s.s, o, b.b))
	if !stop() {
		// The options must outlive the call. A run that finished all the same counts as stopped: its caller is gone.
		return errors.Join(ctx.Err(), <-terminated)
	}
	return err
}

// Close ends the binding, not what is bound.
func (b *Binding) Close() error {
	b.s.open.RLock()
	defer b.s.open.RUnlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	delete(b.s.bindings, b)
	b.free()
	return nil
}

func (b *Binding) free() {
	if b.b != nil {
		C.card_free_binding(b.b)
		b.b = nil
	}
}
