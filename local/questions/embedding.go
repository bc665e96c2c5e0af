package questions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"textmill/config"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local"
	"textmill/models"
	"textmill/open"
	"textmill/open/bundle"
	"textmill/search"
	"textmill/work/rows"
)

// ErrModel is the class of tables whose model is not on this machine.
var ErrModel = errors.New("the table's model is not here")

// openModel loads the very model that made the rows of a table, whichever of its bundle's graphs that is.
func openModel(ctx context.Context, cfg config.Config, m search.Model, table string,
	log *slog.Logger) (*open.Embedder, error) {
	spec, err := bundle.Named(cfg, m.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: the rows of %s were made by %s: %w", ErrModel, table, m, err)
	}
	if spec.SHA256 != m.SHA256 {
		graph, found := "", false
		for _, graph = range spec.Graphs {
			other, err := models.OpenGraph(spec.Dir, graph)
			if found = err == nil && other.SHA256 == m.SHA256; found {
				break
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: the rows of %s were made by %s, with model_sha256 %s; %s has %s here. Bring the model "+
				"that made them (textmill models pull, textmill models import), or embed the texts anew with the one that is "+
				"here: textmill submit --model %s --dataset NEW FILE", ErrModel, table, m.Name, m.SHA256, spec.Dir, spec.SHA256,
				m.Name)
		}
		cfg.Models = maps.Clone(cfg.Models)
		if cfg.Models == nil {
			cfg.Models = map[string]config.Model{}
		}
		own := cfg.Models[m.Name]
		own.ONNXFile = graph
		cfg.Models[m.Name] = own
	}
	return open.EmbeddingNamed(ctx, cfg, m.Name, true, log)
}

// embedding turns questions into vectors.
type embedding struct {
	work rows.Work
	log  *slog.Logger
}

// own are the params of a question's embedding that the table does not settle.
var own = []string{"prompt", "prompt_name", "pooling", "normalize", "max_length", "truncate"}

// newEmbedding has questions embedded as the model's texts are, cut to the table's dimensions, with the prompt for
// queries where the model has one.
func newEmbedding(m *open.Embedder, dim int, o Options) (*embedding, error) {
	for name := range o.Params {
		if !slices.Contains(own, name) {
			return nil, fmt.Errorf("%w: --param %s: of a question there may be said %s", local.ErrUsage, name,
				strings.Join(own, ", "))
		}
	}
	params, _, err := local.Params(naming.TaskEmbed, o.Params, jobs.ParseEmbedParams)
	if err != nil {
		return nil, err
	}
	if dim > m.Spec.Dim {
		return nil, fmt.Errorf("the table's vectors have %d dimensions, those of model %s have %d", dim, m.Spec.Name,
			m.Spec.Dim)
	}
	if dim < m.Spec.Dim || m.Spec.Truncate != 0 {
		params.Dimensions = dim
	}
	if _, has := m.Spec.Prompts[queryPrompt]; has && params.Prompt == nil && params.PromptName == nil {
		name := queryPrompt
		params.PromptName = &name
	}
	return &embedding{m.Engine.Work(&jobs.Shard{Embed: params}, rows.Origin{}), o.Log}, nil
}

// queryPrompt is what sentence-transformers calls the prompt of queries.
const queryPrompt = "query"

// vectors embeds questions and says of each which it is, and why it failed.
func (e *embedding) vectors(ctx context.Context, list []jobs.Record, answers []Answer) ([][]float32, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		question int
		rows     []export.Row
	}
	results := make(chan result, len(list))
	for i, r := range list {
		answers[i].ID, answers[i].Text = r.ID, r.Text
		if err := e.work.Do(ctx, r, func(rows []export.Row) { results <- result{i, rows} }); err != nil {
			return nil, err
		}
	}
	vectors := make([][]float32, len(list))
	for range list {
		var got result
		select {
		case got = <-results:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if len(got.rows) == 0 {
			return nil, errors.Join(local.ErrStopped, context.Cause(ctx))
		}
		row := &got.rows[0]
		if row.Error != "" {
			answers[got.question].Failed = jobs.ParseRecordError(row.Error)
			continue
		}
		if row.Truncated.V {
			e.log.WarnContext(ctx, "the question is longer than the model reads, and was cut", "question",
				answers[got.question].ID, "n_dropped", row.NDropped.V)
		}
		vectors[got.question] = row.Embedding
	}
	return vectors, nil
}
