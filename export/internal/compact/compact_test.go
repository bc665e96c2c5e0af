package compact

import (
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

func TestStruct(t *testing.T) {
	nested := make([]byte, 100)
	for i := range nested {
		nested[i] = 0x1c
	}
	for _, c := range []struct {
		name string
		b    []byte
		n    int
		want string
	}{
		{"a number and a text", []byte{0x15, 0x02, 0x18, 2, 'a', 'b', 0, 9, 9}, 7, ""},
		{"a list of structures", []byte{0x19, 0x2c, 0x11, 0x00, 0x12, 0x00, 0x00}, 7, ""},
		{"an id that is not the next", []byte{0x05, 0x80, 0x01, 0x02, 0x00}, 5, ""},
		{"the end is missing", []byte{0x15, 0x02}, 0, io.ErrUnexpectedEOF.Error()},
		{"a text beyond the end", []byte{0x18, 0xff, 0xff, 0xff, 0x7f, 'a', 0}, 0, io.ErrUnexpectedEOF.Error()},
		{"a list beyond the end", []byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0x7f, 0, 0}, 0, io.ErrUnexpectedEOF.Error()},
		{"a map", []byte{0x1b, 0x01, 0x88, 0, 0, 0}, 0, "a value of type 11, which Parquet does not use"},
		{"endless nesting", nested, 0, "structures nest deeper than 64"},
		{"a number without end", []byte{0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0}, 0,
			"a number of more than 64 bits"},
	} {
		n, err := Struct(c.b)
		if got := ""; n != c.n || (err != nil && err.Error() != c.want) || (err == nil && got != c.want) {
			t.Errorf("%s: %d, %v; want %d, %s", c.name, n, err, c.n, c.want)
		}
	}
	many := append([]byte{0x19, 0xfc, 0x80, 0x80, 0x80, 0x01}, make([]byte, 1<<21+1)...)
	if _, err := Struct(many); err == nil {
		t.Error("2,097,152 empty structures were let through")
	}
}

// FuzzStruct holds the walk to what the library does with the same bytes: what is let through is decoded in the same
// length, and in little memory.
func FuzzStruct(f *testing.F) {
	var protocol thrift.CompactProtocol
	for _, v := range []any{
		&format.PageHeader{UncompressedPageSize: 7, CompressedPageSize: 5},
		&format.FileMetaData{Version: 1, NumRows: 3, Schema: []format.SchemaElement{{Name: "schema"}, {Name: "a"}},
			CreatedBy: "x",
			RowGroups: []format.RowGroup{{NumRows: 3, Columns: []format.ColumnChunk{
				{MetaData: format.ColumnMetaData{PathInSchema: []string{"a"}}},
			}}}},
	} {
		b, err := thrift.Marshal(&protocol, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0x7f, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Struct(b)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, v := range []any{new(format.PageHeader), new(format.FileMetaData)} {
			r := protocol.NewReaderFromBytes(b[:n])
			if err := thrift.NewDecoder(r).Decode(v); err == nil && r.BytesRead() != n {
				t.Errorf("%x takes %d bytes, the library %d", b, n, r.BytesRead())
			}
		}
		runtime.ReadMemStats(&after)
		if made := after.TotalAlloc - before.TotalAlloc; made > 1<<20+2048*uint64(n) {
			t.Errorf("%d bytes take %d", n, made)
		}
	})
}
