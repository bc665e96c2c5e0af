package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"textmill/models/checkpoint"
)

const llamaGGUF = "testdata/llama.gguf"

func TestGGUFComputesWhatTransformersDoes(t *testing.T) {
	rows := readReference(t, "llama")
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: llamaGGUF, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := openSlots(t, r.Dir, 0, len(rows), 16)
	var prompts [][]int64
	for _, row := range rows {
		prompts = append(prompts, row.IDs)
	}
	logits := s.run(0, prompts, true)
	for i, row := range rows {
		for j, want := range row.Values {
			if d := far(logits[j], want); !(d < 2e-4) {
				t.Errorf("row %d: logits of token %d are off by %g", i, j, d)
			}
		}
		logits = logits[len(row.IDs):]
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refused imports source and gives the error; it is one if anything is left behind.
func refused(t testing.TB, source, what string) error {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "models")
	_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: dir})
	left, _ := os.ReadDir(dir)
	if err == nil {
		t.Errorf("%s: it was imported", what)
	} else if len(left) > 0 {
		t.Errorf("%s: it left %v", what, left)
	}
	return err
}

func TestFilesCutAnywhereAreRefused(t *testing.T) {
	for _, c := range []struct{ name, file string }{{"gguf", llamaGGUF}, {"safetensors", "testdata/tiny/llama/model.safetensors"}} {
		t.Run(c.name, func(t *testing.T) {
			source := filepath.Join(t.TempDir(), "cut.gguf")
			file := source
			if c.name == "safetensors" {
				source = copyTiny(t, "llama")
				file = filepath.Join(source, "model.safetensors")
			}
			whole := read(t, c.file)
			for at := 0; at < len(whole); at += 1 + at/40 {
				if err := os.WriteFile(file, whole[:at], 0o644); err != nil {
					t.Fatal(err)
				}
				err := refused(t, source, "cut")
				if t.Failed() {
					t.Fatalf("cut at byte %d of %d", at, len(whole))
				}
				if !strings.Contains(err.Error(), filepath.Base(file)) {
					t.Errorf("cut at byte %d: %v does not name the file", at, err)
				}
			}
		})
	}
}

// after finds where a GGUF string ends in the file.
func after(t *testing.T, file []byte, text string) []byte {
	t.Helper()
	key := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	_, rest, ok := bytes.Cut(file, key)
	if !ok {
		t.Fatalf("%s is not in the file", text)
	}
	return rest // of the same array
}

func TestDamagedGGUFIsRefusedAndNamed(t *testing.T) {
	le := binary.LittleEndian
	const up = "blk.1.ffn_up.weight" // behind a name: 2 dimensions of 8 bytes, the type, the offset
	dims, typ, offset := 4, 20, 24
	for _, c := range []struct {
		name, want string
		damage     func(t *testing.T, file []byte)
	}{
		{"unknown type", "tensor " + up + " has type IQ4_XS", func(t *testing.T, f []byte) { le.PutUint32(after(t, f, up)[typ:], 23) }},
		{"nameless type", "tensor " + up + " has type number 4294967295", func(t *testing.T, f []byte) { le.PutUint32(after(t, f, up)[typ:], math.MaxUint32) }},
		{"another type of the same blocks", "tensor", func(t *testing.T, f []byte) { le.PutUint32(after(t, f, up)[typ:], 0) }},
		{"offset beyond the end", "tensor " + up + " begins at byte", func(t *testing.T, f []byte) { le.PutUint64(after(t, f, up)[offset:], 1<<62) }},
		{"offset off the grid", "tensor " + up + " begins at byte 1,", func(t *testing.T, f []byte) { le.PutUint64(after(t, f, up)[offset:], 1) }},
		{"tensors that overlap", "begins within", func(t *testing.T, f []byte) {
			le.PutUint64(after(t, f, up)[offset:], le.Uint64(after(t, f, "blk.0.ffn_up.weight")[offset:]))
		}},
		{"another width", up + ": its shape is [40 16]", func(t *testing.T, f []byte) { le.PutUint64(after(t, f, up)[dims:], 16) }},
		{"a dimension of zero", up + " has a dimension of 0", func(t *testing.T, f []byte) { le.PutUint64(after(t, f, up)[dims:], 0) }},
		{"a huge tensor", up, func(t *testing.T, f []byte) { le.PutUint64(after(t, f, up)[dims:], 1<<31-1) }},
		{"another name", "model.layers.1.mlp.up_proj.weight", func(t *testing.T, f []byte) {
			copy(f[bytes.Index(f, []byte(up)):], "blk.1.ffn_uq.weight")
		}},
		{"a weight that is no number", "token_embd.weight: it holds the value NaN", func(t *testing.T, f []byte) {
			// The offsets count from the aligned end of the header, which ends with the last tensor's entry.
			last := after(t, f, "output_norm.weight")
			start := (len(f) - len(last) + 24 + 31) / 32 * 32
			copy(f[start+int(le.Uint64(after(t, f, "token_embd.weight")[offset:])):], []byte{0xc0, 0x7f})
		}},
		{"a setting that is no number", "rms_norm_eps (llama) is NaN", func(t *testing.T, f []byte) {
			le.PutUint32(after(t, f, "llama.attention.layer_norm_rms_epsilon")[4:], math.Float32bits(float32(math.NaN())))
		}},
		{"a negative setting", "rope_theta is -10000", func(t *testing.T, f []byte) {
			le.PutUint32(after(t, f, "llama.rope.freq_base")[4:], math.Float32bits(-10000))
		}},
		{"no heads", "num_attention_heads is 0", func(t *testing.T, f []byte) { le.PutUint32(after(t, f, "llama.attention.head_count")[4:], 0) }},
		{"many layers", "num_hidden_layers is 4294967295", func(t *testing.T, f []byte) { le.PutUint32(after(t, f, "llama.block_count")[4:], math.MaxUint32) }},
		{"long context", "max_position_embeddings", func(t *testing.T, f []byte) { le.PutUint32(after(t, f, "llama.context_length")[4:], math.MaxUint32) }},
		{"unknown architecture", `general.architecture is "mamba"`, func(t *testing.T, f []byte) {
			copy(after(t, f, "general.architecture")[12:], "mamba")
		}},
		{"unknown splitting", `tokenizer.ggml.pre is "smolln"`, func(t *testing.T, f []byte) { copy(after(t, f, "tokenizer.ggml.pre")[12:], "smolln") }},
		{"unknown tokenizer", `tokenizer.ggml.model is "t5t5"`, func(t *testing.T, f []byte) { copy(after(t, f, "tokenizer.ggml.model")[12:], "t5t5") }},
		{"too many tensors", "it claims", func(_ *testing.T, f []byte) { le.PutUint64(f[8:], 1<<60) }},
		{"too many keys", "it claims", func(_ *testing.T, f []byte) { le.PutUint64(f[16:], 1<<60) }},
		{"more tensors than there are", "dimensions", func(_ *testing.T, f []byte) { le.PutUint64(f[8:], 1<<19) }},
		{"endless tokens", `key "tokenizer.ggml.tokens"`, func(t *testing.T, f []byte) { le.PutUint64(after(t, f, "tokenizer.ggml.tokens")[8:], 1<<59) }},
		{"a token without end", `key "tokenizer.ggml.tokens"`, func(t *testing.T, f []byte) { le.PutUint64(after(t, f, "tokenizer.ggml.tokens")[16:], 1<<40) }},
		{"merges that are none", "merge 0", func(t *testing.T, f []byte) { copy(after(t, f, "tokenizer.ggml.merges")[24:], "t_h") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := read(t, llamaGGUF)
			c.damage(t, data)
			source := filepath.Join(t.TempDir(), "damaged.gguf")
			if err := os.WriteFile(source, data, 0o644); err != nil {
				t.Fatal(err)
			}
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			err := refused(t, source, c.name)
			if runtime.ReadMemStats(&now); now.TotalAlloc-before.TotalAlloc > 32<<20 {
				t.Errorf("it took %d MiB", (now.TotalAlloc-before.TotalAlloc)>>20)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
}

func TestDamagedSafetensorsAreRefusedAndNamed(t *testing.T) {
	const up = "model.layers.1.mlp.up_proj.weight"
	for _, c := range []struct{ name, old, to, want string }{
		{"unknown type", `"` + up + `":{"dtype":"BF16"`, `"` + up + `":{"dtype":"F4"`, "tensor " + up + " has type F4"},
		{"offset beyond the end", `"data_offsets":[`, `"data_offsets":[9999999999,`, "data_offsets"},
		{"negative size", `"shape":[40,32]`, `"shape":[-40,-32]`, "impossible shape"},
		{"huge shape", `"shape":[40,32]`, `"shape":[1099511627776,1099511627776]`, "impossible shape"},
		{"no shape at all", `"shape":[40,32]`, `"shape":"x"`, "tensor model.layers"},
		{"not JSON", `{"`, `{'`, "its header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyTiny(t, "llama")
			growHeader(t, filepath.Join(dir, "model.safetensors"), c.old, c.to)
			if err := refused(t, dir, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
}

func TestDamagedFamiliesAreRefusedAndNamed(t *testing.T) {
	for _, c := range []struct{ family, old, to, want string }{
		{"gemma2", "model.layers.1.pre_feedforward_layernorm.weight", "x", "lacks a tensor: model.layers.1.pre_feedforward_layernorm.weight"},
		{"gemma3-images", "language_model.model.norm.weight", "x", "lacks a tensor: model.norm.weight"},
		{"phi3", "model.layers.0.mlp.gate_up_proj.weight", "x", "lacks a tensor: model.layers.0.mlp.gate_up_proj.weight"},
		{"phi3", `"shape":[256,128]`, `"shape":[128,256]`, "tensor model.layers.0.self_attn.qkv_proj.weight: its shape is [128 256]"},
		{"olmo2", "model.layers.1.self_attn.q_norm.weight", "x", "lacks a tensor: model.layers.1.self_attn.q_norm.weight"},
		{"glm4", "model.layers.0.post_mlp_layernorm.weight", "x", "lacks a tensor: model.layers.0.post_mlp_layernorm.weight"},
	} {
		t.Run(c.family+" "+c.old, func(t *testing.T) {
			dir := copyTiny(t, c.family)
			growHeader(t, filepath.Join(dir, "model.safetensors"), c.old, c.to)
			if err := refused(t, dir, c.family); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
}

func TestOverlappingSafetensorsAreRefused(t *testing.T) {
	dir := copyTiny(t, "llama")
	file := filepath.Join(dir, "model.safetensors")
	data := read(t, file)
	n := binary.LittleEndian.Uint64(data)
	header := string(data[8 : 8+n])
	// The first tensor's place is given to a second one of the same size.
	find := func(name string) string {
		_, rest, _ := strings.Cut(header, `"`+name+`"`)
		_, rest, _ = strings.Cut(rest, `"data_offsets":`)
		place, _, _ := strings.Cut(rest, "}")
		return place
	}
	a, b := find("model.layers.0.mlp.up_proj.weight"), find("model.layers.1.mlp.up_proj.weight")
	if a == "" || b == "" || !strings.Contains(header, b) {
		t.Fatal("another header than expected")
	}
	growHeader(t, file, b, a)
	if err := refused(t, dir, "overlap"); err == nil || !strings.Contains(err.Error(), "begins within") {
		t.Errorf("%v, want it to name the tensors", err)
	}
}

// What is imported must be a bundle, what is refused must leave nothing, and neither may panic or take memory without bound.
func FuzzImportGGUF(f *testing.F) {
	whole := read(f, llamaGGUF)
	f.Add(whole)
	f.Add(whole[:3000])
	f.Add(read(f, "testdata/ggufembedders/bert.gguf"))
	f.Add(read(f, "testdata/ggufembedders/gemma-embedding.gguf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		source := filepath.Join(dir, "x.gguf")
		if err := os.WriteFile(source, data, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzzed(t, source, filepath.Join(dir, "models"))
	})
}

func FuzzImportDirectory(f *testing.F) {
	for _, name := range []string{"llama", "qwen2", "modernbert", "distilbert"} {
		dir := filepath.Join("testdata", "tiny", name)
		f.Add(read(f, filepath.Join(dir, "config.json")), read(f, filepath.Join(dir, "model.safetensors")))
	}
	tokenizer := read(f, "testdata/tiny/llama/tokenizer.json")
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"config.json": config, "model.safetensors": weights, "tokenizer.json": tokenizer} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		fuzzed(t, dir, filepath.Join(dir, "models"))
	})
}

func fuzzed(t *testing.T, source, dir string) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // a file may truly ask for gigabytes
	defer cancel()
	_, err := checkpoint.Import(ctx, checkpoint.Options{Source: source, Dir: dir, Name: "x", Precision: checkpoint.AsIs})
	left, _ := os.ReadDir(dir)
	if err != nil && len(left) > 0 || err == nil && (len(left) != 1 || left[0].Name() != "x") {
		t.Errorf("%v, and there is %v", err, left)
	}
}
