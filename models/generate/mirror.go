package generate

import (
	"errors"
	"fmt"

	"textmill/models/internal/card"
	"textmill/models/internal/graph"
)

var errNoRoomLeft = fmt.Errorf("%w: the device had none left for the KV cache", card.ErrOutOfMemory)

// A mirror is memory of the device, and of the host what is copied to it or from it.
type mirror struct{ device, host *card.Tensor }

func newMirror(s *card.Session, kind card.Kind, shape ...int64) (m mirror, err error) {
	if m.device, err = s.Device(kind, shape...); err != nil {
		return m, err
	}
	m.host, err = s.Host(kind, shape...)
	return m, err
}

// put copies the first elements to the device, get from there.
func (m *mirror) put(n int) error { return card.CopyRows(m.device, m.host, first(n)) }
func (m *mirror) get(n int) error { return card.CopyRows(m.host, m.device, first(n)) }

func first(n int) card.Rows { return card.Rows{Width: int64(n), Stride: int64(n), N: 1} }

func (m *mirror) close() (err error) {
	for _, t := range []*card.Tensor{m.device, m.host} {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
	}
	*m = mirror{}
	return err
}

// feeds are the inputs of runs but for the caches. Decodes and prompts have memory of their own, since what a CUDA
// graph reads must not be what another run writes.
type feeds struct {
	ids, lens, at mirror       // of decodes
	total         *card.Tensor // on the host, where the graph reads it
	// Of a part of a prompt: its ids, what the slot holds with it, the position that is scored.
	part, end, is mirror
	sum           *card.Tensor   // as total
	views         []*card.Tensor // of part, by length
}

func (f *feeds) make(s *card.Session, slots, length, part int) (err error) {
	rows, longest := int64(slots), int64(part)
	for _, m := range []struct {
		to   *mirror
		kind card.Kind
		n    int64
	}{{&f.ids, graph.Int64, rows}, {&f.lens, graph.Int32, rows}, {&f.at, graph.Int64, rows},
		{&f.part, graph.Int64, longest},
		{&f.end, graph.Int32, 1}, {&f.is, graph.Int64, 1}} {
		if *m.to, err = newMirror(s, m.kind, m.n); err != nil {
			return err
		}
	}
	for _, t := range []**card.Tensor{&f.total, &f.sum} {
		if *t, err = s.Host(graph.Int32, 1); err != nil {
			return err
		}
	}
	for i := range f.at.host.Int64s() {
		f.at.host.Int64s()[i] = int64(i)
	}
	// The length of the buffer, whatever it holds: how a run is cut into pieces must not go by the longest text.
	f.total.Int32s()[0] = int32(length)
	f.views = make([]*card.Tensor, longest+1)
	return f.at.put(slots)
}

// bind has decodes read ids of [rows, width].
func (f *feeds) bind(b *card.Binding, rows, width int64) error {
	ids, err := f.ids.device.View(rows, width)
	if err != nil {
		return err
	}
	return errors.Join(b.In("input_ids", ids), b.In("seqlens_k", f.lens.device), b.In("total_sequence_length", f.total),
		b.In("logits_positions", f.at.device))
}

// tokens has the next decode take a token for each slot.
func (f *feeds) tokens(rows []row) error {
	ids, lens := f.ids.host.Int64s(), f.lens.host.Int32s()
	for i, r := range rows {
		ids[i], lens[i] = int64(r.id), int32(r.used)
	}
	return errors.Join(f.ids.put(len(rows)), f.lens.put(len(rows)))
}

// prompt has a run take part of a prompt, filled up to n tokens, into a slot that holds used ones.
func (f *feeds) prompt(b *card.Binding, ids []int32, n, used int) (err error) {
	to := f.part.host.Int64s()[:n]
	for i := range to {
		to[i] = int64(ids[min(i, len(ids)-1)])
	}
	if f.views[n] == nil {
		if f.views[n], err = f.part.device.View(1, int64(n)); err != nil {
			return err
		}
	}
	f.end.host.Int32s()[0], f.sum.Int32s()[0], f.is.host.Int64s()[0] = int32(used+n-1), int32(used+n), int64(len(ids)-1)
	return errors.Join(f.part.put(n), f.end.put(1), f.is.put(1), b.In("input_ids", f.views[n]),
		b.In("seqlens_k", f.end.device), b.In("total_sequence_length", f.sum), b.In("logits_positions", f.is.device))
}

func (f *feeds) close() (err error) {
	for _, m := range []*mirror{&f.ids, &f.lens, &f.at, &f.part, &f.end, &f.is} {
		err = errors.Join(err, m.close())
	}
	for _, t := range []*card.Tensor{f.total, f.sum} {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
	}
	*f = feeds{}
	return err
}
