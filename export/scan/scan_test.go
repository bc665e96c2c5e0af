package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/export/part"
	"textmill/internal/foreign"
)

const dim = 24

// rowsOf are n rows of a kind, every seventh an error without a vector, and some without attributes.
func rowsOf(kind part.Embedding, n int) []part.Row {
	rows := make([]part.Row, n)
	for i := range rows {
		r := &rows[i]
		*r = part.Row{Job: "j", RecordID: fmt.Sprint("r", i), Task: "embed", Model: "m", Text: part.Some(fmt.Sprint("text ", i)),
			Chunk: part.Some(int32(i % 3)), NTokens: part.Some(int32(i % 5)), Truncated: part.Some(i%2 == 0)}
		if i%4 != 0 {
			r.Attributes = map[string]string{"lang": []string{"en", "de"}[i%2], "n": fmt.Sprint(i)}
		}
		if i%7 == 3 {
			r.Error = "timeout: it took too long"
			continue
		}
		for k := range dim {
			switch v := (i*31 + k*7) % 251; kind {
			case part.Float32:
				r.Embedding = append(r.Embedding, float32(v)/17-3)
			case part.Int8:
				r.Embedding8 = append(r.Embedding8, int8(v-125))
			case part.Int16:
				r.Embedding16 = append(r.Embedding16, int16(v))
			}
		}
	}
	return rows
}

func write(t testing.TB, kind part.Embedding, rows []part.Row, group int64) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := part.New(&out, part.Options{Kind: kind, RowGroupBytes: group})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openBytes(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// vectors reads all vectors of a file, by row.
func vectors(t testing.TB, f *File) map[int][]float32 {
	t.Helper()
	got := map[int][]float32{}
	before := 0
	var s Scanner
	for g, rows := range f.Groups() {
		err := s.Vectors(t.Context(), f, g, dim, func(b *Block) error {
			for i, row := range b.Rows {
				v := make([]float32, dim)
				for k := range v {
					if b.Ints != nil {
						v[k] = float32(b.Ints[i*dim+k])
					} else {
						v[k] = b.Floats[i*dim+k]
					}
				}
				if got[before+int(row)] != nil {
					t.Errorf("row %d comes twice", before+int(row))
				}
				got[before+int(row)] = v
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		before += int(rows)
	}
	return got
}

func wanted(rows []part.Row) map[int][]float32 {
	want := map[int][]float32{}
	for i := range rows {
		v := slices.Clone(rows[i].Embedding)
		for _, x := range rows[i].Embedding8 {
			v = append(v, float32(x))
		}
		for _, x := range rows[i].Embedding16 {
			v = append(v, float32(x))
		}
		if v != nil {
			want[i] = v
		}
	}
	return want
}

// rewrites are ways in which others write the same rows.
const rewrites = `
import sys, os, pyarrow.parquet as pq
path, to = sys.argv[1:]
table = pq.read_table(path)
floats = str(table.schema.field("embedding").type.value_type) == "float"
ways = {
  "dictionary": dict(compression="snappy", use_dictionary=True),
  "one page after the other": dict(compression="none", use_dictionary=False, data_page_size=64, write_batch_size=7),
  "second version": dict(compression="zstd", use_dictionary=False, data_page_version="2.0", row_group_size=50),
  "gzip": dict(compression="gzip", use_dictionary=["model"]),
  "brotli": dict(compression="brotli", data_page_size=128, row_group_size=97),
  "lz4": dict(compression="lz4", use_compliant_nested_type=False),
}
if floats:
  ways["byte stream split"] = dict(compression="zstd", use_dictionary=False, column_encoding={"embedding.list.element": "BYTE_STREAM_SPLIT"})
for name, how in ways.items():
  pq.write_table(table, os.path.join(to, name), **how)
`

func TestVectorsOfAnyWriter(t *testing.T) {
	for kind := part.Float32; kind <= part.Int16; kind++ {
		rows := rowsOf(kind, 300)
		dir := t.TempDir()
		ours := write(t, kind, rows, 4<<10)
		if err := os.WriteFile(filepath.Join(dir, "ours"), ours, 0o600); err != nil {
			t.Fatal(err)
		}
		foreign.Python(t, rewrites, filepath.Join(dir, "ours"), dir)
		files, err := os.ReadDir(dir)
		if err != nil || len(files) < 7 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, entry := range files {
			t.Run(kind.String()+" "+entry.Name(), func(t *testing.T) {
				data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
				if err != nil {
					t.Fatal(err)
				}
				f := openBytes(t, data)
				if got, want := vectors(t, f), wanted(rows); !maps.EqualFunc(got, want, slices.Equal) {
					t.Errorf("%d vectors, want %d, or others", len(got), len(want))
				}
				matches(t, f, rows)
				picks(t, f, rows)
			})
		}
	}
}

// matches holds Match to what the rows say.
func matches(t *testing.T, f *File, rows []part.Row) {
	t.Helper()
	for _, c := range []struct {
		where Conditions
		want  func(r *part.Row) bool
	}{
		{Conditions{{"lang", true, "en"}}, func(r *part.Row) bool { return r.Attributes["lang"] == "en" }},
		{Conditions{{"lang", true, "de"}, {"n", true, "9"}}, func(r *part.Row) bool { return r.RecordID == "r9" }},
		{Conditions{{"n_tokens", false, "3"}, {"lang", true, "de"}}, func(r *part.Row) bool {
			return r.NTokens.V == 3 && r.Attributes["lang"] == "de"
		}},
		{Conditions{{"n_tokens", false, "5"}}, func(*part.Row) bool { return false }},
		{Conditions{{"n_tokens", false, "x"}}, func(*part.Row) bool { return false }},
		{Conditions{{"truncated", false, "true"}}, func(r *part.Row) bool { return r.Truncated.V }},
		{Conditions{{"error", false, "timeout: it took too long"}}, func(r *part.Row) bool { return r.Error != "" }},
		{Conditions{{"error", false, ""}}, func(*part.Row) bool { return false }},
		{Conditions{{"model", false, "m"}, {"record_id", false, "r150"}}, func(r *part.Row) bool { return r.RecordID == "r150" }},
		{Conditions{{"model", false, "n"}}, func(*part.Row) bool { return false }},
		{Conditions{{"lang", true, "en"}, {"lang", true, "de"}}, func(*part.Row) bool { return false }},
	} {
		at := 0
		for g := range f.Groups() {
			got, err := f.Match(t.Context(), g, c.where)
			if err != nil {
				t.Fatal(err)
			}
			for _, is := range got {
				if want := c.want(&rows[at]); is != want {
					t.Errorf("%v: row %d: %t", c.where, at, is)
				}
				at++
			}
		}
		if at != len(rows) {
			t.Errorf("%v was asked of %d rows", c.where, at)
		}
	}
}

// picks reads single rows, some near to each other and some not.
func picks(t *testing.T, f *File, rows []part.Row) {
	t.Helper()
	before := 0
	for g, n := range f.Groups() {
		var at []int64
		for i := int64(0); i < n; i += 1 + i%13 {
			at = append(at, i)
		}
		k := 0
		err := f.Rows(t.Context(), g, at, func(r Row) {
			want := &rows[before+int(at[k])]
			k++
			if r.RecordID != want.RecordID || r.Text != want.Text || r.Chunk != want.Chunk || !maps.Equal(r.Attributes, want.Attributes) {
				t.Errorf("row %s is %+v", want.RecordID, r)
			}
		})
		if err != nil || k != len(at) {
			t.Errorf("%d rows of %d, %v", k, len(at), err)
		}
		before += int(n)
	}
}

// Far rows are sought, near ones are read on to.
func TestRowsFarApart(t *testing.T) {
	rows := rowsOf(part.Int8, 5000)
	f := openBytes(t, write(t, part.Int8, rows, 0))
	var got []string
	err := f.Rows(t.Context(), 0, []int64{0, 1, 70, 1200, 1201, 4000, 4999}, func(r Row) { got = append(got, r.RecordID) })
	if err != nil || strings.Join(got, " ") != "r0 r1 r70 r1200 r1201 r4000 r4999" {
		t.Errorf("%v, %v", got, err)
	}
	if err := f.Rows(t.Context(), 0, []int64{5000}, func(Row) {}); !errors.Is(err, part.ErrDamaged) {
		t.Errorf("a row that is not there: %v", err)
	}
}

// Vectors that no reader could compare are refused, wherever they lie.
func TestVectorsThatDoNotFit(t *testing.T) {
	rows := rowsOf(part.Float32, 100)
	rows[60].Embedding = rows[60].Embedding[:7]
	data := write(t, part.Float32, rows, 0)
	var s Scanner
	err := s.Vectors(t.Context(), openBytes(t, data), 0, dim, func(*Block) error { return nil })
	if !errors.Is(err, part.ErrDamaged) || !strings.Contains(err.Error(), "row 60 has a vector of 7 values, the table's have 24") {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "nulls")
	foreign.Python(t, `
import sys, pyarrow as pa, pyarrow.parquet as pq
v = [1.0] * 24
table = pa.table({"embedding": pa.array([v, v[:5] + [None] + v[6:], v], pa.list_(pa.float32()))})
pq.write_table(table, sys.argv[1])`, path)
	data, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Vectors(t.Context(), openBytes(t, data), 0, dim, func(*Block) error { return nil })
	if !errors.Is(err, part.ErrDamaged) || !strings.Contains(err.Error(), "row 1 has a null in its vector") {
		t.Errorf("got %v", err)
	}
}

// What a call returns is the caller's, and no damage.
func TestCallersErrorsAreTheirs(t *testing.T) {
	f := openBytes(t, write(t, part.Float32, rowsOf(part.Float32, 20), 0))
	errMine := errors.New("mine")
	var s Scanner
	err := s.Vectors(t.Context(), f, 0, dim, func(*Block) error { return errMine })
	if !errors.Is(err, errMine) || errors.Is(err, part.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

// counting counts reads of a file.
type counting struct {
	io.ReaderAt
	reads int
	bytes int64
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	c.reads++
	c.bytes += int64(len(p))
	return c.ReaderAt.ReadAt(p, at)
}

// Of a file nothing but its vectors is read, in one piece for each row group.
func TestVectorsAreReadInOnePiece(t *testing.T) {
	rows := rowsOf(part.Float32, 4000)
	data := write(t, part.Float32, rows, 128<<10)
	c := &counting{ReaderAt: bytes.NewReader(data)}
	f, err := Open(c, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	c.reads, c.bytes = 0, 0
	vectors(t, f)
	groups, size := len(f.Groups()), int64(0)
	for g := range groups {
		size += f.VectorBytes(g)
	}
	if groups < 2 || c.reads != groups || c.bytes != size {
		t.Errorf("%d reads of %d bytes, want %d of %d, in a file of %d", c.reads, c.bytes, groups, size, len(data))
	}
}
