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
func CopyRows(dst, src *Tensor, r Rows) error {
	size := src.kind.size()
	switch {
	case dst.kind != src.kind:
		return fmt.Errorf("copy elements of ONNX's type %d into those of type %d", src.kind, dst.kind)
	case min(r.To, r.From, r.Width, r.N) < 0, r.Stride < r.Width, r.end(r.To)*size > dst.Size(),
		r.end(r.From)*size > src.Size():
		return fmt.Errorf("copy rows %+v of a tensor of %v into one of %v: they do not lie within", r, src.shape, dst.shape)
	case r.Width == 0 || r.N == 0:
		return nil
	}
	s := dst.m.s
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	lives := dst.lives() && src.lives()
	s.mu.Unlock()
	if !lives {
		return fmt.Errorf("copy a tensor of %v: %w", src.shape, ErrClosed)
	}
	to, from := unsafe.Add(dst.m.p, dst.at+r.To*size), unsafe.Add(src.m.p, src.at+r.From*size)
	if s.device >= 0 {
		pitch := C.size_t(r.Stride * size)
		err := failure(C.cuda_copy(C.int(s.device), to, pitch, from, pitch, C.size_t(r.Width*size), C.size_t(r.N)))
		if err != nil {
			return fmt.Errorf("copy %d bytes on %s: %w", r.Width*r.N*size, s.o.Device, err)
		}
		return nil
	}
	for i := range r.N {
		at := i * r.Stride * size
		C.memcpy(unsafe.Add(to, at), unsafe.Add(from, at), C.size_t(r.Width*size))
	}
	return nil
}
