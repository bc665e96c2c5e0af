package generate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"textmill/models"
	"textmill/models/checkpoint"
)

// rewrite gives a protobuf message whose fields of one number change made anew; nil drops one.
func rewrite(t *testing.T, message []byte, number protowire.Number, change func([]byte) []byte) (out []byte) {
	t.Helper()
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeField(message)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		if n != number {
			out = append(out, message[:size]...)
		} else {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ := protowire.ConsumeBytes(message[tag:])
			out = protowire.AppendBytes(protowire.AppendTag(out, n, kind), change(value))
		}
		message = message[size:]
	}
	return out
}

// roundByRange has a graph round its logits to 8 bits by the range of all of them, as exporters' quantized graphs do inside.
func roundByRange(t *testing.T, path string) {
	t.Helper()
	node := func(op string, inputs, outputs []string) []byte {
		var m []byte
		for _, in := range inputs {
			m = protowire.AppendString(protowire.AppendTag(m, 1, protowire.BytesType), in)
		}
		for _, out := range outputs {
			m = protowire.AppendString(protowire.AppendTag(m, 2, protowire.BytesType), out)
		}
		m = protowire.AppendString(protowire.AppendTag(m, 4, protowire.BytesType), op)
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), m)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = rewrite(t, data, 7, func(graph []byte) []byte {
		graph = rewrite(t, graph, 1, func(node []byte) []byte {
			return rewrite(t, node, 2, func(output []byte) []byte {
				if string(output) == "logits" {
					return []byte("exact_logits")
				}
				return output
			})
		})
		graph = append(graph, node("DynamicQuantizeLinear", []string{"exact_logits"}, []string{"rounded", "step", "middle"})...)
		return append(graph, node("DequantizeLinear", []string{"rounded", "step", "middle"}, []string{"logits"})...)
	})
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Where no run keeps texts apart the exact graph of the same weights takes over, and what cannot be helped is said.
func TestGraphsThatLetTextsDependOnEachOther(t *testing.T) {
	spoiled := func(files ...string) *models.Spec {
		spec := Imported(t, Testdata+"/llama.gguf", checkpoint.AsIs)
		dir := filepath.Join(spec.Dir, "onnx")
		data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "model_int8.onnx"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		spec.Decoder.Graphs = append(spec.Decoder.Graphs, models.DecoderGraph{File: "onnx/model_int8.onnx", Activations: "int8"})
		if data, err = json.Marshal(spec.Decoder); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(spec.Dir, models.DecoderName), data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			roundByRange(t, filepath.Join(dir, file))
		}
		if err := os.Remove(filepath.Join(spec.Dir, models.RecordName)); err != nil {
			t.Fatal(err)
		}
		if spec, err = models.OpenGraph(spec.Dir, "model_int8.onnx"); err != nil {
			t.Fatal(err)
		}
		return spec
	}
	for _, c := range []struct {
		name    string
		files   []string
		runs    string
		says    string
		depends bool
	}{
		{"nothing depends on its company", nil, "onnx/model_int8.onnx", "", false},
		{"the exact graph takes over", []string{"model_int8.onnx"}, "onnx/model.onnx", "onnx/model.onnx runs instead of onnx/model_int8.onnx", false},
		{"no graph helps", []string{"model_int8.onnx", "model.onnx"}, "onnx/model_int8.onnx", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := spoiled(c.files...)
			tok, err := spec.Tokenizer()
			if err != nil {
				t.Fatal(err)
			}
			g, err := Open(t.Context(), spec, Options{Tokenizer: tok, Slots: 4})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close() //nolint:errcheck // of a test
			notes := strings.Join(g.Notes(), "\n")
			// How fast the exact graph is may be known from an earlier test, or be said not to be.
			told := len(g.Notes()) > 1 || notes != "" && !strings.HasPrefix(notes, "onnx/model.onnx is more exact")
			if g.Spec().Graph != c.runs || !strings.Contains(notes, c.says) || c.says == "" && told {
				t.Errorf("%s runs; notes %q", g.Spec().Graph, notes)
			}
			why := g.Dependence()
			if c.depends != (why != "") || c.depends && !strings.Contains(why, "DynamicQuantizeLinear") {
				t.Errorf("it depends: %q", why)
			}
			if c.says != "" && (!strings.Contains(notes, "DynamicQuantizeLinear") || g.Spec().SHA256 == spec.SHA256) {
				t.Errorf("notes %q, model_sha256 %s of both graphs", notes, spec.SHA256)
			}
		})
	}
}
