package embed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"textmill/ground/regular"
	"textmill/models"
	"textmill/models/internal/graph"
	"textmill/models/session"
)

// tableTokens is the size of a batch of a static model. There is no padding, and no run is faster for being larger.
const tableTokens = 4096

// A table is the vectors of a static model's tokens, mapped into memory. Texts are computed one by one, so company
// changes no bit.
type table struct {
	mapped   []byte // nil where the graph itself held the table
	values   []float32
	rows     int
	dim      int
	leaveOut int32
}

// openStatic opens a static model, which runs on the processor: a card would only wait for its token IDs.
func (e *Embedder) openStatic(o session.Options) error {
	t, err := openTable(e.spec)
	if err != nil {
		return fmt.Errorf("%w: %w", models.ErrBundle, err)
	}
	if o.Device != "cpu" {
		e.notes = append(e.notes, fmt.Sprintf("runs on cpu, not on %s: a table of token vectors has nothing to compute", o.Device))
	}
	e.table, e.device, e.tuning, e.company = t, "cpu", processorTuning(o.Threads), session.Company{Runs: session.Any}
	if e.budget.Load() == 0 {
		e.budget.Store(tableTokens)
	}
	e.slots = make(chan batcher, e.tuning.workers)
	for range e.tuning.workers {
		e.slots <- t
	}
	return nil
}

func openTable(spec *models.Spec) (*table, error) {
	g, err := graph.ReadNodes(spec.GraphPath())
	if err != nil {
		return nil, err
	}
	for _, n := range g.Nodes {
		if n.Op != "Gather" || len(n.Inputs) != 2 {
			continue
		}
		v, ok := g.Tensors[n.Inputs[0]]
		if !ok || v.Type != graph.Float32 || !v.Raw || len(v.Dims) != 2 || v.Dims[1] != int64(spec.Hidden) ||
			v.Dims[0] < 1 || v.Dims[0] > 1<<40/v.Dims[1] || v.Length != v.Dims[0]*v.Dims[1]*4 {
			return nil, fmt.Errorf("%s looks tokens up in %s, which is no table of %d floats a row", spec.Graph, n.Inputs[0], spec.Hidden)
		}
		t := &table{rows: int(v.Dims[0]), dim: spec.Hidden, leaveOut: spec.Static.LeaveOut}
		return t, t.load(spec.GraphPath(), v)
	}
	return nil, fmt.Errorf("%s looks up no tokens in a table", spec.Graph)
}

// load maps the table, or reads one that is small enough to lie in the graph, at any place.
func (t *table) load(graphPath string, v graph.Tensor) (err error) {
	file := graphPath
	if v.File != "" {
		file = filepath.Join(filepath.Dir(graphPath), filepath.FromSlash(v.File))
	}
	f, err := regular.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if v.Offset < 0 || v.Offset > st.Size()-v.Length {
		return fmt.Errorf("tensor %s lies beyond the end of %s", v.Name, file)
	}
	if v.File == "" || v.Offset%int64(unsafe.Alignof(t.values[0])) != 0 {
		t.values = make([]float32, v.Length/4)
		_, err := f.ReadAt(unsafe.Slice((*byte)(unsafe.Pointer(&t.values[0])), v.Length), v.Offset)
		return err
	}
	if t.mapped, err = unix.Mmap(int(f.Fd()), 0, int(v.Offset+v.Length), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map %s: %w", file, err)
	}
	t.values = unsafe.Slice((*float32)(unsafe.Pointer(&t.mapped[v.Offset])), v.Length/4)
	return nil
}

func (t *table) close() error {
	t.values = nil
	if t.mapped == nil {
		return nil
	}
	mapped := t.mapped
	t.mapped = nil
	return unix.Munmap(mapped)
}

// embed makes each row's vector of its tokens alone. A text without tokens that count comes to zeros, as in the
// reference libraries.
func (t *table) embed(ctx context.Context, e *Embedder, rows []Row) ([]Vector, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	total := 0
	for i, r := range rows {
		for _, id := range r.IDs {
			if id < 0 || int(id) >= t.rows {
				return nil, fmt.Errorf("%w %d: token %d is none of the table's %d", ErrRow, i, id, t.rows)
			}
		}
		total += pooledSize(r, e.spec)
	}
	all := make([]float32, total)
	vectors := make([]Vector, len(rows))
	for i, r := range rows {
		n := pooledSize(r, e.spec)
		v := all[:n:n]
		all = all[n:]
		if t.pool(v, r, poolingOf(r, e.spec)); finite(v) {
			vectors[i] = v
		}
	}
	return vectors, nil
}

func (t *table) row(id int32) []float32 { return t.values[int(id)*t.dim:][:t.dim] }

// pool makes v of the text's tokens. Of several poolings each comes to the bits that it comes to alone.
func (t *table) pool(v []float32, r Row, pooling string) {
	if len(r.IDs) == 0 {
		return
	}
	if pooling == models.PoolNone {
		copy(v, t.tokens(r))
		return
	}
	for mode := range strings.SplitSeq(pooling, models.PoolJoint) {
		if mode == models.PoolMean {
			t.mean(v[:t.dim], r.IDs[r.Skip:])
		} else {
			poolRow(v[:t.dim], t.tokens(r), t.dim, mode, r.Skip)
		}
		v = v[t.dim:]
	}
}

func (t *table) mean(v []float32, ids []int32) {
	n := 0
	for _, id := range ids {
		if id != t.leaveOut {
			add(v, t.row(id))
			n++
		}
	}
	if n > 0 {
		for i := range v {
			v[i] /= float32(n)
		}
	}
}

func (t *table) tokens(r Row) []float32 {
	tokens := make([]float32, 0, t.dim*len(r.IDs))
	for _, id := range r.IDs {
		tokens = append(tokens, t.row(id)...)
	}
	return tokens
}
