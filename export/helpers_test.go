package export

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// sample makes n rows of one delivery; the vector tells the row.
func sample(shard string, n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		e := make([]float32, 8)
		for k := range e {
			e[k] = float32(i) + float32(k)/8
		}
		rows[i] = Row{
			Job: "j", Shard: shard, RecordID: fmt.Sprintf("%s-%d", shard, i), Task: "embed", Model: "m", ModelSHA256: "abc",
			Text: Some(fmt.Sprintf("text %d of %s é中", i, shard)), Attributes: map[string]string{"lang": "en"},
			InputIDs: []int32{101, int32(i), 102}, NTokens: Some[int32](3), NDropped: Some[int32](0), Dim: Some[int32](8),
			Chunk: Some[int32](0), ChunkStart: Some[int32](0), ChunkEnd: Some[int32](5), StreamSequence: Some(int64(i)),
			Truncated: Some(false), Norm: Some(1.5), Embedding: e, CreatedAt: time.Unix(1700000000, 123456000),
		}
	}
	return rows
}

func key(shard string) Key { return JobKey("embed", "m", "j", shard, []byte("payload of "+shard)) }

func openStore(t testing.TB, dir string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{URI: dir, Version: "test"}
	for _, c := range change {
		c(&o)
	}
	s, err := OpenStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func table(t testing.TB, s *Store) *Table {
	t.Helper()
	tab, err := s.Table("docs")
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func begin(t testing.TB, tab *Table) *Batch {
	t.Helper()
	b, err := tab.Begin(t.Context(), EmbeddingFloat32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Abort)
	return b
}

func add(t testing.TB, b *Batch, shards ...string) {
	t.Helper()
	for _, s := range shards {
		if err := b.Add(key(s), sample(s, 10)); err != nil {
			t.Fatal(err)
		}
	}
}

func commit(t testing.TB, b *Batch) Result {
	t.Helper()
	res, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func put(t testing.TB, tab *Table, shards ...string) Result {
	t.Helper()
	b := begin(t, tab)
	add(t, b, shards...)
	return commit(t, b)
}

func outcome(t testing.TB, tab *Table, k Key) Outcome {
	t.Helper()
	if err := tab.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err := tab.Lookup(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// sound verifies the table and returns its rows' ids, sorted.
func sound(t testing.TB, tab *Table) []string {
	t.Helper()
	v, err := Verify(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range v.Problems {
		t.Error(p)
	}
	if v.RowsRead != v.Rows {
		t.Errorf("%d rows read, the log says %d", v.RowsRead, v.Rows)
	}
	var ids []string
	err = Scan(t.Context(), tab.Path(), func(rows []Row) error {
		for i := range rows {
			ids = append(ids, rows[i].RecordID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

// holds checks that the table has exactly the rows of the shards, each once.
func holds(t testing.TB, tab *Table, shards ...string) {
	t.Helper()
	var want []string
	for _, s := range shards {
		for i := range 10 {
			want = append(want, fmt.Sprintf("%s-%d", s, i))
		}
	}
	slices.Sort(want)
	if got := sound(t, tab); !slices.Equal(got, want) {
		t.Errorf("rows are %v, want %v", got, want)
	}
}

// files lists what lies in the table's directory and in its own one.
func files(t testing.TB, tab *Table) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.parquet", "_textmill" + "/*"} {
		m, err := filepath.Glob(filepath.Join(tab.Path(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m...)
	}
	return out
}
