package input

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"textmill/jobs"
)

const rowsFile = "testdata/rows.parquet" // written by testdata/parquet.py

func TestParquetRows(t *testing.T) {
	want := []string{"1:a|one|map[n:1]", "2:b!invalid_record", "3:c|three", "4:d!bad_utf8", "5:e!too_long", "6:|six|map[n:6]"}
	o := Options{MaxRecordBytes: 1000}
	data, err := os.ReadFile(rowsFile)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(rowsFile, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Skipped(); !reflect.DeepEqual(got, []string{"tags"}) {
		t.Errorf("skipped %q", got)
	}
	if got := show(drain(t, r)); !reflect.DeepEqual(got, want) {
		t.Errorf("file: got %q", got)
	}
	for name, stream := range map[string][]byte{"stream": data, "gzip": gzipped(t, data)} {
		r, err := NewReader(bytes.NewReader(stream), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(drain(t, r)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	r, err = Open(rowsFile, Options{TextColumn: "n", IDColumn: "id"})
	if err != nil {
		t.Fatal(err)
	}
	var it Item
	if err := r.Next(&it); err != nil || it.Record.Text != "1" || it.Record.ID != "a" {
		t.Errorf("a column of numbers as text: %+v, %v", it.Record, err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("close in the middle: %v", err)
	}
	for _, o := range []Options{{TextColumn: "none"}, {TextColumn: "tags"}, {IDColumn: "none"}, {TextColumn: "n", IDColumn: "n"}} {
		if _, err := Open(rowsFile, o); !errors.Is(err, ErrFormat) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestParquetRowGroups(t *testing.T) {
	dir := t.TempDir()
	roots := openRoots(t, dir)
	data, err := os.ReadFile(rowsFile)
	if err != nil {
		t.Fatal(err)
	}
	in := place(t, filepath.Join(dir, "f.parquet"), string(data))
	in.Format = jobs.FormatParquet
	for _, tc := range []struct {
		groups []int
		want   []string
	}{
		{[]int{2, 0}, []string{"5:e|" + string(bytes.Repeat([]byte("five"), 300)) + "|map[n:5]", "6:|six|map[n:6]", "1:a|one|map[n:1]", "2:b!invalid_record"}},
		{[]int{1}, []string{"3:c|three", "4:d!bad_utf8"}},
	} {
		in.RowGroups = tc.groups
		r, err := roots.OpenInput(in, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := show(drain(t, r)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%v: got %q", tc.groups, got)
		}
	}
	in.RowGroups = []int{3}
	if _, err := roots.OpenInput(in, Options{}); !errors.Is(err, ErrInputRange) {
		t.Errorf("a row group beyond the file: %v", err)
	}
}

func FuzzParquet(f *testing.F) {
	data, err := os.ReadFile(rowsFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		readFuzzed(t, data, Options{Format: Parquet})
	})
}
