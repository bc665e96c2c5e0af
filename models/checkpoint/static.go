package checkpoint

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"textmill/ground/naming"
	"textmill/ground/regular"
	"textmill/models"
	"textmill/models/checkpoint/internal/vocabulary"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/checkpoint/tensor"
)

// Whose mean a table's is: the names that Result.Architecture has for it.
const (
	model2vec       = "StaticModel"     // of model2vec
	staticEmbedding = "StaticEmbedding" // of sentence-transformers
)

// StaticModels lists the models without layers that can be imported.
func StaticModels() []string { return []string{staticEmbedding, model2vec} }

// A static is a table of token vectors, in the layout of model2vec or of sentence-transformers.
type static struct {
	*directory
	inner string // the folder of table and tokenizer
	table *tensor.Tensor
	// Row i of the table is vectors[mapping[i]] times factors[i], where they are there.
	mapping, factors []float32
	settings         models.Static
}

// staticAt tells whether dir holds one, and in which folder its table is.
func staticAt(dir string) (inner string, ok bool, err error) {
	type module struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	var modules []module
	if err := readIfThere(filepath.Join(dir, "modules.json"), &modules); err != nil {
		return "", false, err
	}
	if len(modules) > 0 && strings.HasSuffix(modules[0].Type, ".StaticEmbedding") {
		for _, m := range modules[1:] {
			if !strings.HasSuffix(m.Type, ".Normalize") {
				return "", false, fmt.Errorf("%w: modules.json has %s after StaticEmbedding; only Normalize is known there",
					ErrUnsupported, m.Type)
			}
		}
		if p := filepath.FromSlash(cmp.Or(modules[0].Path, ".")); filepath.IsLocal(p) {
			return filepath.Join(dir, p), true, nil
		}
		return "", false, fmt.Errorf("%w: modules.json puts StaticEmbedding into %q", ErrUnsupported, modules[0].Path)
	}
	var config kind
	err = readIfThere(filepath.Join(dir, "config.json"), &config)
	return dir, config.ModelType == "model2vec", err
}

func readIfThere(path string, into any) error {
	data, err := regular.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("%w: read %s: %w", ErrUnsupported, path, err)
	}
	return nil
}

func openStatic(dir, inner string) (s *static, err error) {
	set, err := openTensors(inner)
	if err != nil {
		return nil, err
	}
	s = &static{directory: &directory{Set: set, dir: dir, inner: dir}, inner: inner}
	defer func() {
		if err != nil {
			err = errors.Join(err, set.Close())
		}
	}()
	words, err := vocabulary.ReadWords(filepath.Join(inner, "tokenizer.json"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if table, ok := set.Tensor("embedding.weight"); ok {
		s.table = table
		err = s.readSentence(words)
	} else if s.table, ok = set.Tensor("embeddings"); ok {
		err = s.readModel2vec(words)
	} else {
		err = fmt.Errorf("%w: it has neither the tensor embeddings, as model2vec has it, nor embedding.weight, as sentence-transformers has it; it has %v",
			ErrUnsupported, set.Names())
	}
	if err != nil {
		return nil, err
	}
	return s, s.check(words)
}

// readSentence reads what sentence-transformers alone has.
func (s *static) readSentence(words vocabulary.Words) error {
	var modules []struct{}
	err := readIfThere(filepath.Join(s.dir, "modules.json"), &modules)
	s.settings = models.Static{Of: staticEmbedding, LeaveOut: -1, MaxLength: words.Truncation,
		Normalize: len(modules) > 1} // staticAt knows no other module
	return err
}

// readModel2vec reads what model2vec alone has.
func (s *static) readModel2vec(words vocabulary.Words) error {
	var config struct {
		MaxLength json.RawMessage `json:"max_length"`
		Normalize bool            `json:"normalize"`
	}
	if err := readIfThere(filepath.Join(s.dir, "config.json"), &config); err != nil {
		return err
	}
	s.settings = models.Static{Of: model2vec, LeaveOut: words.Unknown, MaxLength: 512, CharsPerToken: words.Median,
		Normalize: config.Normalize}
	if len(config.MaxLength) > 0 { // null is none
		s.settings.MaxLength = 0
		if err := json.Unmarshal(config.MaxLength, &s.settings.MaxLength); err != nil || s.settings.MaxLength < 0 {
			return fmt.Errorf("%w: config.json: max_length is %s", ErrUnsupported, config.MaxLength)
		}
	}
	for name, into := range map[string]*[]float32{"mapping": &s.mapping, "weights": &s.factors} {
		t, ok := s.Tensor(name)
		if !ok {
			continue
		}
		if len(t.Shape) != 1 || t.Shape[0] < 1 || t.Shape[0] > models.LongestStatic {
			return fmt.Errorf("%w: tensor %s has the shape %v, one number a token is known", ErrUnsupported, name, t.Shape)
		}
		*into = make([]float32, t.Shape[0])
		if err := t.Floats(*into, 0); err != nil {
			return err
		}
	}
	return nil
}

// rows is how many token IDs the table is for.
func (s *static) rows() int {
	if s.mapping != nil {
		return len(s.mapping)
	}
	return s.table.Rows()
}

func (s *static) check(words vocabulary.Words) error {
	switch {
	case len(s.table.Shape) != 2:
		return fmt.Errorf("%w: tensor %s has the shape %v, a row a token is known", ErrUnsupported, s.table.Name, s.table.Shape)
	case words.Most > s.rows():
		without := ""
		if s.mapping == nil {
			without = " without a tensor mapping"
		}
		return fmt.Errorf("%w: tokenizer.json has token IDs up to %d, the table is for %d%s", ErrUnsupported, words.Most-1,
			s.rows(), without)
	case s.factors != nil && len(s.factors) < s.rows():
		return fmt.Errorf("%w: tensor weights has %d numbers for %d token IDs", ErrUnsupported, len(s.factors), s.rows())
	case words.TruncatesLeft && s.settings.Of == staticEmbedding:
		return fmt.Errorf("%w: the truncation in tokenizer.json is from the left", ErrUnsupported)
	}
	for i, row := range s.mapping {
		if row != float32(int(row)) || row < 0 || int(row) >= s.table.Rows() {
			return fmt.Errorf("%w: tensor mapping leads token %d to row %v of %d", ErrUnsupported, i, row, s.table.Rows())
		}
	}
	return nil
}

// config is what stands for config.json where there is none.
func (s *static) config() []byte {
	data, err := regular.ReadFile(filepath.Join(s.dir, "config.json"))
	if err != nil {
		data, _ = json.Marshal(map[string]any{"architectures": []string{s.settings.Of}, "hidden_size": s.table.Width(),
			"vocab_size": s.rows()})
	}
	return data
}

func (s *static) copyTo(dir string) error {
	if err := s.directory.copyTo(dir); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(dir, "tokenizer.json"), filepath.Join(s.inner, "tokenizer.json")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), s.config(), 0o644); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, models.StaticName), s.settings)
}

// store copies the table as floats, a chunk at a time, and gives the function that writes the graph, a lookup.
func (s *static) store(ctx context.Context, w *weights.Store, r *Result) (func(dir string) error, error) {
	if w.Precision != weights.FP32 && w.Precision != weights.AsIs {
		return nil, fmt.Errorf("%w: precision %s; a table of token vectors is kept in fp32, which costs no time here",
			ErrUnsupported, w.Precision)
	}
	r.Task, r.Architecture = naming.TaskEmbed, s.settings.Of
	dim := s.table.Width()
	stored, err := w.StoreFloats("embeddings", []int{s.rows(), dim}, func(out io.Writer) error {
		return s.writeTable(ctx, out, w.Progress)
	})
	if err != nil {
		return nil, err
	}
	g := onnxgraph.New("static")
	ids := g.Input("input_ids", onnxgraph.Int64, "batch", "sequence")
	g.Input("attention_mask", onnxgraph.Int64, "batch", "sequence") // as callers of ONNX files expect
	g.NodeTo([]string{"last_hidden_state"}, onnxgraph.ONNX("Gather"), []string{g.Tensor(stored), ids})
	g.Output("last_hidden_state", onnxgraph.Float32, "batch", "sequence", dim)
	return func(dir string) error { return g.WriteFile(filepath.Join(dir, "onnx", "model.onnx")) }, nil
}

func (s *static) writeTable(ctx context.Context, out io.Writer, progress func(int64)) error {
	dim := s.table.Width()
	step := max(1, (1<<20)/(4*dim))
	rows, raw := make([]float32, step*dim), make([]byte, 0, 4*step*dim)
	for i := 0; i < s.rows(); i += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(step, s.rows()-i)
		if err := s.readRows(rows[:n*dim], i); err != nil {
			return err
		}
		raw = raw[:0]
		for _, v := range rows[:n*dim] {
			if v-v != 0 {
				return fmt.Errorf("%w %s: it holds the value %v", tensor.ErrTensor, s.table.Name, v)
			}
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		if _, err := out.Write(raw); err != nil {
			return err
		}
		progress(int64(len(raw)))
	}
	return nil
}

// readRows reads rows of token IDs from on.
func (s *static) readRows(dst []float32, from int) error {
	dim := s.table.Width()
	if s.mapping == nil {
		if err := s.table.Floats(dst, from); err != nil {
			return err
		}
	}
	for i, row := range slices.Collect(slices.Chunk(dst, dim)) {
		if s.mapping != nil {
			if err := s.table.Floats(row, int(s.mapping[from+i])); err != nil {
				return err
			}
		}
		if s.factors != nil {
			for j := range row {
				row[j] *= s.factors[from+i]
			}
		}
	}
	return nil
}
