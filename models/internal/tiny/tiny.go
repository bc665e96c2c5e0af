// Package tiny writes small models of a real kind for the tests of those who open and run them.
package tiny

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Model is an ONNX model that looks token IDs up in a table of 10 rows and 4 columns, whose row i is [i, -i, i², 1].
// Row 9 is not a number. The model is real: ONNX Runtime runs it.
type Model struct {
	Positions bool   // adds position_ids·100 to every value, by a table of 8 positions
	Types     bool   // has an input token_type_ids (which changes nothing)
	Pooled    bool   // gives the mean over all positions, padding included, in rank 2 only
	Quantize  bool   // has a DynamicQuantizeLinear beside the path
	Ranged    bool   // rounds all values to 8 bits by the range of the whole run
	External  string // keeps the table in this file
	Extra     string // has another input
	Half      bool   // gives float16
	Output    string
}

func message(fields ...[]byte) (m []byte) {
	for _, f := range fields {
		m = append(m, f...)
	}
	return m
}

func bytesField(n protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
}

func textField(n protowire.Number, s string) []byte { return bytesField(n, []byte(s)) }

func intField(n protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), uint64(v))
}

func node(op string, inputs []string, outputs []string, attributes ...[]byte) []byte {
	var m []byte
	for _, in := range inputs {
		m = append(m, textField(1, in)...)
	}
	for _, out := range outputs {
		m = append(m, textField(2, out)...)
	}
	m = append(m, textField(4, op)...)
	for _, a := range attributes {
		m = append(m, bytesField(5, a)...)
	}
	return bytesField(1, m)
}

func valueInfo(n protowire.Number, name string, typ int64, dims ...any) []byte {
	var shape []byte
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			shape = append(shape, bytesField(1, intField(1, int64(d)))...)
		case string:
			shape = append(shape, bytesField(1, textField(2, d))...)
		}
	}
	tensor := message(intField(1, typ), bytesField(2, shape))
	return bytesField(n, message(textField(1, name), bytesField(2, bytesField(1, tensor))))
}

func floats(values []float32) []byte {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

func tinyTable() []float32 {
	var t []float32
	for i := range 9 {
		f := float32(i)
		t = append(t, f, -f, f*f, 1)
	}
	nan := float32(math.NaN())
	return append(t, nan, nan, nan, nan)
}

// ONNX encodes the model, and writes its table beside it when that is external.
func (m Model) ONNX(t testing.TB, dir string) []byte {
	t.Helper()
	table := message(intField(1, 10), intField(1, 4), intField(2, 1), textField(8, "table"))
	if m.External == "" {
		table = append(table, bytesField(9, floats(tinyTable()))...)
	} else {
		WriteFile(t, filepath.Join(dir, m.External), floats(tinyTable()))
		table = append(table, bytesField(13, message(textField(1, "location"), textField(2, m.External)))...)
		table = append(table, intField(14, 1)...)
	}
	output := m.Output
	if output == "" {
		output = "last_hidden_state"
	}
	tokens := output
	if m.Positions || m.Pooled || m.Half || m.Ranged {
		tokens = "tokens"
	}
	g := message(node("Gather", []string{"table", "input_ids"}, []string{tokens}), bytesField(5, table),
		valueInfo(11, "input_ids", 7, "batch", "sequence"), valueInfo(11, "attention_mask", 7, "batch", "sequence"))
	if m.Types {
		g = append(g, valueInfo(11, "token_type_ids", 7, "batch", "sequence")...)
	}
	if m.Positions {
		var places []float32
		for p := range 8 {
			places = append(places, float32(p)*100, float32(p)*100, float32(p)*100, float32(p)*100)
		}
		g = append(g, bytesField(5, message(intField(1, 8), intField(1, 4), intField(2, 1), textField(8, "places"),
			bytesField(9, floats(places))))...)
		g = append(g, valueInfo(11, "position_ids", 7, "batch", "sequence")...)
		g = append(g, node("Gather", []string{"places", "position_ids"}, []string{"place"})...)
		g = append(g, node("Add", []string{"tokens", "place"}, []string{output})...)
	}
	if m.Half {
		to := message(textField(1, "to"), intField(3, 10), intField(20, 2))
		g = append(g, node("Cast", []string{"tokens"}, []string{output}, to)...)
	}
	if m.Ranged {
		g = append(g, node("DynamicQuantizeLinear", []string{"tokens"}, []string{"q8", "step", "middle"})...)
		g = append(g, node("DequantizeLinear", []string{"q8", "step", "middle"}, []string{output})...)
	}
	if m.Pooled {
		axes := message(textField(1, "axes"), intField(8, 1), intField(20, 7))
		keep := message(textField(1, "keepdims"), intField(3, 0), intField(20, 2))
		g = append(g, node("ReduceMean", []string{"tokens"}, []string{output}, axes, keep)...)
		g = append(g, valueInfo(12, output, 1, "batch", 4)...)
	} else if m.Half {
		g = append(g, valueInfo(12, output, 10, "batch", "sequence", 4)...)
	} else {
		g = append(g, valueInfo(12, output, 1, "batch", "sequence", 4)...)
	}
	if m.Quantize {
		g = append(g, node("DynamicQuantizeLinear", []string{"table"}, []string{"q", "scale", "zero"})...)
	}
	if m.Extra != "" {
		g = append(g, valueInfo(11, m.Extra, 7, "batch")...)
	}
	g = append(g, textField(2, "tiny")...)
	return message(intField(1, 8), bytesField(7, g), bytesField(8, intField(2, 13)))
}

// WriteFile writes a file and the folders above it.
func WriteFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Files are a bundle's small files, by name, as text.
type Files map[string]string

// Bundle writes a bundle around m; change replaces files of the usual ones, "" removes one.
func Bundle(t testing.TB, m Model, change Files) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	all := Files{ //nolint:gosec // the tokens are a tokenizer's
		"config.json":                       `{"architectures":["BertModel"],"model_type":"bert","hidden_size":4,"max_position_embeddings":8,"pad_token_id":5}`,
		"tokenizer.json":                    `{"added_tokens":[{"id":5,"content":"[PAD]"}],"truncation":null,"padding":null,"model":{"type":"WordPiece","vocab":{"a":1}}}`,
		"tokenizer_config.json":             `{"pad_token":"[PAD]","model_max_length":8}`,
		"modules.json":                      `[{"idx":0,"path":"","type":"sentence_transformers.models.Transformer"},{"idx":1,"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]`,
		"1_Pooling/config.json":             `{"word_embedding_dimension":4,"pooling_mode_mean_tokens":true}`,
		"sentence_bert_config.json":         `{"max_seq_length":8,"do_lower_case":false}`,
		"config_sentence_transformers.json": `{"prompts":{"query":"query: "}}`,
	}
	for name, text := range change {
		all[name] = text
	}
	WriteFile(t, filepath.Join(dir, "onnx", "model.onnx"), m.ONNX(t, filepath.Join(dir, "onnx")))
	for name, text := range all {
		if text != "" {
			WriteFile(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(text))
		}
	}
	return dir
}
