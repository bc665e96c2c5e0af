package parquetin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

const writeTypes = `
import sys, datetime as dt, decimal, pyarrow as pa, pyarrow.parquet as pq
n = 3000
def col(f): return [None if i % 7 == 3 else f(i) for i in range(n)]
t = pa.table({
  "id": pa.array([f"r{i}" for i in range(n)]),
  "text": pa.array(col(lambda i: "text é中 %d " % i + "x" * (i % 50))),
  "lang": pa.array(col(lambda i: ["en", "de"][i % 2])).dictionary_encode(),
  "i8": pa.array(col(lambda i: i % 100 - 50), pa.int8()),
  "u32": pa.array(col(lambda i: 4000000000 + i), pa.uint32()),
  "u64": pa.array(col(lambda i: 2**63 + i), pa.uint64()),
  "i64": pa.array(col(lambda i: -i * 10**12), pa.int64()),
  "f32": pa.array(col(lambda i: i / 8), pa.float32()),
  "f64": pa.array(col(lambda i: i * 1e-9), pa.float64()),
  "b": pa.array(col(lambda i: i % 3 == 0)),
  "d": pa.array(col(lambda i: dt.date(1960, 1, 1) + dt.timedelta(days=i))),
  "ts": pa.array(col(lambda i: -10**12 + i * 1234567), pa.timestamp("us", "UTC")),
  "tsn": pa.array(col(lambda i: i * 1234567891), pa.timestamp("ns")),
  "tm": pa.array(col(lambda i: i * 1001), pa.time32("ms")),
  "dec": pa.array(col(lambda i: decimal.Decimal(i - 1500) / 1000), pa.decimal128(10, 3)),
  "null": pa.nulls(n),
})
want = {c: [None if v is None else str(v) for v in t[c].to_pylist()]
  for c in ["id", "text", "lang", "i8", "u32", "u64", "i64"]}
for k, kw in {"v1": dict(compression="snappy"), "v2": dict(compression="zstd", data_page_version="2.0"),
    "gz": dict(compression="gzip", use_dictionary=False, data_page_size=4096),
    "old": dict(compression=None, use_deprecated_int96_timestamps=True)}.items():
  pq.write_table(t, f"{sys.argv[1]}/{k}.parquet", row_group_size=1000, **kw)
nested = pa.table({"id": ["a"], "tags": [["x"]], "who": [{"name": "n"}]})
pq.write_table(nested, f"{sys.argv[1]}/nested.parquet")
import json
json.dump(want, open(f"{sys.argv[1]}/want.json", "w"))
`

func open(t *testing.T, path string) *File {
	t.Helper()
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	st, err := r.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(r, st.Size(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func column(t *testing.T, f *File, groups []int, name string) []string {
	t.Helper()
	var out []string
	err := f.Read(t.Context(), groups, []string{name}, func(row []Value) error {
		if row[0].Null {
			out = append(out, "<null>")
		} else {
			out = append(out, row[0].Text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReadsWhatOthersWrite(t *testing.T) {
	dir := t.TempDir()
	foreign.Python(t, writeTypes, dir)
	data, err := os.ReadFile(filepath.Join(dir, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]*string
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"v1", "v2", "gz", "old"} {
		t.Run(file, func(t *testing.T) {
			f := open(t, filepath.Join(dir, file+".parquet"))
			if g := f.RowGroups(); len(g) != 3 || g[0] != 1000 {
				t.Fatalf("row groups %v", g)
			}
			for name, values := range want {
				got := column(t, f, nil, name)
				for i, v := range values {
					if w := *or(v, "<null>"); got[i] != w {
						t.Fatalf("%s, row %d: %q, want %q", name, i, got[i], w)
					}
				}
				if part := column(t, f, []int{2, 0}, name); part[0] != got[2000] || part[1000] != got[0] || len(part) != 2000 {
					t.Errorf("%s: row groups 2, 0 begin with %q and %q", name, part[0], part[1000])
				}
			}
			for name, w := range map[string]string{
				"f32": "0.625", "f64": "5e-9", "b": "false", "d": "1960-01-06", "tm": "00:00:05.005", "dec": "-1.495",
				"ts": "1969-12-20T10:13:26.172835Z", "null": "<null>",
			} {
				if got := column(t, f, []int{0}, name)[5]; got != w {
					t.Errorf("%s: %q, want %q", name, got, w)
				}
			}
			if got := column(t, f, []int{0}, "tsn")[5]; strings.TrimSuffix(got, "Z") != "1970-01-01T00:00:06.172839455" {
				t.Errorf("tsn: %q", got)
			}
		})
	}
}

func or(s *string, other string) *string {
	if s == nil {
		return &other
	}
	return s
}

func TestNestedColumnsAreRefusedByName(t *testing.T) {
	dir := t.TempDir()
	foreign.Python(t, writeTypes, dir)
	f := open(t, filepath.Join(dir, "nested.parquet"))
	if got := column(t, f, nil, "id"); len(got) != 1 || got[0] != "a" {
		t.Errorf("id: %v", got)
	}
	for _, columns := range [][]string{nil, {"tags"}, {"who"}, {"absent"}} {
		err := f.Read(t.Context(), nil, columns, func([]Value) error { return nil })
		name := "tags"
		if columns != nil {
			name = columns[0]
		}
		if !errors.Is(err, ErrColumn) || !strings.Contains(err.Error(), name) {
			t.Errorf("columns %v: %v", columns, err)
		}
	}
	if err := f.Read(t.Context(), []int{1}, []string{"id"}, nil); !errors.Is(err, ErrFormat) {
		t.Errorf("row group 1: %v", err)
	}
	stop := errors.New("stop")
	if err := f.Read(t.Context(), nil, []string{"id"}, func([]Value) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the caller's error came back as %v", err)
	}
}

// A file with one row group far larger than what may be held is read in a few megabytes.
func TestMemoryStaysFlat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.parquet")
	foreign.Python(t, `
import sys, numpy as np, pyarrow as pa, pyarrow.parquet as pq
rng = np.random.default_rng(1)
w = pq.ParquetWriter(sys.argv[1], pa.schema([("text", pa.string())]), compression="none", use_dictionary=False)
w.write_table(pa.table({"text": [rng.bytes(250).hex() for _ in range(200000)]}), row_group_size=200000)
w.close()`, path)
	f := open(t, path)
	var peak, base runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&base)
	most := uint64(0)
	n := 0
	err := f.Read(t.Context(), nil, nil, func([]Value) error {
		if n++; n%20000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&peak)
			most = max(most, peak.HeapAlloc)
		}
		return nil
	})
	if err != nil || n != 200000 {
		t.Fatal(n, err)
	}
	if grown := int64(most) - int64(base.HeapAlloc); grown > 16<<20 {
		t.Errorf("reading 100 MB took %d MiB", grown>>20)
	}
}

func TestPagesThatExpandAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb.parquet")
	foreign.Python(t, `
import sys, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({"text": ["0" * (40 << 20)]}), sys.argv[1], compression="zstd", use_dictionary=False)`, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(bytes.NewReader(data), int64(len(data)), 32<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Read(t.Context(), nil, nil, func([]Value) error { return nil }); !errors.Is(err, ErrFormat) {
		t.Errorf("a page of 40 MiB under a limit of 32: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"small.parquet", "nested.parquet"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rows := 0
		for _, c := range file.Columns() {
			_ = file.Read(ctx, nil, []string{c.Name}, func([]Value) error {
				if rows++; rows > 100000 {
					return errors.New("enough")
				}
				return nil
			})
		}
	})
}
