package lookup_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"textmill/models/internal/graph"
)

// node is an operator to write; one with a domain is a contrib operator.
type node struct {
	op, domain      string
	inputs, outputs []string
	ints            map[string]int64
}

// tensor is an initializer to write, in a file of its own if external.
type tensor struct {
	name     string
	typ      int32
	dims     []int64
	raw      []byte
	external string
	spelled  bool // the bytes stand as numbers
}

func field(n protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), bytes.Join(parts, nil))
}

func number(n protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), uint64(v))
}

func text(n protowire.Number, s string) []byte { return field(n, []byte(s)) }

func (n node) encode() (b []byte) {
	for _, in := range n.inputs {
		b = append(b, text(1, in)...)
	}
	for _, out := range n.outputs {
		b = append(b, text(2, out)...)
	}
	b = append(b, text(4, n.op)...)
	for name, v := range n.ints {
		b = append(b, field(5, text(1, name), number(3, v), number(20, 2))...)
	}
	return append(b, text(7, n.domain)...)
}

func (x tensor) encode() (b []byte) {
	for _, d := range x.dims {
		b = append(b, number(1, d)...)
	}
	b = append(b, append(number(2, int64(x.typ)), text(8, x.name)...)...)
	if x.spelled {
		var numbers []byte
		for _, v := range x.raw {
			n := int32(v)
			if x.typ == graph.Int8 {
				n = int32(int8(v))
			}
			numbers = protowire.AppendVarint(numbers, uint64(int64(n)))
		}
		return append(b, field(5, numbers)...)
	}
	if x.external == "" {
		return append(b, field(9, x.raw)...)
	}
	for k, v := range map[string]string{"location": x.external, "offset": "4096", "length": fmt.Sprint(len(x.raw))} {
		b = append(b, field(13, text(1, k), text(2, v))...)
	}
	return append(b, number(14, 1)...)
}

// model is a graph from input_ids to rows.
func model(nodes []node, tensors []tensor) []byte {
	value := func(n protowire.Number, name string, typ int64, dims ...[]byte) []byte {
		return field(n, text(1, name), field(2, field(1, number(1, typ), field(2, dims...))))
	}
	var g []byte
	for _, n := range nodes {
		g = append(g, field(1, n.encode())...)
	}
	g = append(g, text(2, "lookup")...)
	for _, x := range tensors {
		g = append(g, field(5, x.encode())...)
	}
	g = append(g, value(11, "input_ids", graph.Int64, field(1, text(2, "n")))...)
	g = append(g, value(12, "rows", graph.Float32, field(1, text(2, "n")), field(1, text(2, "dim")))...)
	return bytes.Join([][]byte{number(1, 10), field(7, g), field(8, number(2, 21)), field(8, text(1, "com.microsoft"), number(2, 1))}, nil)
}

// write puts a model and its external files into a folder.
func write(t testing.TB, nodes []node, tensors []tensor) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, model(nodes, tensors), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range tensors {
		if x.external != "" && filepath.IsLocal(x.external) {
			if err := os.WriteFile(filepath.Join(dir, x.external), append(make([]byte, 4096), x.raw...), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return path
}

var random = rand.New(rand.NewPCG(3, 5))

func random8(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func floats(n int) []byte {
	b := make([]byte, 0, 4*n)
	for range n {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(random.NormFloat64())))
	}
	return b
}

// halves are finite floats of 16 bits: the exponent's highest bit is off.
func halves(n int) []byte {
	b := random8(2 * n)
	for i := range n {
		b[2*i+1] &^= 0x40
	}
	return b
}
