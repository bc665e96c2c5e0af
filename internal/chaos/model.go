package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"textmill/ground/places"
	"textmill/models/checkpoint"
)

// Model is the tiny model of a campaign: a real BERT, two layers of 32 values, which a checkpoint of a few kilobytes
// is imported to, so that hundreds of thousands of records are cheap.
const Model = "chaos"

// Twin is the same model under another name, for cells that give the same job to two.
const Twin = "twin"

const (
	poolSize   = 512
	vocabulary = 64 // tokens t0 (padding) to t63
	poisonous  = 63 // reserved for records that crash native code
	longest    = 40 // words of a text
)

// References are the texts that records are made of and their right vectors, which Python's ONNX Runtime and NumPy
// compute one text at a time.
type References struct {
	Texts   []string    `json:"texts"`
	Vectors [][]float32 `json:"vectors"`
}

// reference embeds each text alone: mean over the tokens, then to length 1.
const reference = `
import json, sys
import numpy as np, onnxruntime as ort
texts = json.load(sys.stdin)
o = ort.SessionOptions(); o.intra_op_num_threads = 1
s = ort.InferenceSession(sys.argv[1], o, providers=["CPUExecutionProvider"])
names = {i.name for i in s.get_inputs()}
out = []
for t in texts:
    ids = np.array([[int(w[1:]) for w in t.split()]], dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    v = s.run(None, {k: x for k, x in feed.items() if k in names})[0][0].astype(np.float64).mean(axis=0)
    out.append([float(x) for x in v / np.linalg.norm(v)])
print(json.dumps(out))
`

// copyTiny copies a tiny checkpoint and returns its tokenizer, changed to one of words that spaces set apart.
func copyTiny(from, to string) (tokenizer string, err error) {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(to, "tokenizer.json"))
	if err != nil {
		return "", err
	}
	return strings.Replace(string(data), `"pre_tokenizer": null`, `"pre_tokenizer": {"type": "WhitespaceSplit"}`, 1), nil
}

// MakeModel imports the model to dir/models/chaos and computes its references, and writes the one with traps beside
// it. root is the source tree.
func MakeModel(ctx context.Context, root, dir, python string) (*References, error) {
	source := filepath.Join(dir, "checkpoint")
	words, err := copyTiny(filepath.Join(root, "models/checkpoint/testdata/tiny/bert"), source)
	if err != nil {
		return nil, err
	}
	small := smallFiles(words)
	for name, text := range small {
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if err := makeTrap(ctx, places.Model(dir, trapModel), small); err != nil {
		return nil, err
	}
	r, err := checkpoint.Import(ctx, checkpoint.Options{Source: source, Dir: places.Models(dir), Name: Model})
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(places.Model(dir, Twin), os.DirFS(r.Dir)); err != nil {
		return nil, err
	}
	return references(ctx, filepath.Join(r.Dir, "onnx", "model.onnx"), python)
}

func references(ctx context.Context, graph, python string) (*References, error) {
	refs := &References{Texts: make([]string, poolSize)}
	random := rand.New(rand.NewPCG(2, 71))
	for i := range refs.Texts {
		words := make([]string, 1+random.IntN(longest))
		for w := range words {
			words[w] = fmt.Sprintf("t%d", 1+random.IntN(poisonous-1))
		}
		refs.Texts[i] = strings.Join(words, " ")
	}
	in, err := json.Marshal(refs.Texts)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, python, "-c", reference, graph)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("compute the reference vectors with %s: %w", python, err)
	}
	return refs, json.Unmarshal(out, &refs.Vectors)
}
