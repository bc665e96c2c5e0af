package tiny

import (
	"bytes"
	"os"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// packedOperator is the one of a graph of packed texts that ONNX Runtime has for cards only. It is as long as padded,
// so that a model can be changed in place.
const (
	packedOperator = "PackedMultiHeadAttention"
	padded         = "PaddedMultiHeadAttention"
)

// OnProcessor has processors run a graph of packed texts: it gives the operator that they lack a function of operators
// that they have, which pads, and leaves all else as it is. Text i is what the cumulative lengths say, token j of it
// what token_offset says; where the two disagree vectors are wrong.
func OnProcessor(t testing.TB, path string) {
	t.Helper()
	model, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(model, []byte(packedOperator)) {
		t.Fatalf("%s holds no %s", path, packedOperator)
	}
	model = bytes.ReplaceAll(model, []byte(packedOperator), []byte(padded))
	model = append(model, bytesField(25, paddedFunction())...) // a further field of the ModelProto
	if err := os.WriteFile(path, model, 0o644); err != nil {
		t.Fatal(err)
	}
}

// paddedFunction is the operator by its documentation: rows go to where token_offset says in batch × sequence,
// attention there sees of each text as many tokens as it has, and the rows come back.
func paddedFunction() (f []byte) {
	text := func(n protowire.Number, values ...string) {
		for _, v := range values {
			f = append(f, textField(n, v)...)
		}
	}
	text(1, padded)
	text(4, "query", "key", "value", "bias", "token_offset", "cumulative", "attention_bias")
	text(5, "output")
	text(6, "num_heads")
	text(10, "com.microsoft")
	for domain, version := range map[string]int64{"": 21, "com.microsoft": 1} {
		f = append(f, bytesField(9, message(textField(1, domain), intField(2, version)))...)
	}
	nodes := layoutNodes()
	for _, v := range []string{"query", "key", "value"} {
		nodes = append(nodes, node("ScatterND", []string{"blank", "rows", v}, []string{v + "_flat"}),
			node("Reshape", []string{v + "_flat", "full_shape"}, []string{v + "_padded"}))
	}
	heads := message(textField(1, "num_heads"), intField(20, 2), textField(21, "num_heads")) // the function's own
	attention := inner(node("MultiHeadAttention", []string{"query_padded", "key_padded", "value_padded", "", "mask",
		"attention_bias"}, []string{"attended"}, heads))
	f = append(f, functionNodes(nodes...)...)
	f = append(f, bytesField(7, append(attention, textField(7, "com.microsoft")...))...)
	return append(f, functionNodes(node("Reshape", []string{"attended", "flat_shape"}, []string{"flat"}),
		node("Gather", []string{"flat", "places"}, []string{"output"}))...)
}

// layoutNodes are of the function: where tokens go, and which of the places there hold one.
func layoutNodes() [][]byte {
	ints := func(v int64) []byte { return message(textField(1, "value_ints"), intField(8, v), intField(20, 7)) }
	one := func(name string, v int64) []byte { return message(textField(1, name), intField(3, v), intField(20, 2)) }
	const elemInt32, elemInt64 = 6, 7
	return [][]byte{
		node("Constant", nil, []string{"zero"}, ints(0)),
		node("Constant", nil, []string{"one"}, ints(1)),
		node("Constant", nil, []string{"last"}, ints(-1)),
		node("Constant", nil, []string{"end"}, ints(1<<40)),
		node("Constant", nil, []string{"from"}, one("value_int", 0)),
		node("Constant", nil, []string{"step"}, one("value_int", 1)),
		node("Shape", []string{"query"}, []string{"tokens"}, one("start", 0), one("end", 1)),
		node("Shape", []string{"query"}, []string{"hidden"}, one("start", 1), one("end", 2)),
		node("Shape", []string{"token_offset"}, []string{"padded_shape"}),
		node("Gather", []string{"padded_shape", "step"}, []string{"sequence"}),
		node("ReduceProd", []string{"padded_shape"}, []string{"slots"}),
		node("Concat", []string{"slots", "hidden"}, []string{"flat_shape"}, one("axis", 0)),
		node("Concat", []string{"padded_shape", "hidden"}, []string{"full_shape"}, one("axis", 0)),
		node("Reshape", []string{"token_offset", "last"}, []string{"offsets_32"}),
		node("Cast", []string{"offsets_32"}, []string{"offsets"}, one("to", elemInt64)),
		node("Slice", []string{"offsets", "zero", "tokens"}, []string{"places"}),
		node("Unsqueeze", []string{"places", "one"}, []string{"rows"}),
		node("ConstantOfShape", []string{"flat_shape"}, []string{"blank_32"}),
		node("CastLike", []string{"blank_32", "query"}, []string{"blank"}),
		node("Slice", []string{"cumulative", "zero", "last"}, []string{"begins"}),
		node("Slice", []string{"cumulative", "one", "end"}, []string{"ends"}),
		node("Sub", []string{"ends", "begins"}, []string{"lengths_1"}),
		node("Unsqueeze", []string{"lengths_1", "one"}, []string{"lengths"}),
		node("Range", []string{"from", "sequence", "step"}, []string{"along_64"}),
		node("Cast", []string{"along_64"}, []string{"along"}, one("to", elemInt32)),
		node("Less", []string{"along", "lengths"}, []string{"within"}),
		node("Cast", []string{"within"}, []string{"mask"}, one("to", elemInt32)),
	}
}

// functionNodes are nodes of a graph as those of a function.
func functionNodes(nodes ...[]byte) (f []byte) {
	for _, n := range nodes {
		f = append(f, bytesField(7, inner(n))...)
	}
	return f
}

// inner is what a field holds.
func inner(field []byte) []byte {
	_, _, tag := protowire.ConsumeTag(field)
	b, _ := protowire.ConsumeBytes(field[tag:])
	return b
}
