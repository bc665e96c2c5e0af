// Package graph reads what an ONNX file says about itself without loading its weights.
package graph

import (
	"fmt"
	"slices"

	"textmill/ground/regular"
)

// Element types of ONNX tensors that the callers tell apart (TensorProto.DataType).
const (
	Float32  = 1
	Uint8    = 2
	Int8     = 3
	Int32    = 6
	Int64    = 7
	Bool     = 9
	Float16  = 10
	BFloat16 = 16
	Uint4    = 21
	Int4     = 22
)

// A Value is an input or an output of the graph.
type Value struct {
	Name string
	Type int32 // element type
	// Dims holds fixed sizes; -1 stands for a size that is only known when the model runs.
	Dims []int64
	// Params holds the names of sizes that are not fixed, "" for those without a name.
	Params []string
}

// A Graph is the outside of a model: what goes in, what comes out, which operators run and which files hold weights.
type Graph struct {
	Inputs, Outputs []Value
	// Operators holds each operator's name once, sorted, those of nested graphs and local functions included.
	Operators []string
	// External holds the paths of external weight files as the model spells them, each once, relative to the model's
	// folder.
	External []string
	// Weights counts the elements of initializers by element type.
	Weights map[int32]int64
	// Says holds what the file says of itself beside the graph, by its keys.
	Says map[string]string

	// Nodes and Tensors are there after ReadNodes only, those of nested graphs included. Nodes stand in the order in
	// which they run; Tensors holds initializers and constants by their names, an outer graph's before a nested one's.
	Nodes   []Node
	Tensors map[string]Tensor
}

// A Node is one operator with the names of the values that go in and come out.
type Node struct {
	Op              string
	Inputs, Outputs []string
	Ints            map[string]int64 // attributes that are one integer
}

// A Tensor says where the values of an initializer lie: Length bytes at Offset of the model file, or of the external
// File.
type Tensor struct {
	Name string
	Type int32
	Dims []int64
	// File is relative to the model's folder, "" for the model file itself.
	File           string
	Offset, Length int64
	// Raw tells that the values lie there one after the other, little-endian.
	Raw bool
	// Spelled are values that stand as numbers instead, if they take no more than a mebibyte.
	Spelled []int32
}

// Has tells whether an operator of that name runs anywhere in the graph.
func (g *Graph) Has(operator string) bool {
	_, ok := slices.BinarySearch(g.Operators, operator)
	return ok
}

// Read scans the ONNX file at path. It reads structure only and skips over weights, so that its cost does not depend
// on their size. A file that ends too early, or is no ONNX model, is an error that says so.
func Read(path string) (*Graph, error) { return readFile(path, false) }

// ReadNodes is Read with what the graph is made of.
func ReadNodes(path string) (*Graph, error) { return readFile(path, true) }

func readFile(path string, nodes bool) (*Graph, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := newScanner(f, st.Size())
	s.nodes = nodes
	if err := s.model(); err != nil {
		return nil, fmt.Errorf("read ONNX model %s (%d bytes): %w", path, st.Size(), err)
	}
	return s.finish(), nil
}
