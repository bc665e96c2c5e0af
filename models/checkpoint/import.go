package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"textmill/ground/naming"
	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// A source is an open checkpoint.
type source interface {
	weights.Source
	// config is config.json, written by Hugging Face or in its words.
	config() []byte
	// baked tells what its tensors have in them already.
	baked() decoder.Baked
	// bytes is the size of all tensors.
	bytes() int64
	// embeds is what says that the model was made to embed, and what is made of its vectors; "" where nothing does.
	embeds() string
	// unasked is an error where it has something to change in the model that nothing asked for.
	unasked() error
	// copyTo writes the tokenizer and everything else that a bundle has beside its graph.
	copyTo(dir string) error
	Close() error
}

// Import makes a bundle, whole or not at all. It needs memory for a chunk of a matrix, not for the model.
func Import(ctx context.Context, o Options) (Result, error) {
	p := weights.Precision(o.Precision)
	switch p {
	case "":
		p = weights.FP32
	case weights.FP32, weights.Q8, weights.Q4, weights.AsIs:
	default:
		return Result{}, fmt.Errorf("%w: precision %q; known are fp32, q8, q4 and as-is", ErrUnsupported, o.Precision)
	}
	if o.Name == "" {
		o.Name = nameOf(o.Source)
	}
	if err := naming.CheckModel(o.Name); err != nil {
		return Result{}, fmt.Errorf("%w: the model's name %w; choose one with --name", ErrUnsupported, err)
	}
	src, err := open(o.Source)
	if err != nil {
		return Result{}, fmt.Errorf("import %s: %w", o.Source, err)
	}
	if o.Adapter != "" {
		with, err := openAdapter(src, o.Adapter)
		if err != nil {
			return Result{}, fmt.Errorf("import %s with the adapter %s: %w", o.Source, o.Adapter, errors.Join(err, src.Close()))
		}
		src = with
	}
	adapted, err := adapt(src, o.Adaptation)
	if err != nil {
		return Result{}, fmt.Errorf("import %s: %w", o.Source, errors.Join(err, src.Close()))
	}
	r, err := o.build(ctx, adapted, p)
	if err = errors.Join(err, src.Close()); err != nil {
		return Result{}, fmt.Errorf("import %s: %w", o.Source, err)
	}
	return r, nil
}

// nameOf derives a model's name from its file: SmolLM2-135M-Instruct.Q4_1.gguf is SmolLM2-135M-Instruct-Q4_1.
func nameOf(path string) string {
	return naming.Dashed(strings.TrimSuffix(filepath.Base(filepath.Clean(path)), ".gguf"))
}

func open(path string) (source, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w; SRC is a GGUF file or a directory on this machine", ErrUnsupported, err)
	case err != nil:
		return nil, err
	case st.IsDir():
		if inner, ok, err := staticAt(path); ok || err != nil {
			if err != nil {
				return nil, err
			}
			return openStatic(path, inner)
		}
		return openDirectory(path)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%w: it is no regular file", ErrUnsupported)
	case strings.HasSuffix(path, ".safetensors"):
		return nil, fmt.Errorf("%w: name the directory that %s is in, which also has config.json and tokenizer.json",
			ErrUnsupported, filepath.Base(path))
	case !strings.HasSuffix(path, ".gguf"):
		src, err := openGGUF(path)
		if err != nil {
			err = fmt.Errorf("%w; SRC is a GGUF file, or a Hugging Face directory with safetensors", err)
		}
		return src, err
	}
	return openGGUF(path)
}

// build makes the bundle in a hidden folder and renames it.
func (o Options) build(ctx context.Context, src source, p weights.Precision) (r Result, err error) {
	target := filepath.Join(o.Dir, o.Name)
	if _, err := os.Lstat(target); !o.Replace && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w: %s; textmill models remove %s, or choose another name with --name", ErrExists, target,
			o.Name)
	}
	s, err := newStaging(o.Dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.remove()) }()
	r = Result{Name: o.Name, Dir: target}
	if err := o.fill(ctx, s.dir, src, p, &r); err != nil {
		return r, err
	}
	if r.Files, err = models.HashBundle(ctx, s.dir); err != nil {
		return r, err
	}
	origin := o.Origin
	if origin == "" {
		origin = filepath.Base(o.Source)
	}
	if o.Adapter != "" {
		origin += " with the adapter " + filepath.Base(filepath.Clean(o.Adapter))
	}
	if o.Adaptation != "" {
		origin += ", adapted to " + o.Adaptation
	}
	if err := models.WriteRecord(s.dir, models.Record{Name: o.Name, Source: fmt.Sprintf("import of %s (%s)", origin, p),
		Files: r.Files}); err != nil {
		return r, err
	}
	spec, err := models.OpenBundle(s.dir)
	if err != nil {
		return r, err
	}
	if o.Card != nil {
		spec.Name = o.Name
		if err := o.Card.make(ctx, spec); err != nil {
			return r, fmt.Errorf("make the graph for a card: %w", err)
		}
	}
	return r, s.publish(target)
}

const dataName = "model.onnx.data"

func (o Options) fill(ctx context.Context, dir string, src source, p weights.Precision, r *Result) error {
	if err := os.Mkdir(filepath.Join(dir, "onnx"), 0o755); err != nil {
		return err
	}
	if err := src.copyTo(dir); err != nil {
		return err
	}
	data, err := onnxgraph.CreateData(filepath.Join(dir, "onnx", dataName))
	if err != nil {
		return err
	}
	done, total := int64(0), src.bytes()
	store := &weights.Store{Source: src, Data: data, Precision: p, Progress: func(n int64) {
		done += n
		if o.Progress != nil {
			o.Progress(min(done, total), total)
		}
	}}
	write, err := o.store(ctx, store, src, r)
	if err == nil {
		err = src.unasked()
	}
	if err = errors.Join(err, data.Close()); err != nil {
		return err
	}
	if data.Empty() { // all tensors are small enough to be part of the graph
		if err := os.Remove(filepath.Join(dir, "onnx", dataName)); err != nil {
			return err
		}
	}
	return write(dir)
}

// store copies the weights of whatever the configuration describes, and gives the function that writes the graphs.
func (o Options) store(ctx context.Context, s *weights.Store, src source, r *Result) (func(dir string) error, error) {
	if table, ok := src.(*static); ok {
		if o.Card != nil {
			return nil, fmt.Errorf("%w: a graph for a card of a static model: it runs on the processor, whatever the device", ErrUnsupported)
		}
		return table.store(ctx, s, r)
	}
	config := src.config()
	kind, err := describe(config)
	if err != nil {
		return nil, err
	}
	r.Architecture = kind.architecture()
	if r.Task, err = o.taskOf(src, kind); err != nil {
		return nil, err
	}
	switch {
	case r.Task == naming.TaskGenerate:
		c, err := decoder.ParseConfig(config)
		if err != nil {
			return nil, err
		}
		c.SetBaked(src.baked())
		m, err := decoder.Store(ctx, c, s)
		return func(dir string) error { return writeDecoder(dir, m, s.Precision) }, err
	case decoder.Embeds(kind.ModelType):
		if o.Card != nil {
			return nil, kind.noCard()
		}
		c, err := decoder.ParseEmbedder(config)
		if err != nil {
			return nil, err
		}
		c.SetBaked(src.baked())
		m, err := decoder.Store(ctx, c, s)
		return func(dir string) error {
			return errors.Join(writeGraph(dir, m.EmbeddingGraph, s.Precision), kind.completeModules(dir, src))
		}, err
	}
	c, err := encoder.ParseConfig(config)
	if err != nil {
		return nil, err
	}
	m, err := encoder.Store(ctx, c, s)
	return func(dir string) error { return writeGraph(dir, m.Graph, s.Precision) }, err
}
