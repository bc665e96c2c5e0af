package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"textmill/export/delta"
	"textmill/export/part"
)

// Batch gathers the rows of whole deliveries for one commit. Its methods are safe for concurrent use, except that nothing
// may run beside Commit and Abort.
type Batch struct {
	t    *Table
	h    *handle
	kind EmbeddingKind

	vectors Vectors

	mu     sync.Mutex
	keys   map[string]*delivery
	order  []*delivery
	shared *partFile // of small deliveries, one after the other
	broken error     // why the batch can only be aborted
	ended  bool
}

var errNoKey = errors.New("delivery has no key")

// delivery is one key's rows: a range of the shared part, or parts of its own.
type delivery struct {
	key      Key
	from, to int64
	errors   int64
	vectors  bool // some row has one
	spool    *Spool
	dropped  bool // its rows were taken out of the shared part: whatever the log says later, they are not there
}

// Add appends all rows of a delivery to the part that small deliveries share. ErrRow leaves the batch as it was; after any
// other error it can only be aborted.
func (b *Batch) Add(k Key, rows []Row) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	d, err := b.register(k)
	if err != nil {
		return err
	}
	if len(rows) > 0 && b.shared == nil {
		if b.shared, err = b.h.newPart(b.t.store.o, b.kind); err != nil {
			b.drop(d)
			return b.fail(err)
		}
	}
	if len(rows) > 0 {
		d.from = b.shared.w.Rows()
		if err := b.shared.write(rows); err != nil {
			b.drop(d)
			if errors.Is(err, ErrRow) {
				return err
			}
			return b.fail(err)
		}
		d.to = b.shared.w.Rows()
	}
	d.errors, d.vectors = countErrors(rows), haveVectors(rows)
	return nil
}

func haveVectors(rows []Row) bool {
	for i := range rows {
		if r := &rows[i]; r.Embedding != nil || r.Embedding8 != nil || r.Embedding16 != nil {
			return true
		}
	}
	return false
}

// Takes says whether deliveries with these vectors can be in the batch.
func (b *Batch) Takes(v Vectors) bool {
	return v == Vectors{} || v.Kind() == b.kind && (b.vectors == Vectors{} || b.vectors == v)
}

// Bind says what the vectors of the batch's rows are, the same for all. A commit with any binds the table to them, or is ErrSchema
// where it is bound to others.
func (b *Batch) Bind(ctx context.Context, v Vectors) error {
	if v == (Vectors{}) {
		return nil
	}
	if !b.Takes(v) {
		return fmt.Errorf("%w: the batch has %s, the rows have %s", ErrSchema, b.vectors, v)
	}
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	if b.t.h != b.h {
		return fmt.Errorf("%w: %s", ErrGone, b.t.path)
	}
	if err := b.t.accepts(ctx, v); err != nil {
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
	d := &delivery{key: k}
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

// Bytes is about how large the batch's parts are.
func (b *Batch) Bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var n int64
	if b.shared != nil {
		n = b.shared.bytes()
	}
	for _, d := range b.order {
		if d.spool != nil {
			n += d.spool.Bytes()
		}
	}
	return n
}

// Commit makes the rows part of the table, but for deliveries that the log already settles: Result.Outcomes says for each
// key what holds. ErrNoSpace and ErrStorage: call Commit again later, or Abort. ErrUnknown: see there; Abort then keeps files
// that the log may name. ErrGone and ErrSchema: Abort. Once an entry is linked ctx no longer stops it.
func (b *Batch) Commit(ctx context.Context) (Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.ready(); err != nil {
		return Result{}, err
	}
	var keep []*delivery
	res := Result{}
	plan := func() ([]delta.Action, error) {
		res = Result{Outcomes: map[string]Outcome{}}
		keep = keep[:0]
		for _, d := range b.order {
			outcome := b.h.ledger.look(d.key)
			if outcome == Absent && !d.dropped {
				keep = append(keep, d)
				outcome = Committed
			}
			if outcome == unclear { // since it was looked up; it comes again
				outcome = Absent
			}
			res.Outcomes[d.key.AppID] = outcome
		}
		if len(keep) == 0 {
			return nil, nil
		}
		if err := b.h.accepts(b.kind); err != nil {
			return nil, err
		}
		bind, err := b.h.fits(b.bound(keep))
		if err != nil {
			return nil, err
		}
		return b.actions(keep, bind, &res)
	}
	maybe := func() { b.ended = true }
	version, err := b.t.commit(ctx, b.h, "WRITE", plan, maybe)
	if err != nil {
		return Result{}, fmt.Errorf("commit to %s: %w", b.t.path, err)
	}
	b.ended = true
	b.discard(keep)
	res.Version = version
	return res, nil
}

// ready finishes the shared part.
func (b *Batch) ready() error {
	if b.ended {
		return errors.New("batch is committed or aborted")
	}
	if b.broken != nil {
		return b.broken
	}
	if b.shared != nil {
		if err := b.shared.finish(); err != nil {
			return b.fail(err)
		}
	}
	return nil
}

// actions places the parts of the deliveries and names them.
func (b *Batch) actions(keep []*delivery, bind bool, res *Result) ([]delta.Action, error) {
	if err := b.narrow(keep); err != nil {
		return nil, err
	}
	now := b.t.store.o.Now().Round(0) // by the clock, not by how long the process ran
	keys := make([]Key, 0, len(keep))
	var parts []*partFile
	if b.shared != nil && b.shared.rows > 0 {
		parts = append(parts, b.shared)
	}
	for _, d := range keep {
		keys = append(keys, d.key)
		res.Errors += d.errors
		if d.spool != nil {
			parts = append(parts, d.spool.parts...)
		}
	}
	actions := b.h.ledger.txnsOf(keys, now.UnixMilli())
	if b.h.kind != b.kind || bind {
		m := b.h.snap.Metadata
		if b.h.kind != b.kind {
			var err error
			if m.SchemaString, err = part.WithEmbedding(m.SchemaString, b.kind); err != nil {
				return nil, err
			}
		}
		if bind {
			m.Configuration = maps.Clone(m.Configuration)
			if m.Configuration == nil {
				m.Configuration = map[string]string{}
			}
			m.Configuration[vectorsKey] = b.vectors.Property()
		}
		actions = append(actions, delta.Action{Metadata: &m})
	}
	for _, p := range parts {
		if p.rows == 0 { // it took only refused rows
			b.warn(p.remove())
			continue
		}
		if err := p.place(now); err != nil {
			return nil, err
		}
		res.Rows += p.rows
		actions = append(actions, delta.Action{Add: p.add()})
	}
	if len(parts) > 0 {
		if err := b.h.dir.Sync(); err != nil {
			return nil, err
		}
	}
	return actions, nil
}

// narrow writes the shared part again under a new name when it holds rows of a delivery that is not kept.
func (b *Batch) narrow(keep []*delivery) error {
	if b.shared == nil {
		return nil
	}
	var want int64
	for _, d := range keep {
		want += d.to - d.from
	}
	if want == b.shared.rows {
		return nil
	}
	next, err := b.shared.without(b.t.store.o, keep)
	if err != nil {
		return err
	}
	if err := b.shared.remove(); err != nil {
		b.t.log.Warn("a part stays until the next sweep", "error", err)
	}
	var at int64
	for _, d := range b.order {
		d.dropped = d.spool == nil
	}
	for _, d := range keep {
		n := d.to - d.from
		d.from, d.to, d.dropped = at, at+n, false
		at += n
	}
	b.shared = next
	return nil
}

// discard removes the parts that the commit did not name.
func (b *Batch) discard(keep []*delivery) {
	kept := map[*delivery]bool{}
	for _, d := range keep {
		kept[d] = true
	}
	for _, d := range b.order {
		if d.spool != nil && !kept[d] {
			d.spool.remove()
		}
	}
	if len(keep) == 0 && b.shared != nil {
		b.warn(b.shared.remove())
	}
}

func (b *Batch) warn(err error) {
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.log.Warn("a part stays until the next sweep", "error", err)
	}
}

// Abort gives up what was not committed. It is always safe, also after Commit, and may be deferred.
func (b *Batch) Abort() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	if b.shared != nil {
		b.warn(b.shared.remove())
	}
	for _, d := range b.order {
		if d.spool != nil {
			d.spool.remove()
		}
	}
}
