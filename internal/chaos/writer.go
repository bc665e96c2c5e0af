package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/jobs"
	"textmill/models/checkpoint"
)

// Writer is the tiny generation model of a campaign: a real Llama, two layers of 32 values.
const Writer = "writer"

const (
	writerSlots   = 8
	mostNewTokens = 24
	writerShards  = 8
	writerRecords = 15
	endOfText     = 2
)

// Continuations are prompts and what NumPy continues them with, one at a time and greedily, by most tokens.
type Continuations struct {
	Prompts []string
	Outputs [][]int32
}

// writing continues prompts in float64, from nothing but the checkpoint. It is compared with the logits that
// transformers computed of the same checkpoint first. gap is how far the best token was ahead of the next one, where
// that was least.
const writing = `
import json, os, struct, sys
import numpy as np
folder, most = sys.argv[1], int(sys.argv[2])
config = json.load(open(os.path.join(folder, "config.json")))
raw = open(os.path.join(folder, "model.safetensors"), "rb").read()
size = struct.unpack("<Q", raw[:8])[0]
w = {}
for name, t in json.loads(raw[8:8 + size]).items():
    if name != "__metadata__":
        assert t["dtype"] == "BF16", t
        a, b = (8 + size + o for o in t["data_offsets"])
        w[name] = (np.frombuffer(raw[a:b], "<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64).reshape(t["shape"])
heads, shared, dim = config["num_attention_heads"], config["num_attention_heads"] // config["num_key_value_heads"], config["head_dim"]
def norm(x, gain):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + config["rms_norm_eps"]) * gain
def rotate(x):
    angle = np.outer(np.arange(len(x)), config["rope_parameters"]["rope_theta"] ** (-np.arange(0, dim, 2) / dim))[:, None]
    a, b = x[..., :dim // 2], x[..., dim // 2:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)
def logits(ids):
    x, n = w["model.embed_tokens.weight"][ids], len(ids)
    future = np.triu(np.full((n, n), -np.inf), 1)
    for i in range(config["num_hidden_layers"]):
        of = lambda name: w["model.layers.%d.%s.weight" % (i, name)]
        h = norm(x, of("input_layernorm"))
        q, k, v = ((h @ of("self_attn.%s_proj" % m).T).reshape(n, -1, dim) for m in "qkv")
        q, k, seen = rotate(q), rotate(k), []
        for j in range(heads):
            s = q[:, j] @ k[:, j // shared].T / np.sqrt(dim) + future
            e = np.exp(s - s.max(-1, keepdims=True))
            seen.append(e / e.sum(-1, keepdims=True) @ v[:, j // shared])
        x = x + np.concatenate(seen, -1) @ of("self_attn.o_proj").T
        h = norm(x, of("post_attention_layernorm"))
        gate = h @ of("mlp.gate_proj").T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ of("mlp.up_proj").T)) @ of("mlp.down_proj").T
    return norm(x, w["model.norm.weight"]) @ w["model.embed_tokens.weight"].T
for row in json.load(open(os.path.join(folder, "reference.json"))):
    off = np.abs(logits(row["input_ids"]) - np.array(row["values"])).max()
    assert off < 1e-3, "the logits are %g from those of transformers" % off
out = []
for prompt in json.load(sys.stdin):
    ids, made, gap = [int(t[1:]) for t in prompt.split()], [], 1e9
    while len(made) < most and (not made or made[-1] != config["eos_token_id"]):
        last = logits(ids + made)[-1]
        order = np.argsort(last)
        gap = min(gap, float(last[order[-1]] - last[order[-2]]))
        made.append(int(order[-1]))
    out.append({"ids": made, "gap": gap})
print(json.dumps(out))
`

// clear is how far ahead the best token must be for float32 to choose it as well.
const clear = 1e-3

// MakeWriter imports the model to dir/models/writer and computes its references, and writes the one with a trap beside
// it. root is the source tree.
func MakeWriter(ctx context.Context, root, dir, python string) (*Continuations, error) {
	tiny := filepath.Join(root, "models/checkpoint/testdata/tiny/llama")
	source := filepath.Join(dir, Writer)
	words, err := copyTiny(tiny, source)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(source, "tokenizer.json"), []byte(words), 0o644); err != nil {
		return nil, err
	}
	if err := makeTrapWriter(ctx, places.Model(dir, trapWriter), words); err != nil {
		return nil, err
	}
	if _, err := checkpoint.Import(ctx, checkpoint.Options{Source: source, Dir: places.Models(dir),
		Name: Writer}); err != nil {
		return nil, err
	}
	return continuations(ctx, tiny, python)
}

func continuations(ctx context.Context, folder, python string) (*Continuations, error) {
	random := rand.New(rand.NewPCG(2, 72))
	prompts := make([]string, poolSize)
	for i := range prompts {
		words := make([]string, 1+random.IntN(longest/2))
		for w := range words {
			words[w] = fmt.Sprintf("t%d", 3+random.IntN(poisonous-3))
		}
		prompts[i] = strings.Join(words, " ")
	}
	cmd := exec.CommandContext(ctx, python, "-c", writing, folder, fmt.Sprint(mostNewTokens))
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(encode(prompts))), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("compute the reference texts with %s: %w", python, err)
	}
	var made []struct {
		IDs []int32
		Gap float64
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, err
	}
	all := &Continuations{}
	for i, m := range made {
		if m.Gap > clear {
			all.Prompts, all.Outputs = append(all.Prompts, prompts[i]), append(all.Outputs, m.IDs)
		}
	}
	if len(all.Prompts) < poolSize/4 {
		return nil, fmt.Errorf("only %d of %d prompts have clear continuations", len(all.Prompts), poolSize)
	}
	return all, nil
}

// text is what a record of a generation job should become.
type text struct {
	ids    []int32
	finish string
}

// limit cuts a reference at the most tokens that a record asks for.
func limit(ids []int32, most int) *text {
	if len(ids) > most {
		return &text{ids[:most], "length"}
	}
	if ids[len(ids)-1] == endOfText {
		return &text{ids, "eos"}
	}
	return &text{ids, "length"}
}

func (t *text) is(ids []int32, finish string) bool {
	return slices.Equal(t.ids, ids) && t.finish == finish
}

// writes makes the next job of a cell that generates.
func (c *cell) writes() []message {
	w := c.waves
	c.waves++
	job := fmt.Sprintf("w%d", w)
	poison := c.Poison && w > 0 && w%3 == 0
	var all []message
	for s := range writerShards {
		most := 1 + c.random.IntN(mostNewTokens)
		m := shardMessage{Job: job, Shard: s, Shards: writerShards, Dataset: dataset,
			Params: map[string]any{"max_new_tokens": most, "temperature": 0, "store_token_ids": true}}
		for i := range writerRecords {
			id, n := fmt.Sprintf("%d-%d-%d", w, s, i), c.random.IntN(len(c.camp.Texts.Prompts))
			want := &want{text: c.camp.Texts.Prompts[n], output: limit(c.camp.Texts.Outputs[n], most), class: jobs.BadUTF8,
				dataset: dataset}
			c.wants[id] = want
			switch {
			case s == 1 && i == 7:
				want.fate = failed
				m.Records = append(m.Records, badRecord(id))
				continue
			case poison && s == 4 && i == w%writerRecords:
				want.fate = crasher
				want.text += fmt.Sprintf(" t%d", poisonous)
			}
			m.Records = append(m.Records, encode(record{id, want.text}))
		}
		all = append(all, message{subject: jobs.Subject{Task: naming.TaskGenerate, Model: Writer, Job: job}.String(),
			data: encode(m)})
	}
	if c.Traps {
		all = append(all, c.writerTraps(w))
	}
	c.recent = append(c.recent, all...)
	return all
}
