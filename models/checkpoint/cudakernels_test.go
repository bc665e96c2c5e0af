package checkpoint_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/internal/graph"
)

// cudaKernels are the types that each operator's kernels take, as testdata/cudakernels.py found them in the library.
func cudaKernels(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "cudakernels.txt"))
	if err != nil {
		t.Fatal(err)
	}
	kernels := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); f[0] != "#" {
			kernels[f[0]] = f[1:]
		}
	}
	return kernels
}

var typeNames = map[int32]string{graph.Float32: "fp32", graph.Float16: "fp16", graph.BFloat16: "bf16", graph.Int32: "int32", graph.Int64: "int64",
	graph.Uint8: "uint8", 9: "bool"}

// onCUDA tells of every node in the graph whether CUDA has a kernel for it and the type that it works on: a node without
// one would run on the processor, its values would cross the bus, and runs could not be kept as CUDA graphs.
func onCUDA(t *testing.T, file string) (ops []string) {
	t.Helper()
	kernels := cudaKernels(t)
	g, err := graph.ReadNodes(file)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, in := range g.Inputs {
		types[in.Name] = typeNames[in.Type]
	}
	for name, tensor := range g.Tensors {
		types[name] = typeNames[tensor.Type]
	}
	for _, n := range g.Nodes {
		of := types[n.Inputs[0]]
		if n.Op == "Where" || n.Op == "GatherBlockQuantized" { // which begin with a condition, and with blocks
			of = types[n.Inputs[len(n.Inputs)-1]]
		}
		if !slices.ContainsFunc(kernels[n.Op], func(k string) bool {
			return k == "any" || slices.Contains(strings.Split(k, "/"), of)
		}) {
			t.Errorf("%s: CUDA has no kernel for %s of %q: %v", filepath.Base(file), n.Op, of, kernels[n.Op])
		}
		for _, out := range n.Outputs {
			types[out] = of
		}
		switch n.Op {
		case "Cast":
			types[n.Outputs[0]] = typeNames[int32(n.Ints["to"])]
		case "Shape":
			types[n.Outputs[0]] = "int64"
		case "Equal":
			types[n.Outputs[0]] = "bool"
		case "TopK":
			types[n.Outputs[1]] = "int64"
		}
		ops = append(ops, n.Op)
	}
	for _, out := range g.Outputs {
		if types[out.Name] != typeNames[out.Type] {
			t.Errorf("%s: output %s is %s, its node gives %s", filepath.Base(file), out.Name, typeNames[out.Type], types[out.Name])
		}
	}
	return ops
}

func TestEveryNodeOfADecoderForCardsHasAKernelOfCUDA(t *testing.T) {
	for _, name := range decoders {
		for _, precision := range []string{checkpoint.FP32, checkpoint.Q8, checkpoint.Q4} {
			dir := importTiny(t, name, precision).Dir
			for _, c := range []decoder.Card{{Elem: onnxgraph.Float16}, {Elem: onnxgraph.Float16, Wide: true}, {Elem: onnxgraph.Float16, MLPs: []bool{true}}, {Elem: onnxgraph.BFloat16}, {Elem: onnxgraph.BFloat16, Wide: true}} {
				if err := checkpoint.WriteDecoderCard(t.Context(), dir, "onnx/card.onnx", c); err != nil {
					t.Fatal(err)
				}
				ops := onCUDA(t, filepath.Join(dir, "onnx", "card.onnx"))
				for _, shape := range []string{"NonZero", "Compress", "Unique", "If", "Loop"} { // sizes that values decide
					if slices.Contains(ops, shape) {
						t.Errorf("%s: %v has a %s", name, c, shape)
					}
				}
			}
		}
	}
	// CUDA has no attention of this kind in fp32, which the list must show.
	if k := cudaKernels(t)["GroupQueryAttention"]; slices.Contains(k, "fp32/fp32") || !slices.Contains(k, "bf16/bf16") {
		t.Errorf("GroupQueryAttention: %v", k)
	}
	spec, err := checkpoint.Card(t.Context(), importTiny(t, "llama", checkpoint.FP32).Dir, checkpoint.CardOptions{Precision: models.FP16})
	if err != nil {
		t.Fatal(err)
	}
	onCUDA(t, filepath.Join(spec.Dir, filepath.FromSlash(spec.Card.File)))
	onCUDA(t, filepath.Join(spec.Dir, filepath.FromSlash(spec.Card.Choice)))
}
