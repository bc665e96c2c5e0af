package lookup

import (
	"bytes"
	"fmt"
	"slices"

	"textmill/models/internal/graph"
)

// finder looks for a table among the nodes and tensors of a graph.
type finder struct {
	g     *graph.Graph
	files files
}

// tensor finds an initializer or constant and checks its place.
func (f *finder) tensor(name string) (*values, error) {
	t, ok := f.g.Tensors[name]
	if !ok {
		return nil, fmt.Errorf("%w: the graph has no tensor %q", ErrTable, name)
	}
	if !t.Raw && len(t.Spelled) > 0 {
		b := spelled(t)
		v := &values{Tensor: t, from: bytes.NewReader(b)}
		v.Offset, v.Length, v.Raw = 0, int64(len(b)), true
		return v, v.check(int64(len(b)))
	}
	from, size, err := f.files.at(t.File)
	if err != nil {
		return nil, err
	}
	v := &values{Tensor: t, from: from}
	return v, v.check(size)
}

// same are operators that give on values of their first input: all or some of them, in another shape or type at most.
var same = []string{"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Gather", "GatherND", "Slice",
	"Compress"}

// find follows the input ids to the first operator that looks them up in a matrix.
func (f *finder) find(ids string) (*Table, error) {
	reached := map[string]bool{ids: true}
	input := func(n graph.Node, i int) string {
		if i < len(n.Inputs) {
			return n.Inputs[i]
		}
		return ""
	}
	for _, n := range f.g.Nodes {
		switch {
		case slices.Contains(same, n.Op) && reached[input(n, 0)]:
			for _, o := range n.Outputs {
				reached[o] = true
			}
		case n.Op == "Gather" && reached[input(n, 1)]:
			return f.gather(n)
		case n.Op == "GatherBlockQuantized" && reached[input(n, 1)]:
			return f.gatherBlocks(n, input(n, 2), input(n, 3))
		case n.Op == "EmbedLayerNormalization" && reached[input(n, 0)]:
			return f.floats(input(n, 2))
		}
	}
	return nil, fmt.Errorf("%w: nothing in the graph looks up %s in a matrix of its own", ErrTable, ids)
}

// gather is a lookup in floats, or in integers that are scaled before or after it.
func (f *finder) gather(n graph.Node) (*Table, error) {
	if n.Ints["axis"] != 0 {
		return nil, fmt.Errorf("%w: %s is looked up along axis %d", ErrTable, n.Inputs[0], n.Ints["axis"])
	}
	name := n.Inputs[0]
	for range len(f.g.Nodes) { // where the matrix comes from
		if _, ok := f.g.Tensors[name]; ok {
			break
		}
		i := slices.IndexFunc(f.g.Nodes, func(m graph.Node) bool { return slices.Contains(m.Outputs, name) })
		if i < 0 || len(f.g.Nodes[i].Inputs) == 0 {
			break
		}
		m := f.g.Nodes[i]
		if m.Op == "DequantizeLinear" {
			return f.dequantized(m, m.Inputs[0])
		}
		if m.Op != "Identity" && m.Op != "Cast" {
			break
		}
		name = m.Inputs[0]
	}
	t, ok := f.g.Tensors[name]
	if !ok {
		return nil, fmt.Errorf("%w: the matrix %s that tokens are looked up in is computed", ErrTable, name)
	}
	if isFloat(t.Type) {
		return f.floats(name)
	}
	for _, m := range f.g.Nodes {
		if m.Op == "DequantizeLinear" && len(m.Inputs) > 1 && len(n.Outputs) == 1 && m.Inputs[0] == n.Outputs[0] {
			return f.dequantized(m, name)
		}
	}
	return nil, fmt.Errorf("%w: tensor %s of type %d is looked up, but nothing scales it", ErrTable, name, t.Type)
}

func (f *finder) floats(name string) (*Table, error) {
	v, err := f.tensor(name)
	if err != nil {
		return nil, err
	}
	if len(v.Dims) != 2 || !isFloat(v.Type) {
		return nil, fmt.Errorf("%w: tensor %s of shape %v and type %d is no matrix of floats", ErrTable, name, v.Dims,
			v.Type)
	}
	t := &Table{Name: name, Rows: int(v.Dims[0]), Dim: int(v.Dims[1]), data: *v}
	t.Storage = map[int32]string{graph.Float32: "float32", graph.Float16: "float16", graph.BFloat16: "bfloat16"}[v.Type]
	return t, nil
}

// dequantized is a table with one scale and one zero, or with one of each for every row.
func (f *finder) dequantized(n graph.Node, name string) (*Table, error) {
	if len(n.Inputs) < 2 {
		return nil, fmt.Errorf("%w: nothing scales tensor %s", ErrTable, name)
	}
	zero := ""
	if len(n.Inputs) > 2 {
		zero = n.Inputs[2]
	}
	t, err := f.blocks(name, n.Inputs[1], zero, "", 8, 0, 0)
	if axis, said := n.Ints["axis"]; err == nil && t.scale.n != 1 && (!said || axis != 0 || n.Ints["block_size"] != 0) {
		return nil, fmt.Errorf("%w: the scales of tensor %s run along axis %d", ErrTable, name, axis)
	}
	return t, err
}

// gatherBlocks is a lookup in a matrix in blocks. Integers in unsigned bytes have their zero in the middle unless
// told.
func (f *finder) gatherBlocks(n graph.Node, scale, zero string) (*Table, error) {
	attribute := func(name string, otherwise int64) int64 {
		if v, ok := n.Ints[name]; ok {
			return v
		}
		return otherwise
	}
	t := f.g.Tensors[n.Inputs[0]]
	size, middle := 4, int32(0)
	if t.Type == graph.Uint8 {
		size = int(attribute("bits", 4))
		middle = 1 << max(0, min(size-1, 8))
	}
	if axis := attribute("quantize_axis", 1); axis != 1 && axis != -1 || attribute("gather_axis", 0) != 0 {
		return nil, fmt.Errorf("%w: the blocks of tensor %s do not lie along its rows", ErrTable, n.Inputs[0])
	}
	return f.blocks(n.Inputs[0], scale, zero, "", size, int(attribute("block_size", 128)), middle)
}

// blocks is a table of integers of so many bits; a block of size 0 is a row.
func (f *finder) blocks(name, scale, zero, low string, size, block int, middle int32) (*Table, error) {
	data, err := f.tensor(name)
	if err != nil {
		return nil, err
	}
	held := bits(data.Type)
	if len(data.Dims) != 2 || isFloat(data.Type) || size != 4 && size != 8 || held%size != 0 ||
		data.Dims[1] > (1<<30)*int64(size)/int64(held) {
		return nil, fmt.Errorf("%w: tensor %s of shape %v and type %d is no matrix of integers of %d bits", ErrTable, name,
			data.Dims, data.Type, size)
	}
	t := &Table{Name: name, Rows: int(data.Dims[0]), Dim: int(data.Dims[1]) * held / size, data: *data, bits: size,
		block: block, zero: middle}
	t.Storage = fmt.Sprintf("int%d in blocks of %d", size, block)
	if block <= 0 {
		t.block, t.Storage = max(t.Dim, 1), fmt.Sprintf("int%d", size)
	}
	if held == 4 && t.Dim%2 != 0 {
		return nil, fmt.Errorf("%w: rows of tensor %s share bytes", ErrTable, name)
	}
	n := int64(t.Dim+t.block-1) / int64(t.block)
	part := func(name string, floats, one bool) (*values, error) {
		v, err := f.tensor(name)
		if err != nil {
			return nil, err
		}
		want, have := int64(t.Rows)*n, v.n
		if !floats && bits(v.Type) == 8 && size == 4 {
			want = int64(t.Rows) * ((n + 1) / 2)
		}
		if isFloat(v.Type) != floats || !floats && bits(v.Type) < size || have != want && !(one && have == 1) {
			return nil, fmt.Errorf("%w: tensor %s of shape %v and type %d does not fit %s of shape [%d %d]", ErrTable, v.Name,
				v.Dims, v.Type, t.Name, t.Rows, t.Dim)
		}
		return v, nil
	}
	if t.scale, err = part(scale, true, block <= 0); err != nil {
		return nil, err
	}
	if zero != "" {
		if t.zeroAt, err = part(zero, false, block <= 0); err != nil {
			return nil, err
		}
	}
	if low != "" {
		t.low, err = part(low, true, false)
	}
	return t, err
}
