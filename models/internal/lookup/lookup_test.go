package lookup_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/ground/places"
	"textmill/internal/golden"
	"textmill/models/internal/graph"
	"textmill/models/internal/lookup"
	"textmill/models/internal/onnx"
)

const rows, dim = 7, 32

// run has ONNX Runtime look up every token.
func run(t *testing.T, path string) []float32 {
	t.Helper()
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Load(places.Library(home)); err != nil {
		t.Fatal(err)
	}
	s, err := onnx.Open(path, []string{"input_ids"}, []string{"rows"}, onnx.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Destroy(); err != nil {
			t.Error(err)
		}
	}()
	ids, err := ort.NewTensor(ort.NewShape(rows), []int64{0, 1, 2, 3, 4, 5, 6})
	if err != nil {
		t.Fatal(err)
	}
	out, err := ort.NewEmptyTensor[float32](ort.NewShape(rows, dim))
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Run(t.Context(), s, []ort.Value{ids}, []ort.Value{out}); err != nil {
		t.Fatal(err)
	}
	got := out.GetData()
	if err := onnx.Destroy(ids, out); err != nil {
		t.Fatal(err)
	}
	return got
}

func gather(table, ids, out string) node {
	return node{op: "Gather", inputs: []string{table, ids}, outputs: []string{out}}
}

func blocked(bits, size int64, inputs ...string) node {
	return node{op: "GatherBlockQuantized", domain: "com.microsoft", inputs: inputs, outputs: []string{"rows"},
		ints: map[string]int64{"bits": bits, "block_size": size, "gather_axis": 0, "quantize_axis": 1}}
}

func int64s(all ...int64) (b []byte) {
	for _, v := range all {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func of(name string, typ int32, raw []byte, dims ...int64) tensor {
	return tensor{name: name, typ: typ, dims: dims, raw: raw}
}

// TestRowsAreWhatONNXRuntimeLooksUp holds every form of a table to the library that runs it.
func TestRowsAreWhatONNXRuntimeLooksUp(t *testing.T) {
	external := of("w", graph.Float32, floats(rows*dim), rows, dim)
	external.external = "weights.data"
	zero, zeros := of("z", graph.Uint8, random8(1)), of("z", graph.Int8, make([]byte, rows), rows)
	zero.spelled, zeros.spelled = true, true
	scaled := func(inputs ...string) node {
		return node{op: "DequantizeLinear", inputs: inputs, outputs: []string{"rows"}, ints: map[string]int64{}}
	}
	byRow := node{op: "DequantizeLinear", inputs: []string{"w", "s", "z"}, outputs: []string{"t"}, ints: map[string]int64{"axis": 0}}
	cast := node{op: "Cast", inputs: []string{"h"}, outputs: []string{"rows"}, ints: map[string]int64{"to": graph.Float32}}
	// What ONNX Runtime's optimizer makes of a BERT's three lookups. Its third output is their sum: here of the tokens alone.
	fused := []node{{op: "Cast", inputs: []string{"input_ids"}, outputs: []string{"i"}, ints: map[string]int64{"to": graph.Int32}},
		{op: "Unsqueeze", inputs: []string{"i", "axes"}, outputs: []string{"batch"}},
		{op: "EmbedLayerNormalization", domain: "com.microsoft", inputs: []string{"batch", "", "w", "positions", "", "norm", "norm"}, outputs: []string{"out", "mask", "sum"}},
		{op: "Reshape", inputs: []string{"sum", "shape"}, outputs: []string{"rows"}}}
	for _, c := range []struct {
		name    string
		nodes   []node
		tensors []tensor
		storage string
	}{
		{"floats, fused with positions and a norm", fused, []tensor{of("w", graph.Float32, floats(rows*dim), rows, dim), of("positions", graph.Float32, make([]byte, 4*rows*dim), rows, dim),
			of("norm", graph.Float32, floats(dim), dim), of("axes", graph.Int64, int64s(0), 1), of("shape", graph.Int64, int64s(rows, dim), 2)}, "float32"},
		{"floats", []node{gather("w", "input_ids", "rows")}, []tensor{of("w", graph.Float32, floats(rows*dim), rows, dim)}, "float32"},
		{"floats outside, after an Identity of the ids", []node{{op: "Identity", inputs: []string{"input_ids"}, outputs: []string{"i"}}, gather("w", "i", "rows")}, []tensor{external}, "float32"},
		{"floats, of some of the ids", []node{gather("input_ids", "some", "i"), gather("w", "i", "rows")},
			[]tensor{of("some", graph.Int64, int64s(0, 1, 2, 3, 4, 5, 6), rows), of("w", graph.Float32, floats(rows*dim), rows, dim)}, "float32"},
		{"float16", []node{gather("w", "input_ids", "h"), cast}, []tensor{of("w", graph.Float16, halves(rows*dim), rows, dim)}, "float16"},
		{"bfloat16", []node{gather("w", "input_ids", "h"), cast}, []tensor{of("w", graph.BFloat16, halves(rows*dim), rows, dim)}, "bfloat16"},
		{"uint8 scaled afterwards", []node{gather("w", "input_ids", "q"), scaled("q", "s", "z")},
			[]tensor{of("w", graph.Uint8, random8(rows*dim), rows, dim), of("s", graph.Float32, floats(1)), zero}, "int8"},
		{"int8 scaled by row before", []node{byRow, gather("t", "input_ids", "rows")},
			[]tensor{of("w", graph.Int8, random8(rows*dim), rows, dim), of("s", graph.Float32, floats(rows), rows), zeros}, "int8"},
		{"blocks of 8 bits", []node{blocked(8, 16, "w", "input_ids", "s")},
			[]tensor{of("w", graph.Uint8, random8(rows*dim), rows, dim), of("s", graph.Float32, floats(rows*2), rows, 2)}, "int8 in blocks of 16"},
		{"blocks of 4 bits in bytes", []node{blocked(4, 16, "w", "input_ids", "s")},
			[]tensor{of("w", graph.Uint8, random8(rows*dim/2), rows, dim/2), of("s", graph.Float32, floats(rows*2), rows, 2)}, "int4 in blocks of 16"},
		{"blocks of 4 bits in bytes with zeros that fill up a byte", []node{blocked(4, 32, "w", "input_ids", "s", "z")},
			[]tensor{of("w", graph.Uint8, random8(rows*dim/2), rows, dim/2), of("s", graph.Float32, floats(rows), rows, 1), of("z", graph.Uint8, random8(rows), rows, 1)}, "int4 in blocks of 32"},
		{"blocks of int4", []node{blocked(4, 16, "w", "input_ids", "s")},
			[]tensor{of("w", graph.Int4, random8(rows*dim/2), rows, dim), of("s", graph.Float32, floats(rows*2), rows, 2)}, "int4 in blocks of 16"},
		{"blocks of uint4 with zeros", []node{blocked(4, 16, "w", "input_ids", "s", "z")},
			[]tensor{of("w", graph.Uint4, random8(rows*dim/2), rows, dim), of("s", graph.Float32, floats(rows*2), rows, 2), of("z", graph.Uint4, random8(rows), rows, 2)}, "int4 in blocks of 16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.nodes, c.tensors)
			table, err := lookup.Find(path, "input_ids")
			if err != nil {
				t.Fatal(err)
			}
			defer table.Close()
			if table.Name != "w" || table.Rows != rows || table.Dim != dim || table.Storage != c.storage {
				t.Errorf("%s of [%d %d] stored as %s", table.Name, table.Rows, table.Dim, table.Storage)
			}
			compare(t, table, run(t, path))
		})
	}
}

// TestFusedBERT reads the table of a graph that ONNX Runtime's optimizer fused, which testdata/fused.py makes of tiny/bert.
func TestFusedBERT(t *testing.T) {
	table, err := lookup.Find("testdata/fused.onnx", "input_ids")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	want := golden.Values[[][]float32](t, "testdata/fused.json.gz")[0]
	if table.Rows != len(want) || table.Dim != len(want[0]) || table.Storage != "float32" {
		t.Errorf("%s of [%d %d] stored as %s, torch has [%d %d]", table.Name, table.Rows, table.Dim, table.Storage, len(want), len(want[0]))
	}
	for id, row := range want {
		if got, err := table.Row(int32(id)); err != nil || !slices.Equal(got, row) {
			t.Errorf("row %d: %v, %v; torch has %v", id, got, err, row)
		}
	}
}

// TestBlocksWithLowestValues is the form that textmill writes for 4 bits: what the graph looks up in two steps is known by name.
func TestBlocksWithLowestValues(t *testing.T) {
	scale := blocked(4, dim, "w", "input_ids", "s")
	scale.outputs = []string{"scaled"}
	path := write(t, []node{scale, gather("l", "input_ids", "low"), {op: "Add", inputs: []string{"scaled", "low"}, outputs: []string{"rows"}}},
		[]tensor{of("w", graph.Uint8, random8(rows*dim/2), rows, dim/2), of("s", graph.Float32, floats(rows), rows, 1), of("l", graph.Float32, floats(rows), rows, 1)})
	table, err := lookup.Open(path, "w", &lookup.Blocks{Scale: "s", Low: "l", Bits: 4, Size: dim, Zero: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	compare(t, table, run(t, path))
}

func compare(t *testing.T, table *lookup.Table, want []float32) {
	t.Helper()
	for id := range rows {
		row, err := table.Row(int32(id))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range row {
			if v != want[id*dim+i] {
				t.Fatalf("row %d, value %d: %v, ONNX Runtime has %v", id, i, v, want[id*dim+i])
			}
		}
	}
	for _, id := range []int32{-1, rows} {
		if _, err := table.Row(id); !errors.Is(err, lookup.ErrTable) {
			t.Errorf("row %d: %v", id, err)
		}
	}
}

func TestTablesThatCannotBeRead(t *testing.T) {
	w := of("w", graph.Float32, floats(rows*dim), rows, dim)
	outside, short := w, w
	outside.external, short.raw = "../weights.data", w.raw[:100]
	for name, c := range map[string]struct {
		nodes   []node
		tensors []tensor
		want    string
	}{
		"no lookup":               {[]node{{op: "Identity", inputs: []string{"input_ids"}, outputs: []string{"rows"}}}, []tensor{w}, "nothing in the graph looks up"},
		"a computed matrix":       {[]node{{op: "Add", inputs: []string{"w", "w"}, outputs: []string{"v"}}, gather("v", "input_ids", "rows")}, []tensor{w}, "is computed"},
		"weights elsewhere":       {[]node{gather("w", "input_ids", "rows")}, []tensor{outside}, "outside of the model's folder"},
		"too few bytes":           {[]node{gather("w", "input_ids", "rows")}, []tensor{short}, "needs 896 bytes"},
		"integers alone":          {[]node{gather("w", "input_ids", "rows")}, []tensor{of("w", graph.Uint8, random8(rows*dim), rows, dim)}, "nothing scales it"},
		"too few scales":          {[]node{blocked(8, 16, "w", "input_ids", "s")}, []tensor{of("w", graph.Uint8, random8(rows*dim), rows, dim), of("s", graph.Float32, floats(3), 3)}, "does not fit"},
		"integers of 64 bits":     {[]node{gather("w", "input_ids", "rows")}, []tensor{of("w", graph.Int64, random8(8*rows*dim), rows, dim)}, "nothing scales it"},
		"blocks in 64 bits":       {[]node{blocked(8, 16, "w", "input_ids", "s")}, []tensor{of("w", graph.Int64, random8(8*rows*dim), rows, dim)}, "not stored in a form"},
		"more than a matrix":      {[]node{gather("w", "input_ids", "rows")}, []tensor{of("w", graph.Float32, floats(rows*dim), rows, dim, 1)}, "no matrix"},
		"a matrix that is cyclic": {[]node{{op: "Cast", inputs: []string{"v"}, outputs: []string{"v"}}, gather("v", "input_ids", "rows")}, nil, "is computed"},
	} {
		table, err := lookup.Find(write(t, c.nodes, c.tensors), "input_ids")
		if !errors.Is(err, lookup.ErrTable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", name, table, err, c.want)
		}
	}
}

// FuzzFind feeds damaged models: whatever a table claims, its rows are in the file or an error.
func FuzzFind(f *testing.F) {
	f.Add(model([]node{gather("w", "input_ids", "rows")}, []tensor{of("w", graph.Float32, floats(4), 2, 2)}))
	f.Add(model([]node{blocked(4, 16, "w", "input_ids", "s", "z")}, []tensor{of("w", graph.Uint8, random8(32), 2, 16),
		of("s", graph.Float16, halves(4), 2, 2), of("z", graph.Uint8, random8(2), 2, 1)}))
	f.Add(model([]node{{op: "DequantizeLinear", inputs: []string{"w", "s", "z"}, outputs: []string{"t"}, ints: map[string]int64{"axis": 0}}, gather("t", "input_ids", "rows")},
		[]tensor{of("w", graph.Int8, random8(4), 2, 2), of("s", graph.Float32, floats(2), 2), of("z", graph.Int4, random8(1), 2)}))
	zero := of("z", graph.Uint8, []byte{200})
	zero.spelled = true
	f.Add(model([]node{gather("w", "input_ids", "q"), {op: "DequantizeLinear", inputs: []string{"q", "s", "z"}, outputs: []string{"rows"}}},
		[]tensor{of("w", graph.Uint8, random8(4), 2, 2), of("s", graph.Float32, floats(1)), zero}))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "model.onnx")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := lookup.Find(path, "input_ids")
		if err != nil {
			return
		}
		defer table.Close()
		for _, id := range []int{0, table.Rows / 2, table.Rows - 1} {
			row, err := table.Row(int32(id))
			if err == nil && len(row) != table.Dim {
				t.Errorf("row %d has %d of %d values", id, len(row), table.Dim)
			}
		}
	})
}
