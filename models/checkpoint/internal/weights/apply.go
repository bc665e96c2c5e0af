package weights

import (
	"fmt"

	"textmill/models/checkpoint/onnxgraph"
)

// Arithmetic is how a graph multiplies with matrices in blocks.
type Arithmetic int

const (
	// Floats multiplies in fp32 with the exact values of the blocks. With blocks of 4 bits ONNX Runtime does that in
	// another order for one row than for several: run at least two rows to have each row's result independent of the
	// others.
	Floats Arithmetic = iota
	// Integers quantizes the activations of each row to 8 bits, block by block, which is faster.
	Integers
)

// A Graph is a graph under construction that knows how to multiply with matrices.
type Graph struct {
	*onnxgraph.Graph
	Arithmetic Arithmetic
	// Values is the type of the numbers that nodes added from now on compute with.
	Values onnxgraph.Elem
	// Rounded, unless 0, is a type that weights are rounded to, and by Round values: what computing with it comes to
	// where nothing computes with it.
	Rounded onnxgraph.Elem

	sums  map[string]string // of an activation's blocks, by its name and the blocks' size
	casts map[string]string // of weights, by what they are cast to and their names
}

// NewGraph begins a graph that computes with fp32.
func NewGraph(name string, a Arithmetic) *Graph {
	return &Graph{Graph: onnxgraph.New(name), Arithmetic: a, Values: onnxgraph.Float32, sums: map[string]string{},
		casts: map[string]string{}}
}

// Weight is a stored tensor of floats as Values. ONNX Runtime casts one that is stored in another type once, when it
// loads the graph, so that graphs of several types share one file of weights.
func (g *Graph) Weight(s onnxgraph.Stored) string {
	return g.convert(g.Tensor(s), s.Elem())
}

// convert gives a constant of that type as Values, rounded as they are.
func (g *Graph) convert(x string, from onnxgraph.Elem) string {
	if from == g.Values && g.Rounded == 0 {
		return x
	}
	key := fmt.Sprint(g.Values, "/", g.Rounded, "/", x)
	if _, ok := g.casts[key]; !ok {
		if g.Rounded != 0 {
			g.casts[key] = g.Round(x)
		} else {
			g.casts[key] = g.Cast(x, g.Values)
		}
	}
	return g.casts[key]
}

// Number is a small constant in Values, a vector of one. Equal names mean equal values in one type.
func (g *Graph) Number(name string, value float32) string {
	if g.Values != onnxgraph.Float32 {
		name += fmt.Sprint("_", g.Values)
	}
	return g.convert(g.Floats(name, value), onnxgraph.Float32)
}

// Round gives a value as Rounded has it.
func (g *Graph) Round(x string) string {
	if g.Rounded == 0 {
		return x
	}
	return g.Cast(g.Cast(x, g.Rounded), g.Values)
}

// Cast gives a value another type.
func (g *Graph) Cast(x string, to onnxgraph.Elem) string {
	return g.Node(onnxgraph.ONNX("Cast"), []string{x}, onnxgraph.Int("to", int(to)))
}

// Linear multiplies rows of x, a value of [rows, Width], with the matrix; bias is "" or the name of a vector of Rows.
func (g *Graph) Linear(x string, m *Matrix, bias string) string {
	if !m.Quantized() || g.Arithmetic == Floats && m.copied {
		return g.gemm(x, g.Weight(m.floats), bias)
	}
	level := 1
	if g.Arithmetic == Integers {
		level = 4
	}
	inputs := []string{x, g.Tensor(m.blocks), g.Weight(m.scale)}
	if bias != "" {
		inputs = append(inputs, "", "", bias)
	}
	y := g.Node(onnxgraph.Contrib("MatMulNBits"), inputs,
		onnxgraph.Int("K", m.Width), onnxgraph.Int("N", m.Rows), onnxgraph.Int("bits", m.Form.Bits),
		onnxgraph.Int("block_size", m.Form.Size), onnxgraph.Int("accuracy_level", level))
	if m.Form.Signed {
		return y
	}
	// What the blocks' lowest values add to a product is their product with the sums of the activation's blocks.
	return g.gemm(g.blockSums(x, m.Width/m.Form.Size, m.Form.Size), g.Weight(m.low), y)
}

func (g *Graph) gemm(x, matrix, addend string) string {
	inputs := []string{x, matrix}
	if addend != "" {
		inputs = append(inputs, addend)
	}
	return g.Node(onnxgraph.ONNX("Gemm"), inputs, onnxgraph.Int("transB", 1))
}

func (g *Graph) blockSums(x string, blocks, size int) string {
	key := fmt.Sprint(x, "/", size)
	if s, ok := g.sums[key]; ok {
		return s
	}
	r := g.Reshape(x, -1, blocks, size)
	s := g.Node(onnxgraph.ONNX("ReduceSum"), []string{r, g.Ints("axis_2", 2)}, onnxgraph.Int("keepdims", 0))
	g.sums[key] = s
	return s
}

// Rows looks up rows of the matrix by a vector of row numbers.
func (g *Graph) Rows(ids string, m *Matrix) string {
	if !m.Quantized() {
		return g.Node(onnxgraph.ONNX("Gather"), []string{g.Weight(m.floats), ids})
	}
	size := m.Form.Size
	table := m.blocks.As(m.TableName(), m.Rows, m.Width*m.Form.Bits/8)
	v := g.Node(onnxgraph.Contrib("GatherBlockQuantized"), []string{g.Tensor(table), ids, g.Weight(m.scale)},
		onnxgraph.Int("gather_axis", 0), onnxgraph.Int("quantize_axis", 1), onnxgraph.Int("block_size", size),
		onnxgraph.Int("bits", m.Form.Bits))
	if m.Form.Signed {
		return v
	}
	low := g.Node(onnxgraph.ONNX("Gather"), []string{g.Weight(m.low), ids})
	low = g.Node(onnxgraph.ONNX("Unsqueeze"), []string{low, g.Ints("axis_last", -1)})
	v = g.Node(onnxgraph.ONNX("Reshape"), []string{v, g.shape(-1, m.Width/size, size)})
	v = g.Node(onnxgraph.ONNX("Add"), []string{v, low})
	return g.Node(onnxgraph.ONNX("Reshape"), []string{v, g.shape(-1, m.Width)})
}

// Reshape gives a value another shape.
func (g *Graph) Reshape(x string, dims ...int) string {
	return g.Node(onnxgraph.ONNX("Reshape"), []string{x, g.shape(dims...)})
}

func (g *Graph) shape(dims ...int) string {
	name, values := "shape", make([]int64, len(dims))
	for i, d := range dims {
		name += fmt.Sprint("_", d)
		values[i] = int64(d)
	}
	return g.Ints(name, values...)
}
