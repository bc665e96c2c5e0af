package part

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"

	"textmill/ground/counted"
)

// Options say how a part is written.
type Options struct {
	Kind          Embedding
	RowGroupBytes int64             // a row group ends at about so many bytes before compression; 0 = 16 MiB
	Metadata      map[string]string // into the footer
	Constants     []Constant        // columns beside ours
}

// DefaultRowGroupBytes bounds what a writer holds in memory.
const DefaultRowGroupBytes = 16 << 20

// encoder is the writer of one embedding type.
type encoder interface {
	write(rows []Row) error
	flush() error
	note(key, value string) // into the footer
	close() error
}

// ModelKey is the footer's key for the model_sha256 of a model whose rows are in the part.
func ModelKey(model string) string { return "textmill.model_sha256." + model }

// Writer writes rows to one Parquet file. It holds at most one row group in memory.
type Writer struct {
	enc    encoder
	out    *counted.Writer // what reached the file
	kind   Embedding
	limit  int64
	group  int64 // bytes in the open row group, about
	rows   int64
	stats  stats
	models map[string]string // model_sha256 by model
	broken error
}

// New starts a part on w. Nothing is complete before Close.
func New(w io.Writer, o Options) (*Writer, error) {
	if !o.Kind.valid() {
		return nil, fmt.Errorf("embedding kind %d is unknown", o.Kind)
	}
	if o.RowGroupBytes < 0 {
		return nil, fmt.Errorf("row group of %d bytes: must not be negative", o.RowGroupBytes)
	}
	if o.RowGroupBytes == 0 {
		o.RowGroupBytes = DefaultRowGroupBytes
	}
	pw := &Writer{out: &counted.Writer{W: w}, kind: o.Kind, limit: o.RowGroupBytes, models: map[string]string{}}
	var err error
	switch o.Kind {
	case Float32:
		pw.enc, err = newTyped(pw.out, o, func(r *Row) []float32 { return r.Embedding })
	case Int8:
		pw.enc, err = newTyped(pw.out, o, func(r *Row) []int8 { return r.Embedding8 })
	case Int16:
		pw.enc, err = newTyped(pw.out, o, func(r *Row) []int16 { return r.Embedding16 })
	}
	return pw, err
}

// CheckRows is ErrRow where a row does not fit a part of this kind.
func CheckRows(rows []Row, kind Embedding) error {
	for i := range rows {
		if err := rows[i].check(kind); err != nil {
			return err
		}
	}
	return nil
}

// Write appends rows. After an error the part is lost: only the file's removal makes sense.
func (w *Writer) Write(rows []Row) error {
	if w.broken != nil {
		return w.broken
	}
	if err := CheckRows(rows, w.kind); err != nil {
		return err
	}
	return w.WriteChecked(rows)
}

// WriteChecked is Write of rows that CheckRows took.
func (w *Writer) WriteChecked(rows []Row) error {
	if w.broken != nil {
		return w.broken
	}
	for len(rows) > 0 {
		n, bytes := 0, int64(0)
		for n < len(rows) && (n == 0 || w.group+bytes < w.limit) {
			bytes += int64(rows[n].size())
			w.stats.add(&rows[n])
			if m := rows[n].Model; w.models[m] != rows[n].ModelSHA256 {
				w.models[m] = rows[n].ModelSHA256
			}
			n++
		}
		if w.broken = w.enc.write(rows[:n]); w.broken != nil {
			return w.broken
		}
		w.rows += int64(n)
		w.group += bytes
		rows = rows[n:]
		if w.group >= w.limit {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Held is about how many bytes of rows are in memory.
func (w *Writer) Held() int64 { return w.group }

// Flush ends the row group before its time. After an error the part is lost.
func (w *Writer) Flush() error {
	if w.broken == nil {
		w.broken, w.group = w.enc.flush(), 0
	}
	return w.broken
}

// Bytes is about how large the file would be if it were closed now.
func (w *Writer) Bytes() int64 { return w.out.N + w.group }

// Rows is how many rows were written.
func (w *Writer) Rows() int64 { return w.rows }

// Stats is the Delta statistics of what was written: a JSON object.
func (w *Writer) Stats() string { return w.stats.json() }

// Close writes the footer.
func (w *Writer) Close() error {
	if w.broken != nil {
		return w.broken
	}
	w.broken = errors.New("part is closed")
	for _, model := range slices.Sorted(maps.Keys(w.models)) {
		w.enc.note(ModelKey(model), w.models[model])
	}
	return w.enc.close()
}

type typed[E float32 | int8 | int16] struct {
	w       *parquet.GenericWriter[record[E]]
	day     *int32  // of all
	text    *string // of all
	of      func(*Row) []E
	records []record[E]
	micros  [][2]int64
}

func newTyped[E float32 | int8 | int16](out io.Writer, o Options, of func(*Row) []E) (*typed[E], error) {
	t := &typed[E]{of: of}
	tags, err := t.take(o.Constants)
	if err != nil {
		return nil, err
	}
	if o.Kind != Float32 {
		tags = append(tags, parquet.StructTag(`parquet:"embedding,optional,list,dict"`, "Embedding"))
	}
	schema := parquet.SchemaOf(new(record[E]), tags...)
	options := append(writerOptions(), parquet.NewSchema(schema.Name(), schemaNode{schema}))
	for _, tag := range tags {
		options = append(options, tag.(*parquet.StructTagOption))
	}
	// Floats do not get smaller. Small integers would lie in 32 bits each, as Parquet has none smaller; out of a
	// dictionary they lie in 8, which do not get smaller either, and which a search need not decompress.
	options = append(options, parquet.Compression(&parquet.Uncompressed))
	for _, k := range slices.Sorted(maps.Keys(o.Metadata)) {
		options = append(options, parquet.KeyValueMetadata(k, o.Metadata[k]))
	}
	// The writer panics on a configuration it cannot use, so it is tried first.
	if _, err := parquet.NewWriterConfig(options...); err != nil {
		return nil, fmt.Errorf("configure the Parquet writer: %w", err)
	}
	t.w = parquet.NewGenericWriter[record[E]](out, options...)
	return t, nil
}

// writerOptions hold for every part, whatever its columns.
func writerOptions() []parquet.WriterOption {
	return []parquet.WriterOption{
		parquet.CreatedBy("textmill", "1", ""),
		parquet.DataPageVersion(1),
		parquet.PageBufferSize(256 << 10),
		parquet.DataPageStatistics(false),
		parquet.SkipPageBounds("text"), parquet.SkipPageBounds("output"), parquet.SkipPageBounds("error"),
		parquet.SkipPageBounds("embedding", "list", "element"), parquet.SkipPageBounds("logprobs", "list", "element"),
		parquet.SkipPageBounds("input_ids", "list", "element"), parquet.SkipPageBounds("output_ids", "list", "element"),
		parquet.SkipPageBounds("attributes", "key_value", "key"), parquet.SkipPageBounds("attributes", "key_value", "value"),
		parquet.SkipPageBounds("norm"),
	}
}

func (t *typed[E]) write(rows []Row) error {
	t.records = slices.Grow(t.records[:0], len(rows))[:len(rows)]
	t.micros = slices.Grow(t.micros[:0], len(rows))[:len(rows)]
	for i := range rows {
		fill(&t.records[i], &rows[i], &t.micros[i])
		t.records[i].Embedding = t.of(&rows[i])
		t.records[i].Day, t.records[i].Constant = t.day, t.text
	}
	_, err := t.w.Write(t.records)
	clear(t.records) // do not keep the caller's rows alive
	return err
}

func (t *typed[E]) flush() error           { return t.w.Flush() }
func (t *typed[E]) note(key, value string) { t.w.SetKeyValueMetadata(key, value) }

func (t *typed[E]) close() error { return t.w.Close() }
