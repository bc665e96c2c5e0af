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
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local"
	"textmill/models"
	"textmill/open"
	"textmill/open/bundle"
	"textmill/search"
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

// own are the params of a question's embedding that the table does not settle.
var own = []string{"prompt", "prompt_name", "pooling", "normalize", "max_length", "truncate"}

// params are those of a question.
func (o Options) params() (*jobs.EmbedParams, error) {
	for name := range o.Params {
		if !slices.Contains(own, name) {
			return nil, fmt.Errorf("%w: --param %s: of a question there may be said %s", local.ErrUsage, name,
				strings.Join(own, ", "))
		}
	}
	params, _, err := local.Params(naming.TaskEmbed, o.Params, jobs.ParseEmbedParams)
	return &params, err
}
