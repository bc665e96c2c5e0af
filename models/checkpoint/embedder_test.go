package checkpoint_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/checkpoint/internal/decoder"
)

// copyDir copies a checkpoint, to be changed.
func copyDir(t *testing.T, from string, without ...string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	for _, name := range without {
		if err := os.RemoveAll(filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func change(t *testing.T, dir, file, from, to string) {
	t.Helper()
	path := filepath.Join(dir, file)
	text := string(read(t, path))
	if !strings.Contains(text, from) {
		t.Fatalf("%s has no %q", path, from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDecodersAreImportedForTheirTask holds what becomes of a decoder with and without modules, and of what was asked.
func TestDecodersAreImportedForTheirTask(t *testing.T) {
	const embedder = "testdata/embedders/qwen3-embedding"
	modules := []string{"modules.json", "1_Pooling", "2_Normalize", "sentence_bert_config.json"}
	bare := copyDir(t, embedder, modules...)
	change(t, bare, "config.json", "Qwen3ForCausalLM", "Qwen3Model")
	other := copyDir(t, embedder, modules...)
	change(t, other, "config.json", "Qwen3ForCausalLM", "Qwen3ForSequenceClassification")
	seeing := copyDir(t, embedder, modules...)
	change(t, seeing, "config.json", `"attention_bias"`, `"is_causal": false, "attention_bias"`)
	generator := copyDir(t, "testdata/tiny/gemma2")
	for _, name := range []string{"modules.json", "1_Pooling/config.json"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(generator, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(generator, name), read(t, filepath.Join(embedder, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, source, task string
		want, pooling      string
		refused            []string
	}{
		{name: "modules", source: embedder, want: naming.TaskEmbed, pooling: models.PoolLast},
		{name: "modules, asked to generate", source: embedder, task: naming.TaskGenerate, refused: []string{"modules.json"}},
		{name: "no modules", source: copyDir(t, embedder, modules...), want: naming.TaskGenerate},
		{name: "no modules, asked to embed", source: copyDir(t, embedder, modules...), task: naming.TaskEmbed,
			want: naming.TaskEmbed, pooling: models.PoolLast},
		{name: "no modules, both ways, asked to embed", source: seeing, task: naming.TaskEmbed, want: naming.TaskEmbed,
			pooling: models.PoolMean},
		{name: "no head", source: bare, want: naming.TaskEmbed, pooling: models.PoolMean},
		{name: "no head, asked to generate", source: bare, task: naming.TaskGenerate, refused: []string{"Qwen3Model"}},
		{name: "another head", source: other, refused: []string{"Qwen3ForSequenceClassification", "--task embed"}},
		{name: "another head, asked to embed", source: other, task: naming.TaskEmbed, want: naming.TaskEmbed,
			pooling: models.PoolMean},
		{name: "a GGUF file, asked to embed", source: llamaGGUF, task: naming.TaskEmbed, want: naming.TaskEmbed,
			pooling: models.PoolLast},
		{name: "modules of a family that only generates", source: generator, refused: []string{"modules.json", "gemma2", "qwen3"}},
		{name: "an unknown task", source: embedder, task: "rank", refused: []string{`"rank"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "models")
			r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: c.source, Dir: dir, Name: "m", Task: c.task})
			if c.refused != nil {
				left, _ := os.ReadDir(dir)
				if !errors.Is(err, checkpoint.ErrUnsupported) || len(left) > 0 {
					t.Errorf("%v, left %v", err, left)
				}
				for _, word := range c.refused {
					if err != nil && !strings.Contains(err.Error(), word) {
						t.Errorf("%v does not say %q", err, word)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			spec := openBundle(t, r.Dir)
			if r.Task != c.want || spec.Task != c.want || spec.Pooling != c.pooling {
				t.Errorf("task %q, in the bundle %q, pooling %q", r.Task, spec.Task, spec.Pooling)
			}
		})
	}
}

// renameTensors puts a prefix before the names of all tensors.
func renameTensors(t *testing.T, path, prefix string) {
	t.Helper()
	data := read(t, path)
	n := binary.LittleEndian.Uint64(data)
	var header, renamed map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	renamed = map[string]json.RawMessage{}
	for name, tensor := range header {
		if name != "__metadata__" {
			renamed[prefix+name] = tensor
		}
	}
	text, err := json.Marshal(renamed)
	if err != nil {
		t.Fatal(err)
	}
	out := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := os.WriteFile(path, append(out, data[8+n:]...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTextPartsOfLargerModels holds that a decoder is found whatever its tensors' names begin with.
func TestTextPartsOfLargerModels(t *testing.T) {
	const embedder = "testdata/embedders/qwen3-fp32"
	want, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: embedder, Dir: t.TempDir(), Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"model.", "language_model.", "language_model.model.", "model.language_model.", "text_model."} {
		dir := copyDir(t, embedder)
		renameTensors(t, filepath.Join(dir, "model.safetensors"), prefix)
		got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: dir, Dir: t.TempDir(), Name: "m"})
		if err != nil {
			t.Errorf("%s: %v", prefix, err)
			continue
		}
		if string(read(t, filepath.Join(got.Dir, "onnx/model.onnx"))) != string(read(t, filepath.Join(want.Dir, "onnx/model.onnx"))) {
			t.Errorf("%s: the graph is another one", prefix)
		}
	}
}

// TestDecodersThatEmbedAreRefusedOnACard holds that none runs there by accident.
func TestDecodersThatEmbedAreRefusedOnACard(t *testing.T) {
	const embedder = "testdata/embedders/qwen3-embedding"
	dir := filepath.Join(t.TempDir(), "models")
	_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: embedder, Dir: dir, Card: &checkpoint.CardOptions{}})
	if left, _ := os.ReadDir(dir); !errors.Is(err, checkpoint.ErrNoCard) || !strings.Contains(err.Error(), "qwen3") || len(left) > 0 {
		t.Errorf("%v, left %v", err, left)
	}
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: embedder, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, err = checkpoint.Card(t.Context(), r.Dir, checkpoint.CardOptions{})
	if !errors.Is(err, checkpoint.ErrNoCard) || errors.Is(err, checkpoint.ErrUnsupported) || !strings.Contains(err.Error(), "device: cpu") {
		t.Error(err)
	}
}

// TestDecodersWithStatesAreRefusedOnACard holds the same of layers that keep more than keys and values.
func TestDecodersWithStatesAreRefusedOnACard(t *testing.T) {
	for _, name := range []string{"lfm2", "qwen3_5"} {
		dir := filepath.Join(t.TempDir(), "models")
		_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: "testdata/tiny/" + name, Dir: dir, Card: &checkpoint.CardOptions{}})
		if left, _ := os.ReadDir(dir); !errors.Is(err, checkpoint.ErrNoCard) || !strings.Contains(err.Error(), "device: cpu") || len(left) > 0 {
			t.Errorf("%s: %v, left %v", name, err, left)
		}
	}
}

// TestEveryDecoderThatEmbedsIsHeld finds a family that can be built to embed and has no tiny checkpoint, whose vectors
// TestVectorsAreThoseOfSentenceTransformers of work/embedding holds to the reference.
func TestEveryDecoderThatEmbedsIsHeld(t *testing.T) {
	tiny := map[string]bool{}
	configs, err := filepath.Glob("testdata/embedders/*/config.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range configs {
		var c struct {
			ModelType string `json:"model_type"`
		}
		if err := json.Unmarshal(read(t, name), &c); err != nil {
			t.Fatal(err)
		}
		tiny[c.ModelType] = true
	}
	for _, family := range decoder.Embedders() {
		if !tiny[family] {
			t.Errorf("%s: testdata/embedders.py makes no tiny checkpoint of it", family)
		}
	}
}

// TestDamagedModulesAreRefused holds that a module that cannot be applied is named before any weight is copied.
func TestDamagedModulesAreRefused(t *testing.T) {
	const whole = "testdata/embedders/modules"
	for _, c := range []struct {
		name   string
		damage func(dir string)
		says   []string
	}{
		{"no weights", func(dir string) { remove(t, dir, "4_Dense/model.safetensors") }, []string{"4_Dense/model.safetensors", "missing"}},
		{"weights in a pickle", func(dir string) {
			if err := os.Rename(filepath.Join(dir, "4_Dense/model.safetensors"), filepath.Join(dir, "4_Dense/pytorch_model.bin")); err != nil {
				t.Fatal(err)
			}
		}, []string{"4_Dense/pytorch_model.bin", "pickle", "save the model"}},
		{"cut weights", func(dir string) {
			if err := os.Truncate(filepath.Join(dir, "4_Dense/model.safetensors"), 400); err != nil {
				t.Fatal(err)
			}
		}, []string{"4_Dense/model.safetensors"}},
		{"another tensor", func(dir string) { change(t, dir, "4_Dense/model.safetensors", "linear.bias", "linear.bits") },
			[]string{"4_Dense/model.safetensors", "lacks the tensor linear.bias"}},
		{"another shape", func(dir string) { change(t, dir, "6_Dense/config.json", `"out_features": 40`, `"out_features": 39`) },
			[]string{"6_Dense/model.safetensors", "linear.weight", "[40 24]", "[39 24]"}},
		{"a chain that does not fit", func(dir string) { change(t, dir, "4_Dense/config.json", `"in_features": 64`, `"in_features": 60`) },
			[]string{"Dense", "takes 60"}},
		{"a norm's weights", func(dir string) { remove(t, dir, "3_LayerNorm/model.safetensors") }, []string{"3_LayerNorm/model.safetensors"}},
		{"no pooling config", func(dir string) { remove(t, dir, "1_Pooling/config.json") }, []string{"1_Pooling/config.json"}},
		{"modules that are no list", func(dir string) { change(t, dir, "modules.json", "[", "{") }, []string{"modules.json"}},
		{"an encoder elsewhere", func(dir string) { change(t, dir, "modules.json", `"path": ""`, `"path": "../0_Transformer"`) },
			[]string{"modules.json", "Transformer", "../0_Transformer", "outside"}},
		{"an encoder's folder that is not there", func(dir string) { change(t, dir, "modules.json", `"path": ""`, `"path": "0_Transformer"`) },
			[]string{"0_Transformer/config.json"}},
		{"a module of someone's own", func(dir string) { change(t, dir, "modules.json", "layer_norm.LayerNorm", "mine.Router") },
			[]string{"modules.json", "Router"}},
		{"a value that is no number", func(dir string) {
			path := filepath.Join(dir, "4_Dense/model.safetensors")
			data := read(t, path)
			binary.LittleEndian.PutUint32(data[len(data)-4:], math.Float32bits(float32(math.NaN())))
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"4_Dense/model.safetensors", "NaN"}},
	} {
		dir := copyDir(t, whole)
		c.damage(dir)
		err := refused(t, dir, c.name)
		for _, word := range c.says {
			if err == nil || !strings.Contains(filepath.ToSlash(err.Error()), word) {
				t.Errorf("%s: %v does not say %q", c.name, err, word)
			}
		}
	}
}

func remove(t *testing.T, dir, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, file)); err != nil {
		t.Fatal(err)
	}
}
