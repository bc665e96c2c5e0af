package part

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"

	"textmill/ground/counted"
)

// Copy is a part made of rows of other parts, value by value: columns that others gave the table stay as they are.
type Copy struct {
	w      *parquet.GenericWriter[any]
	out    *counted.Writer
	limit  int64
	group  int64 // bytes in the open row group, about
	stats  stats
	roles  []role // by leaf
	notes  map[string]string
	more   *appended
	one    [1]parquet.Row
	sum    Sum
	broken error
}

// NewCopy starts a part on w that has the columns of a source and those constants that it lacks, compressed as
// textmill does. Nothing is complete before Close.
func NewCopy(w io.Writer, like *Source, o Options) (c *Copy, err error) {
	defer func() { damaged(recover(), &err) }()
	if o.RowGroupBytes == 0 {
		o.RowGroupBytes = DefaultRowGroupBytes
	}
	more, err := lacking(like.file.Schema(), o.Constants)
	if err != nil {
		return nil, err
	}
	c = &Copy{out: &counted.Writer{W: w}, limit: o.RowGroupBytes, notes: maps.Clone(o.Metadata), sum: NewSum(),
		more: more}
	if c.notes == nil {
		c.notes = map[string]string{}
	}
	schema := more.schema(like)
	options := append(writerOptions(), schema)
	if _, err := parquet.NewWriterConfig(options...); err != nil {
		return nil, fmt.Errorf("configure the Parquet writer: %w", err)
	}
	c.w = parquet.NewGenericWriter[any](c.out, options...)
	c.roles = rolesOf(schema, &c.stats)
	return c, nil
}

// Sum is that of the rows copied in the order of their parts, so that the part can be held to them once it is written.
func (c *Copy) Sum() Sum { return c.sum }

// Take copies those rows of a source, which must be of the same shape, that keep wants. After an error the part is
// lost.
func (c *Copy) Take(ctx context.Context, s *Source, keep func(row int64) bool) (err error) {
	if c.broken != nil {
		return c.broken
	}
	defer func() {
		damaged(recover(), &err)
		c.broken = err
	}()
	for _, kv := range s.file.Metadata().KeyValueMetadata {
		if _, ours := c.notes[kv.Key]; !ours {
			c.notes[kv.Key] = kv.Value
		}
	}
	at := int64(0)
	return s.each(ctx, func(row parquet.Row) error {
		at++
		if !keep(at - 1) {
			return nil
		}
		row = c.more.to(row)
		c.sum.add(row)
		return c.write(row)
	})
}

func (c *Copy) write(row parquet.Row) error {
	c.one[0] = row
	if _, err := c.w.WriteRows(c.one[:]); err != nil {
		return err
	}
	if c.group += c.count(row); c.group < c.limit {
		return nil
	}
	c.group = 0
	return c.w.Flush()
}

// Bytes is about how large the file would be if it were closed now.
func (c *Copy) Bytes() int64 { return c.out.N + c.group }

// Rows is how many rows were copied.
func (c *Copy) Rows() int64 { return c.stats.rows }

// Stats is the Delta statistics of what was copied: a JSON object.
func (c *Copy) Stats() string { return c.stats.json() }

// Close writes the footer.
func (c *Copy) Close() (err error) {
	if c.broken != nil {
		return c.broken
	}
	defer func() { damaged(recover(), &err) }()
	c.broken = errors.New("part is closed")
	for _, key := range slices.Sorted(maps.Keys(c.notes)) {
		c.w.SetKeyValueMetadata(key, c.notes[key])
	}
	return c.w.Close()
}

// role is what a leaf column is to the statistics.
type role struct {
	text, number, null int // its place among the columns of that kind, -1 for none
}

// rolesOf finds the columns that have statistics. Those of other types than ours, or that the part has not, get none
// where null and absent are not the same to a reader.
func rolesOf(schema *parquet.Schema, s *stats) []role {
	roles := make([]role, len(schema.Columns()))
	for i := range roles {
		roles[i] = role{-1, -1, -1}
	}
	find := func(name string, kinds ...parquet.Kind) (int, bool) {
		leaf, ok := schema.Lookup(name)
		if !ok {
			return 0, false
		}
		return leaf.ColumnIndex, slices.Contains(kinds, leaf.Node.Type().Kind()) && leaf.MaxRepetitionLevel == 0
	}
	for i, name := range textColumns {
		at, ok := find(name, parquet.ByteArray)
		if s.texts[i].absent = !ok; ok {
			roles[at].text = i
		}
	}
	for i, name := range intColumns {
		at, ok := find(name, parquet.Int32, parquet.Int64)
		if ok && name == "created_at" {
			leaf, _ := schema.Lookup(name)
			ok = inMicros(leaf.Node.Type())
		}
		if s.ints[i].absent = !ok; ok {
			roles[at].number = i
		}
	}
	for i, name := range nullColumns {
		at, ok := find(name, parquet.ByteArray, parquet.Boolean, parquet.Double)
		if s.nullsAbsent[i] = !ok; ok {
			roles[at].null = i
		}
	}
	return roles
}

func inMicros(t parquet.Type) bool {
	lt := t.LogicalType()
	if lt == nil {
		return false
	}
	ts, ok := lt.Value.(*format.TimestampType)
	if !ok {
		return false
	}
	_, micros := ts.Unit.Value.(*format.MicroSeconds)
	return micros
}

// sizeOf is about how many bytes a row takes before compression.
func sizeOf(row parquet.Row) (bytes int64) {
	for i := range row {
		switch v := &row[i]; v.Kind() {
		case parquet.ByteArray, parquet.FixedLenByteArray:
			bytes += 8 + int64(len(v.ByteArray()))
		case parquet.Float, parquet.Int32:
			bytes += 4
		default:
			bytes += 8
		}
	}
	return bytes
}

// count takes a row into the statistics and tells about how many bytes it takes.
func (c *Copy) count(row parquet.Row) int64 {
	s := &c.stats
	s.rows++
	for i := range row {
		v := &row[i]
		null := v.IsNull()
		switch r := c.roles[v.Column()]; {
		case r.text >= 0 && null:
			s.texts[r.text].nulls++
		case r.text >= 0:
			bound(&s.texts[r.text], v.ByteArray())
		case r.number >= 0 && null:
			s.ints[r.number].nulls++
		case r.number >= 0 && v.Kind() == parquet.Int32:
			s.ints[r.number].add(int64(v.Int32()), true)
		case r.number >= 0:
			s.ints[r.number].add(v.Int64(), true)
		case r.null >= 0 && null:
			s.nulls[r.null]++
		}
	}
	return sizeOf(row)
}

// likeOurs is a schema as another wrote it, whose columns are encoded and compressed as ours.
type likeOurs struct {
	parquet.Node
	top bool
}

func (n likeOurs) Fields() []parquet.Field {
	own := make([]parquet.Field, 0, len(n.Node.Fields()))
	for _, f := range n.Node.Fields() {
		name := ""
		if n.top {
			name = f.Name()
		}
		own = append(own, likeOursField{f, name})
	}
	return own
}

type likeOursField struct {
	parquet.Field
	column string
}

func (f likeOursField) Fields() []parquet.Field { return likeOurs{Node: f.Field}.Fields() }

func (f likeOursField) Encoding() encoding.Encoding {
	if f.Leaf() && slices.Contains(inDictionaries, f.column) || smallNumbers(f) {
		return &parquet.RLEDictionary
	}
	return &parquet.Plain
}

func (f likeOursField) Compression() compress.Codec {
	if f.Leaf() && f.Type().Kind() == parquet.Float || smallNumbers(f) {
		return &parquet.Uncompressed
	}
	return recode(&parquet.Zstd)
}

// smallNumbers says whether a column's values are integers of at most 16 bits, as those of quantized vectors.
func smallNumbers(n parquet.Node) bool {
	return n.Leaf() && n.Type().Kind() == parquet.Int32 && bits(n) < 32
}

// inDictionaries are the columns of few different values.
var inDictionaries = []string{"job", "shard", "task", "model", "model_sha256", "error", "finish_reason"}
