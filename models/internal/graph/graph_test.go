package graph

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func field(n protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), bytes.Join(parts, nil))
}

func number(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func text(n protowire.Number, s string) []byte { return field(n, []byte(s)) }

// sample is a model with a nested graph, a local function, external weights and an initializer that is listed as an input too.
func sample() []byte {
	inner := field(1, text(4, "Softmax"))
	value := func(n protowire.Number, name string, dims ...[]byte) []byte {
		return field(n, text(1, name), field(2, field(1, number(1, 7), field(2, dims...))))
	}
	weights := field(5, field(1, protowire.AppendVarint(protowire.AppendVarint(nil, 30), 4)), number(2, Float16), text(8, "w"),
		field(13, text(1, "location"), text(2, "model.data")), field(13, text(1, "offset"), text(2, "4096")))
	graph := field(7,
		field(1, text(1, "x"), text(4, "If"), field(5, text(1, "then_branch"), field(6, inner))),
		weights,
		field(5, number(1, 3), number(2, Float32), text(8, "b"), field(9, make([]byte, 1<<17))),
		value(11, "ids", field(1, text(2, "batch")), field(1, number(1, 16)), field(1)),
		value(11, "w"),
		value(12, "out", field(1, text(2, "batch"))),
	)
	return bytes.Join([][]byte{number(1, 8), text(2, "a producer"), graph, field(25, field(7, text(4, "DynamicQuantizeLinear")))}, nil)
}

func read(t *testing.T, data []byte) (*Graph, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return Read(path)
}

func TestRead(t *testing.T) {
	g, err := read(t, sample())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"DynamicQuantizeLinear", "If", "Softmax"}; !slices.Equal(g.Operators, want) {
		t.Errorf("operators %v, want %v", g.Operators, want)
	}
	if !g.Has("Softmax") || g.Has("Soft") {
		t.Error("Has is wrong")
	}
	if len(g.Inputs) != 1 || g.Inputs[0].Name != "ids" || g.Inputs[0].Type != Int64 ||
		!slices.Equal(g.Inputs[0].Dims, []int64{-1, 16, -1}) || !slices.Equal(g.Inputs[0].Params, []string{"batch", "", ""}) {
		t.Errorf("inputs %+v", g.Inputs)
	}
	if len(g.Outputs) != 1 || g.Outputs[0].Name != "out" {
		t.Errorf("outputs %+v", g.Outputs)
	}
	if !slices.Equal(g.External, []string{"model.data"}) || g.Weights[Float16] != 120 || g.Weights[Float32] != 3 {
		t.Errorf("external %v, weights %v", g.External, g.Weights)
	}
}

func TestEveryCutIsAnError(t *testing.T) {
	data := sample()
	whole := len(data) - len(field(25, field(7, text(4, "DynamicQuantizeLinear"))))
	for n := range data {
		if n > 300 && n < whole-300 && n%997 != 0 {
			continue // inside of weights
		}
		_, err := scan(data[:n])
		if n == whole {
			continue // a model without functions
		}
		if !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrNotONNX) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(data), err)
		}
	}
}

func scan(data []byte) (*Graph, error) {
	s := newScanner(bytes.NewReader(data), int64(len(data)))
	s.nodes = true
	if err := s.model(); err != nil {
		return nil, err
	}
	return s.finish(), nil
}

func TestNodesAndTensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, sample(), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := ReadNodes(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) != 2 || g.Nodes[0].Op != "Softmax" || g.Nodes[1].Op != "If" || !slices.Equal(g.Nodes[1].Inputs, []string{"x"}) {
		t.Errorf("nodes %+v", g.Nodes)
	}
	w, b := g.Tensors["w"], g.Tensors["b"]
	if w.File != "model.data" || w.Offset != 4096 || !w.Raw || !slices.Equal(w.Dims, []int64{30, 4}) {
		t.Errorf("w %+v", w)
	}
	if b.File != "" || b.Length != 1<<17 || !bytes.Equal(sample()[b.Offset:b.Offset+b.Length], make([]byte, 1<<17)) {
		t.Errorf("b %+v", b)
	}
	if plain, err := Read(path); err != nil || plain.Nodes != nil || len(plain.Tensors) != 0 {
		t.Errorf("Read keeps nodes: %v, %v", plain, err)
	}
}

func TestNestingIsBounded(t *testing.T) {
	g := field(1, text(4, "Add"))
	for range 100 {
		g = field(1, text(4, "If"), field(5, field(6, g)))
	}
	if _, err := scan(field(7, g)); !errors.Is(err, ErrNotONNX) {
		t.Errorf("%v, want ErrNotONNX", err)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(sample()[:400])
	f.Add([]byte("<html>"))
	f.Add(field(7, field(5, field(1, []byte{0xff}))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if g, err := scan(data); err == nil && g == nil {
			t.Error("no graph and no error")
		}
	})
}
