package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/checkpoint/onnxgraph"
)

// trapWriter is a real ONNX decoder with a trap: the run of one token takes longer than any limit. Each token has one
// that always follows it, so that the right text is known without it.
const trapWriter = "trapwriter"

const (
	luringToken     = 59 // the slow one follows it: the trap lies in the text that is made, not in the prompt
	trapWriterNew   = 12
	trapWriterShard = 12
)

// follower is the token that follows one.
func follower(id int) int {
	if id == luringToken {
		return slowToken
	}
	return 3 + (id*7+5)%50
}

// makeTrapWriter writes the bundle as exporters lay it out.
func makeTrapWriter(ctx context.Context, dir, tokenizer string) error {
	config := fmt.Sprintf(`{"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":%d,"hidden_size":1,"num_hidden_layers":1,
"num_attention_heads":1,"num_key_value_heads":1,"head_dim":1,"max_position_embeddings":64,"eos_token_id":%d}`, vocabulary, endOfText)
	if err := os.MkdirAll(filepath.Join(dir, "onnx"), 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"config.json": config, "tokenizer.json": tokenizer} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := trapWriterGraph().WriteFile(filepath.Join(dir, "onnx", "model.onnx")); err != nil {
		return err
	}
	files, err := models.HashBundle(ctx, dir)
	if err != nil {
		return err
	}
	return models.WriteRecord(dir, models.Record{Name: trapWriter, Source: "internal/chaos", Files: files})
}

func trapWriterGraph() *onnxgraph.Graph {
	g := onnxgraph.New(trapWriter)
	op := func(name string, inputs []string, attrs ...onnxgraph.Attr) string {
		return g.Node(onnxgraph.ONNX(name), inputs, attrs...)
	}
	ids := g.Input("input_ids", onnxgraph.Int64, 1, "sequence")
	scores := make([]float32, vocabulary*vocabulary)
	for id := range vocabulary {
		scores[id*vocabulary+follower(id)] = 5
	}
	table := op("Reshape", []string{g.Floats("scores", scores...), g.Ints("scores_shape", vocabulary, vocabulary)})
	g.NodeTo([]string{"logits"}, onnxgraph.ONNX("Add"), []string{op("Gather", []string{table, ids}),
		slowChain(g, countOf(g, ids, slowToken))})
	fresh := op("Reshape", []string{op("Cast", []string{ids}, onnxgraph.Int("to", 1)),
		g.Ints("cache_shape", 1, 1, -1, 1)})
	for _, part := range []string{"key", "value"} {
		past := g.Input("past_key_values.0."+part, onnxgraph.Float32, 1, 1, "past", 1)
		g.NodeTo([]string{"present.0." + part}, onnxgraph.ONNX("Concat"), []string{past, fresh}, onnxgraph.Int("axis", 2))
	}
	g.Output("logits", onnxgraph.Float32, 1, "sequence", vocabulary)
	for _, part := range []string{"key", "value"} {
		g.Output("present.0."+part, onnxgraph.Float32, 1, 1, "total", 1)
	}
	return g
}

// writerTraps is a shard for the trap model: one prompt is a trap, one leads into it, the others know nothing of it.
func (c *cell) writerTraps(wave int) message {
	m := shardMessage{Job: fmt.Sprintf("t%d", wave), Shard: 0, Shards: 1, Dataset: trapWriter,
		Params: map[string]any{"max_new_tokens": trapWriterNew, "temperature": 0, "store_token_ids": true}}
	c.places[trapWriter] = true
	for i := range trapWriterShard {
		ids := []int{3 + c.random.IntN(50), 3 + c.random.IntN(50)}
		w := &want{dataset: trapWriter, output: &text{finish: "length"}}
		switch i {
		case 3:
			ids[0], w.fate, w.class = slowToken, failed, jobs.Timeout
		case 8:
			ids[1], w.fate, w.class = luringToken, failed, jobs.Timeout
		}
		for last := ids[1]; len(w.output.ids) < trapWriterNew; {
			last = follower(last)
			w.output.ids = append(w.output.ids, int32(last))
		}
		w.text = fmt.Sprintf("t%d t%d", ids[0], ids[1])
		id := fmt.Sprintf("trap-%d-%d", wave, i)
		c.wants[id] = w
		m.Records = append(m.Records, encode(record{id, w.text}))
	}
	c.struck("model run takes too long: a prompt's")
	c.struck("model run takes too long: a text's next token")
	return message{subject: jobs.Subject{Task: naming.TaskGenerate, Model: trapWriter, Job: m.Job}.String(),
		data: encode(m)}
}
