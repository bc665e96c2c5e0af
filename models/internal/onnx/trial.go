package onnx

import (
	"context"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/encoding/protowire"
)

// Try multiplies two small matrices on a CUDA device, by its number: whoever passes has a provider that loads, a
// driver that takes it, and a card that computes. On "" it is the processor.
func Try(ctx context.Context, device string) error {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer o.Destroy() //nolint:errcheck // it fails only when done twice
	if device != "" {
		if err := useCUDA(o, device); err != nil {
			return err
		}
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(trial(), []string{"a", "b"}, []string{"c"}, o)
	if err != nil {
		return err
	}
	defer s.Destroy() //nolint:errcheck // it fails only when done twice
	return tryRun(ctx, s)
}

func tryRun(ctx context.Context, s *Session) error {
	shape := ort.NewShape(2, 2)
	var all []ort.Value
	defer func() { _ = Destroy(all...) }()
	for _, data := range [][]float32{{1, 2, 3, 4}, {5, 6, 7, 8}, {0, 0, 0, 0}} {
		t, err := ort.NewTensor(shape, data)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	if err := Run(ctx, s, all[:2], all[2:]); err != nil {
		return err
	}
	got := all[2].(*ort.Tensor[float32]).GetData()
	if want := [4]float32{19, 22, 43, 50}; want != [4]float32(got) {
		return fmt.Errorf("it multiplies wrong: %v, not %v", got, want)
	}
	return nil
}

// trial is a model of one node: c = MatMul(a, b), all [2, 2].
func trial() []byte {
	message := func(to []byte, field protowire.Number, of []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, field, protowire.BytesType), of)
	}
	number := func(field protowire.Number, n uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), n)
	}
	side := number(1, 2)                                     // Dimension.dim_value
	shape := message(message(nil, 1, side), 1, side)         // TensorShapeProto.dim
	kind := message(nil, 1, message(number(1, 1), 2, shape)) // TypeProto.tensor_type: float
	value := func(name string) []byte { return message(message(nil, 1, []byte(name)), 2, kind) }
	node := message(message(message(nil, 1, []byte("a")), 1, []byte("b")), 2, []byte("c")) // input, input, output
	node = message(node, 4, []byte("MatMul"))                                              // op_type
	graph := message(message(nil, 1, node), 2, []byte("trial"))                            // node, name
	graph = message(message(graph, 11, value("a")), 11, value("b"))                        // input
	graph = message(graph, 12, value("c"))                                                 // output
	model := message(number(1, 8), 7, graph)                                               // ir_version, graph
	return message(model, 8, number(2, 13))                                                // opset_import.version
}
