package export

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"textmill/export/part"
)

// Batch gathers the rows of whole deliveries for one commit. Its methods are safe for concurrent use, except that
// nothing may run beside Commit and Abort.
type Batch struct {
	t    *Table
	h    *handle
	kind EmbeddingKind

	vectors Vectors

	onRepeat string   // see OnRepeat
	repeats  *repeats // what the table holds of its records, once a commit was tried

	repeatsAtOnce int64 // 0: repeatsAtOnce

	mu     sync.Mutex
	keys   map[string]*delivery
	order  []*delivery
	shared map[string]*partFile // of small deliveries, one after the other, by group
	by     Partitioning
	broken error // why the batch can only be aborted
	ended  bool
}

var errNoKey = errors.New("delivery has no key")

// delivery is one key's rows: a range of each shared part, or parts of its own.
type delivery struct {
	key     Key
	spans   map[string]span // by group
	errors  int64
	vectors bool // some row has one
	spool   *Spool
	// rivalled: rows of it were left out for those of another delivery of the batch.
	rivalled bool
	left     Left
	dropped  bool // its rows were taken out of a shared part: whatever the log says later, they are not there
}

// span is a range of a part's rows.
type span struct{ from, to int64 }

// Begin starts a batch of rows whose embeddings are of a kind, making the table where it is absent. ErrSchema when the
// table holds another kind, ErrRefused when textmill must not write to it. Bind says what its vectors are.
func (t *Table) Begin(ctx context.Context, kind EmbeddingKind) (*Batch, error) {
	h, kind, err := t.begin(ctx, kind)
	if err != nil {
		return nil, err
	}
	return &Batch{t: t, h: h, kind: kind, keys: map[string]*delivery{}, shared: map[string]*partFile{},
		by: h.layout().by}, nil
}

func (t *Table) begin(ctx context.Context, kind EmbeddingKind) (*handle, EmbeddingKind, error) {
	h, err := t.ensure(ctx, kind)
	if err != nil {
		return nil, kind, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if kind == EmbeddingAny {
		kind = h.terms.kind
	}
	return h, kind, h.terms.accepts(kind)
}

// Add appends all rows of a delivery to the part that small deliveries share. ErrRow and ErrSchema leave the batch as
// it was; after any other error it can only be aborted.
func (b *Batch) Add(k Key, rows []Row) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	d, err := b.register(k)
	if err != nil {
		return err
	}
	if err := part.CheckRows(rows, b.kind); err != nil {
		b.drop(d)
		return err
	}
	groups, err := b.by.apart(rows)
	if err != nil {
		b.drop(d)
		return err
	}
	for _, g := range groups {
		err = errors.Join(err, b.share(d, g))
	}
	if err == nil {
		err = spill(b.shared, b.t.store.o)
	}
	if err != nil {
		b.drop(d)
		return b.fail(err)
	}
	d.errors, d.vectors = countErrors(rows), haveVectors(rows)
	return nil
}

// share writes a group's rows to the part of the group that small deliveries share.
func (b *Batch) share(d *delivery, g group) error {
	p := b.shared[g.key]
	if p == nil {
		var err error
		if p, err = b.h.newPart(b.t.store.o, b.kind, g.partition); err != nil {
			return err
		}
		b.shared[g.key] = p
	}
	from := p.w.Rows()
	err := p.write(g.rows)
	d.spans[g.key] = span{from, p.w.Rows()}
	return err
}

func haveVectors(rows []Row) bool {
	for i := range rows {
		if r := &rows[i]; r.Embedding != nil || r.Embedding8 != nil || r.Embedding16 != nil {
			return true
		}
	}
	return false
}

// OnRepeat says what becomes of records that the table holds already, by their tasks and ids, where that is not that
// their rows come to the others: with RepeatReplace those of the message that was published last stay, with RepeatSkip
// the ones that are there. All rows of a record go together; rows that are Unnamed repeat nothing. It is to be called
// before rows are added.
func (b *Batch) OnRepeat(what string) { b.onRepeat = what }

// Takes says whether deliveries with these vectors can be in the batch.
func (b *Batch) Takes(v Vectors) bool {
	return v == Vectors{} || v.Kind() == b.kind && (b.vectors == Vectors{} || b.vectors == v)
}

// Bind says what the vectors of the batch's rows are, the same for all. A commit with any binds the table to them, or
// is ErrSchema where it is bound to others.
func (b *Batch) Bind(ctx context.Context, v Vectors) error {
	if v == (Vectors{}) {
		return nil
	}
	if !b.Takes(v) {
		return fmt.Errorf("%w: the batch has %s, the rows have %s", ErrSchema, b.vectors, v)
	}
	if err := b.t.is(b.h); err != nil {
		return err
	}
	if err := b.t.accepts(ctx, b.h, v); err != nil {
		return err
	}
	b.vectors = v
	return nil
}

// bound is what the table must be bound to for these deliveries.
func (b *Batch) bound(keep []*delivery) Vectors {
	for _, d := range keep {
		if d.vectors {
			return b.vectors
		}
	}
	return Vectors{}
}

func countErrors(rows []Row) int64 {
	var n int64
	for i := range rows {
		if rows[i].Error != "" {
			n++
		}
	}
	return n
}

// register needs b.mu.
func (b *Batch) register(k Key) (*delivery, error) {
	switch {
	case b.ended:
		return nil, errors.New("batch is committed or aborted")
	case b.broken != nil:
		return nil, b.broken
	case k.AppID == "":
		return nil, errNoKey
	case b.keys[k.AppID] != nil:
		return nil, fmt.Errorf("%w: %s", ErrRepeated, k)
	}
	d := &delivery{key: k, spans: map[string]span{}}
	b.keys[k.AppID] = d
	b.order = append(b.order, d)
	return d, nil
}

func (b *Batch) drop(d *delivery) {
	delete(b.keys, d.key.AppID)
	for i, o := range b.order {
		if o == d {
			b.order = append(b.order[:i], b.order[i+1:]...)
			return
		}
	}
}

func (b *Batch) fail(err error) error {
	b.broken = fmt.Errorf("write a part of %s: %w", b.t.path, b.h.blame(err))
	return b.broken
}

// Full says that the batch has so many files open that it should be committed before it takes more.
func (b *Batch) Full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.shared) >= mostOpen
}

// Bytes is about how large the batch's parts are.
func (b *Batch) Bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var n int64
	for _, p := range b.shared {
		n += p.bytes()
	}
	for _, d := range b.order {
		if d.spool != nil {
			n += d.spool.Bytes()
		}
	}
	return n
}
