// Package onnxgraph writes ONNX models node by node, their weights beside them.
package onnxgraph

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"textmill/ground/durable"
)

// An Elem is the type of a tensor's elements.
type Elem int32

// ONNX's element types.
const (
	Float32  Elem = 1
	Uint8    Elem = 2
	Int8     Elem = 3
	Int32    Elem = 6
	Int64    Elem = 7
	Float16  Elem = 10
	Float64  Elem = 11
	BFloat16 Elem = 16
)

// Size is what a value takes in bytes.
func (e Elem) Size() int64 {
	switch e {
	case Uint8, Int8:
		return 1
	case Float16, BFloat16:
		return 2
	case Int64, Float64:
		return 8
	}
	return 4
}

// An Op is an operator: of ONNX itself when Domain is empty.
type Op struct{ Domain, Name string }

// ONNX is one of the standard's operators; Contrib is one of ONNX Runtime's own.
func ONNX(name string) Op    { return Op{"", name} }
func Contrib(name string) Op { return Op{"com.microsoft", name} }

const (
	irVersion = 10
	opset     = 21
)

// A Graph grows in the order in which its nodes run. Values are named by strings; "" stands for an absent optional
// input.
type Graph struct {
	name         string
	nodes        []byte // encoded fields of the GraphProto
	initializers []byte
	inputs       []byte
	outputs      []byte
	values       int
	tensors      map[string]bool
	said         []byte // encoded fields of the ModelProto
}

// New begins a graph.
func New(name string) *Graph { return &Graph{name: name, tensors: map[string]bool{}} }

// Say has the model file say something of itself, for those who read its metadata.
func (g *Graph) Say(key, value string) { g.said = field(g.said, 14, text(text(nil, 1, key), 2, value)) }

// Input declares what the caller feeds. A dimension is an int, or a string that names a size known only when the model
// runs.
func (g *Graph) Input(name string, elem Elem, dims ...any) string {
	g.inputs = field(g.inputs, 11, valueInfo(name, elem, dims))
	return name
}

// Output declares what the caller gets; a node must produce a value of that name.
func (g *Graph) Output(name string, elem Elem, dims ...any) {
	g.outputs = field(g.outputs, 12, valueInfo(name, elem, dims))
}

// Node adds a node of one output and returns that output's name.
func (g *Graph) Node(op Op, inputs []string, attrs ...Attr) string {
	g.values++
	out := fmt.Sprintf("%s_%d", op.Name, g.values)
	g.NodeTo([]string{out}, op, inputs, attrs...)
	return out
}

// NodeTo adds a node with named outputs; "" leaves an optional one out.
func (g *Graph) NodeTo(outputs []string, op Op, inputs []string, attrs ...Attr) {
	var n []byte
	for _, in := range inputs {
		n = text(n, 1, in)
	}
	for _, out := range outputs {
		n = text(n, 2, out)
	}
	for _, out := range outputs {
		if out != "" {
			n = text(n, 3, "/"+out)
			break
		}
	}
	n = text(n, 4, op.Name)
	for _, a := range attrs {
		n = field(n, 5, a.encoded)
	}
	if op.Domain != "" {
		n = text(n, 7, op.Domain)
	}
	g.nodes = field(g.nodes, 1, n)
}

// Tensor makes a stored tensor known to the graph, once however often it is called, and returns its name.
func (g *Graph) Tensor(s Stored) string {
	if !g.tensors[s.Name] {
		g.tensors[s.Name] = true
		g.initializers = field(g.initializers, 5, s.encode())
	}
	return s.Name
}

// Ints is a small constant vector. Equal names mean equal values.
func (g *Graph) Ints(name string, values ...int64) string {
	return g.Tensor(inline(name, Int64, []int{len(values)}, int64Bytes(values)))
}

// Scalar is a small constant number.
func (g *Graph) Scalar(name string, value int64) string {
	return g.Tensor(inline(name, Int64, nil, int64Bytes([]int64{value})))
}

// Floats is a small constant vector, like Ints.
func (g *Graph) Floats(name string, values ...float32) string {
	return g.Tensor(inline(name, Float32, []int{len(values)}, floatBytes(values)))
}

// WriteFile writes the model to a file at path, durably.
func (g *Graph) WriteFile(path string) error { return durable.Write(path, g.encode(), 0o644) }

func (g *Graph) encode() []byte {
	var body []byte
	body = append(body, g.nodes...)
	body = text(body, 2, g.name)
	body = append(body, g.initializers...)
	body = append(body, g.inputs...)
	body = append(body, g.outputs...)
	var m []byte
	m = number(m, 1, irVersion)
	m = text(m, 2, "textmill")
	m = field(m, 7, body)
	m = field(m, 8, operatorSet("", opset))
	return append(field(m, 8, operatorSet("com.microsoft", 1)), g.said...)
}

func operatorSet(domain string, version uint64) []byte {
	var b []byte
	b = text(b, 1, domain)
	return number(b, 2, version)
}

// valueInfo of no dims leaves it open how many there are.
func valueInfo(name string, elem Elem, dims []any) []byte {
	var shape []byte
	for _, d := range dims {
		var dim []byte
		switch d := d.(type) {
		case string:
			dim = text(dim, 2, d)
		case int:
			dim = number(dim, 1, uint64(d))
		default:
			panic(fmt.Sprintf("dimension %v of %s is a %T", d, name, d))
		}
		shape = field(shape, 1, dim)
	}
	var tensor []byte
	tensor = number(tensor, 1, uint64(elem))
	if dims != nil {
		tensor = field(tensor, 2, shape)
	}
	var v []byte
	v = text(v, 1, name)
	return field(v, 2, field(nil, 1, tensor))
}

func number(b []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func text(b []byte, num protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func field(b []byte, num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}
