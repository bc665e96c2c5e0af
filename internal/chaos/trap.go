package chaos

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/checkpoint/onnxgraph"
)

// trapModel is a real ONNX model with traps: some tokens make its run take longer than any limit, some make it ask for
// more memory than there is. Without them a token's values are a row of a table, so that the right vector is known
// without it.
const trapModel = "trap"

const (
	slowToken   = 61 // its run takes many seconds
	hugeToken   = 60 // its run needs 4 TiB
	paired      = 62 // two of it in one batch need 4 TiB, one alone does not
	trapDim     = 8
	slowSize    = 8 << 20
	slowNodes   = 400
	hugeLog2    = 40
	runLimit    = 2 * time.Second
	trapRecords = 20
)

func trapTable() []float32 {
	var table []float32
	for i := range vocabulary {
		for j := range trapDim {
			table = append(table, float32((i*7+j*13+i*j)%17)/8-0.9)
		}
	}
	return table
}

// trapVector is the mean of a text's rows, of length 1.
func trapVector(ids ...int) []float32 {
	table, sum := trapTable(), make([]float64, trapDim)
	for _, id := range ids {
		for j := range sum {
			sum[j] += float64(table[id*trapDim+j])
		}
	}
	var norm float64
	for _, v := range sum {
		norm += v * v
	}
	out := make([]float32, trapDim)
	for j, v := range sum {
		out[j] = float32(v / math.Sqrt(norm))
	}
	return out
}

// makeTrap writes the bundle; small are the files that it shares with the other model.
func makeTrap(ctx context.Context, dir string, small map[string]string) error {
	for name, text := range small {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		text = strings.ReplaceAll(text, `"word_embedding_dimension":32`, fmt.Sprintf(`"word_embedding_dimension":%d`,
			trapDim))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	config := fmt.Sprintf(`{"architectures":["BertModel"],"model_type":"bert","hidden_size":%d,"max_position_embeddings":64,"pad_token_id":0}`, trapDim)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "onnx"), 0o755); err != nil {
		return err
	}
	if err := trapGraph().WriteFile(filepath.Join(dir, "onnx", "model.onnx")); err != nil {
		return err
	}
	files, err := models.HashBundle(ctx, dir)
	if err != nil {
		return err
	}
	return models.WriteRecord(dir, models.Record{Name: trapModel, Source: "internal/chaos", Files: files})
}

func trapGraph() *onnxgraph.Graph {
	g := onnxgraph.New(trapModel)
	op := func(name string, inputs []string, attrs ...onnxgraph.Attr) string {
		return g.Node(onnxgraph.ONNX(name), inputs, attrs...)
	}
	ids := g.Input("input_ids", onnxgraph.Int64, "batch", "sequence")
	g.Input("attention_mask", onnxgraph.Int64, "batch", "sequence")
	table := op("Reshape", []string{g.Floats("values", trapTable()...), g.Ints("table_shape", vocabulary, trapDim)})
	hidden := op("Gather", []string{table, ids})
	// The huge trap: 2^40 values when a batch holds two of one token or one of another.
	c := op("Add", []string{countOf(g, ids, paired), op("Mul", []string{countOf(g, ids, hugeToken), g.Ints("two", 2)})})
	c = op("Cast", []string{op("Min", []string{c, g.Ints("two", 2)})}, onnxgraph.Int("to", 1))
	c = op("Max", []string{op("Sub", []string{c, g.Floats("one_f", 1)}), g.Floats("zero_f", 0)})
	power := op("Pow", []string{g.Floats("two_f", 2), op("Mul", []string{c, g.Floats("log2_f", hugeLog2)})})
	huge := op("ConstantOfShape", []string{op("Cast", []string{power}, onnxgraph.Int("to", 7))})
	g.NodeTo([]string{"last_hidden_state"}, onnxgraph.ONNX("Sum"),
		[]string{hidden, slowChain(g, countOf(g, ids, slowToken)), nothing(g, huge)})
	g.Output("last_hidden_state", onnxgraph.Float32, "batch", "sequence", trapDim)
	return g
}

// countOf is how many of ids are a token.
func countOf(g *onnxgraph.Graph, ids string, token int64) string {
	is := g.Node(onnxgraph.ONNX("Equal"), []string{ids, g.Scalar(fmt.Sprintf("token_%d", token), token)})
	n := g.Node(onnxgraph.ONNX("ReduceSum"),
		[]string{g.Node(onnxgraph.ONNX("Cast"), []string{is}, onnxgraph.Int("to", 7))}, onnxgraph.Int("keepdims", 0))
	return g.Node(onnxgraph.ONNX("Reshape"), []string{n, g.Ints("one", 1)})
}

// slowChain is the slow trap: a long chain over one value, or over many if count is not 0. It comes to nothing.
func slowChain(g *onnxgraph.Graph, count string) string {
	some := g.Node(onnxgraph.ONNX("Min"), []string{count, g.Ints("one", 1)})
	size := g.Node(onnxgraph.ONNX("Add"), []string{g.Node(onnxgraph.ONNX("Mul"),
		[]string{some, g.Ints("slow_size", slowSize)}), g.Ints("one", 1)})
	x := g.Node(onnxgraph.ONNX("ConstantOfShape"), []string{size})
	for range slowNodes {
		x = g.Node(onnxgraph.ONNX("Cos"), []string{x})
	}
	return nothing(g, x)
}

// nothing is 0, but only once v is computed.
func nothing(g *onnxgraph.Graph, v string) string {
	mean := g.Node(onnxgraph.ONNX("ReduceMean"), []string{v}, onnxgraph.Int("keepdims", 0))
	return g.Node(onnxgraph.ONNX("Mul"), []string{mean, g.Floats("zero_f", 0)})
}

// traps is a shard for the trap model: most records know nothing of the traps that some of their neighbours are.
func (c *cell) traps(wave int) message {
	m := shardMessage{Job: fmt.Sprintf("t%d", wave), Shard: 0, Shards: 1, Dataset: trapModel}
	c.places[trapModel] = true
	for i := range trapRecords {
		ids := []int{1 + c.random.IntN(50), 1 + c.random.IntN(50), 1 + c.random.IntN(50)}
		w := &want{dataset: trapModel}
		switch i {
		case 4:
			ids[1], w.fate, w.class = slowToken, failed, jobs.Timeout
		case 9, 12:
			ids[1] = paired
		case 15:
			ids[1], w.fate, w.class = hugeToken, failed, jobs.OutOfMemory
		}
		w.text = fmt.Sprintf("t%d t%d t%d", ids[0], ids[1], ids[2])
		w.vector = trapVector(ids...)
		id := fmt.Sprintf("trap-%d-%d", wave, i)
		c.wants[id] = w
		m.Records = append(m.Records, encode(record{id, w.text}))
	}
	c.struck("model run takes too long")
	c.struck("out of memory: one record")
	c.struck("out of memory: a batch")
	return message{subject: jobs.Subject{Task: naming.TaskEmbed, Model: trapModel, Job: m.Job}.String(), data: encode(m)}
}

func smallFiles(tokenizer string) map[string]string {
	return map[string]string{ // #nosec G101 -- tokens of text, not of access
		"tokenizer.json":            tokenizer,
		"tokenizer_config.json":     `{"pad_token":"t0","model_max_length":64}`,
		"sentence_bert_config.json": `{"max_seq_length":64,"do_lower_case":false}`,
		"modules.json": `[{"idx":0,"path":"","type":"sentence_transformers.models.Transformer"},
{"idx":1,"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
{"idx":2,"path":"2_Normalize","type":"sentence_transformers.models.Normalize"}]`,
		"1_Pooling/config.json": `{"word_embedding_dimension":32,"pooling_mode_mean_tokens":true}`,
	}
}
