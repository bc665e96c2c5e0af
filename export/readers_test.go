package export

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/internal/foreign"
)

// readsOn reads a table again and again, in turn by delta-rs, Polars and DuckDB, until its input ends. Records that are
// always there must be there once each, and no record twice.
const readsOn = `
import sys, glob, os, collections, threading
import deltalake, polars as pl, duckdb, duckdb_extension_delta
path, keep = sys.argv[1], set(sys.argv[2].split(","))
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
ext = glob.glob(os.path.dirname(duckdb_extension_delta.__file__) + "/**/delta.duckdb_extension", recursive=True)[0]
c = duckdb.connect(config={"allow_unsigned_extensions": "true"})
c.execute("SET enable_progress_bar = false") # it would go where the answer goes
c.execute("LOAD '%s'" % ext)
readers = {
  "delta-rs": lambda: zip(*deltalake.DeltaTable(path).to_pyarrow_table(columns=["record_id", "text"]).to_pydict().values()),
  "polars": lambda: pl.read_delta(path, columns=["record_id", "text"]).rows(),
  "duckdb": lambda: c.execute("select record_id, text from delta_scan(?)", [path]).fetchall(),
}
reads = 0
print("ready", flush=True)
while not over.is_set():
  for name, read in readers.items():
    seen = collections.Counter()
    for i, text in read():
      seen[i] += 1
      assert not i.startswith("pair") or text in ("old", "new"), (name, i, text)
    assert max(seen.values()) == 1, (name, seen.most_common(3))
    assert keep <= set(seen), (name, keep - set(seen))
    texts = {text for i, text in read() if i.startswith("pair")}
    assert len(texts) == 1, (name, "a mixture", texts)
    reads += 1
print(reads, flush=True)
`

// While rows are appended, deleted, replaced and compacted, readers see no error, no row twice, none missing, and of
// rows that are replaced together all or none. TEXTMILL_TEST_READERS=10m has it go on for so long.
func TestReadersSeeOneStateOrTheOther(t *testing.T) {
	length := 6 * time.Second
	if s := os.Getenv("TEXTMILL_TEST_READERS"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	put(t, tab, "keep")
	keep := idsOf("keep", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	pairs := []string{"pair-a", "pair-b", "pair-c"}
	replacePairs := func(tab *Table, text string) error {
		_, err := tab.Rewrite(t.Context(), Rewrite{
			Operation: "MERGE", Take: Selection{Records: OfRecords("", pairs...)},
			Put: func(_ context.Context, put func([]Row) error) error {
				rows := sample("x", len(pairs))
				for i := range rows {
					rows[i].RecordID, rows[i].Text = pairs[i], Some(text)
				}
				return put(rows)
			},
		})
		return err
	}
	if err := replacePairs(tab, "old"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), foreign.Interpreter(t), "-c", readsOn, tab.Path(), strings.Join(keep, ","))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	if !said.Scan() || said.Text() != "ready" {
		t.Fatalf("the readers did not begin: %q, %v", said.Text(), cmd.Wait())
	}
	end := time.Now().Add(length)
	var work sync.WaitGroup
	var mu sync.Mutex
	var appended, deleted []string
	each := func(do func(tab *Table, n int)) {
		work.Go(func() {
			tab := table(t, openStore(t, dir))
			for n := 0; time.Now().Before(end); n++ {
				do(tab, n)
			}
		})
	}
	each(func(tab *Table, n int) {
		shard := fmt.Sprint("s", n)
		put(t, tab, shard)
		mu.Lock()
		appended = append(appended, idsOf(shard, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)...)
		mu.Unlock()
	})
	each(func(tab *Table, n int) { // in the end the first three rows of each shard but the last ones are gone
		mu.Lock()
		shards := len(appended) / 10
		mu.Unlock()
		if shards == 0 {
			put(t, tab, "s0")
			return
		}
		some := idsOf(fmt.Sprint("s", n%shards), 0, 1, 2)
		rewrite(t, tab, deletes(some...))
		mu.Lock()
		deleted = append(deleted, some...)
		mu.Unlock()
	})
	each(func(tab *Table, _ int) { compact(t, tab) })
	each(func(tab *Table, n int) {
		if err := replacePairs(tab, []string{"new", "old"}[n%2]); err != nil {
			t.Error(err)
		}
	})
	work.Wait()
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if said.Scan() {
		t.Logf("%s reads while %d rows came and %d went", said.Text(), len(appended), len(deleted))
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the readers: %v", err)
	}
	want := slices.Concat(keep, pairs)
	for _, id := range appended {
		if !slices.Contains(deleted, id) {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	if got := sound(t, tab); !slices.Equal(got, want) {
		t.Errorf("%d rows are left, want %d", len(got), len(want))
	}
}
