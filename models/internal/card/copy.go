package card

// #include "api.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Copy copies a tensor into another of the same size and kind, whichever of them lies where. It is done when it comes
// back; no run that uses dst may be under way.
func Copy(dst, src *Tensor) error {
	if dst.Size() != src.Size() {
		return fmt.Errorf("copy a tensor of %v into one of %v: they differ in size", src.shape, dst.shape)
	}
	n := src.Size() / src.kind.size()
	return CopyRows(dst, src, Rows{Width: n, Stride: n, N: 1})
}

// Rows are N parts of Width elements, Stride apart: in the target from element To on, in the source from From on.
type Rows struct{ To, From, Width, Stride, N int64 }

func (r Rows) end(begin int64) int64 {
	if r.N == 0 {
		return begin
	}
	return begin + (r.N-1)*r.Stride + r.Width
}

// CopyRows copies parts of a tensor into another, which may be the same where they do not overlap.
func CopyRows(dst, src *Tensor, r Rows) error { return CopyAll(Part{Dst: dst, Src: src, Rows: r}) }

// A Part is what CopyAll copies. FromStride is how far the source's rows are apart, 0 for Stride.
type Part struct {
	Dst, Src *Tensor
	Rows
	FromStride int64
}

func (p *Part) check() error {
	if p.FromStride == 0 {
		p.FromStride = p.Stride
	}
	from := p.Rows
	from.Stride = p.FromStride
	size := p.Src.kind.size()
	switch {
	case p.Dst.kind != p.Src.kind:
		return fmt.Errorf("copy elements of ONNX's type %d into those of type %d", p.Src.kind, p.Dst.kind)
	case min(p.To, p.From, p.Width, p.N) < 0, min(p.Stride, p.FromStride) < p.Width, p.end(p.To)*size > p.Dst.Size(),
		from.end(p.From)*size > p.Src.Size():
		return fmt.Errorf("copy rows %+v of a tensor of %v into one of %v: they do not lie within", p.Rows, p.Src.shape,
			p.Dst.shape)
	}
	p.Dst.m.s.mu.Lock()
	defer p.Dst.m.s.mu.Unlock()
	if !p.Dst.lives() || !p.Src.lives() {
		return fmt.Errorf("copy a tensor of %v: %w", p.Src.shape, ErrClosed)
	}
	return nil
}

// CopyAll copies parts of tensors of one session, all of which it waits for once.
func CopyAll(parts ...Part) error {
	if len(parts) == 0 {
		return nil
	}
	s := parts[0].Dst.m.s
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	all := make([]C.card_copy, 0, len(parts))
	for _, p := range parts {
		if err := p.check(); err != nil {
			return err
		}
		size := p.Src.kind.size()
		if p.Width > 0 && p.N > 0 {
			all = append(all, C.card_copy{to: unsafe.Add(p.Dst.m.p, p.Dst.at+p.To*size),
				from: unsafe.Add(p.Src.m.p, p.Src.at+p.From*size), to_pitch: C.size_t(p.Stride * size),
				from_pitch: C.size_t(p.FromStride * size), width: C.size_t(p.Width * size), rows: C.size_t(p.N)})
		}
	}
	if len(all) == 0 {
		return nil
	}
	if s.device < 0 {
		C.card_copy_all(&all[0], C.size_t(len(all)))
		return nil
	}
	defer s.hold(false)()
	if err := failure(C.cuda_copy_all(C.int(s.device), &all[0], C.size_t(len(all)))); err != nil {
		return fmt.Errorf("copy %d parts of tensors on %s: %w", len(all), s.o.Device, err)
	}
	return nil
}
