package part

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
)

// A part of any length is written in the memory of a row group.
func TestWriterHoldsOneRowGroup(t *testing.T) {
	rows := benchRows(1000)
	w, err := New(io.Discard, Options{RowGroupBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var early int64
	for i := range 60 { // about 100 MB
		if err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
		if i == 10 {
			early = heap()
		}
	}
	if grown := heap() - early; grown > 8<<20 {
		t.Errorf("the heap grew by %d MiB while the part did", grown>>20)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFooterTellsWhatWasWritten(t *testing.T) {
	var out bytes.Buffer
	w, err := New(&out, Options{RowGroupBytes: 100_000, Metadata: map[string]string{"model_sha256": "abc"}})
	if err != nil {
		t.Fatal(err)
	}
	rows := benchRows(500)
	if err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	f := r.Footer()
	if f.Rows != 500 || f.Kind != Float32 || f.RowGroups < 5 || f.Metadata["model_sha256"] != "abc" {
		t.Errorf("%+v", f)
	}
	n, problems, err := r.Check(t.Context(), w.Stats())
	if err != nil || n != 500 || len(problems) > 0 {
		t.Errorf("%d rows, %v, %v", n, problems, err)
	}
	i := 0
	err = r.Rows(t.Context(), func(got []Row) error {
		for _, g := range got {
			want := rows[i]
			if g.RecordID != want.RecordID || g.Text != want.Text || g.Embedding[383] != want.Embedding[383] ||
				!g.CreatedAt.Equal(want.CreatedAt) {
				t.Errorf("row %d came back as %+v", i, g)
			}
			i++
		}
		return nil
	})
	if err != nil || i != 500 {
		t.Error(i, err)
	}
	for _, cut := range []int{0, 4, 11, out.Len() / 2, out.Len() - 1} {
		if _, err := Open(bytes.NewReader(out.Bytes()[:cut]), int64(cut)); err == nil {
			t.Errorf("a part cut to %d bytes was opened", cut)
		}
	}
}

func TestOptionsAreCheckedBeforeTheLibraryPanics(t *testing.T) {
	for _, o := range []Options{{Kind: -1}, {Kind: 3}, {RowGroupBytes: -1}} {
		if _, err := New(io.Discard, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// Bounds must never make a reader skip rows that match.
func TestStatsAreOutsideTheValues(t *testing.T) {
	for us, want := range map[int64][2]string{
		0:                {"1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"},
		1:                {"1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.001Z"},
		-1:               {"1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z"},
		1700000000123456: {"2023-11-14T22:13:20.123Z", "2023-11-14T22:13:20.124Z"},
	} {
		if got := [2]string{millis(us, false), millis(us, true)}; got != want {
			t.Errorf("%d µs: %v, want %v", us, got, want)
		}
	}
	long := make([]byte, maxBound+1)
	for i := range long {
		long[i] = 'x'
	}
	var s stats
	for _, id := range []string{"b", string(long), "c"} {
		s.add(&Row{RecordID: id, Shard: "s" + id[:1]})
	}
	text := s.json()
	if !bytes.Contains([]byte(text), []byte(`"shard":"sb"`)) || bytes.Contains([]byte(text), []byte(`"record_id":"`)) {
		t.Errorf("a column with a long value has bounds, or one without has none: %s", text)
	}
}

// A mistake of who reads is not the file's damage.
func TestPanicsOfTheCallerAreNoDamage(t *testing.T) {
	var out bytes.Buffer
	w, err := New(&out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(benchRows(3)), w.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
	}()
	err = r.Rows(t.Context(), func([]Row) error { panic("a mistake") })
	t.Errorf("it became %v", err)
}
