package embedding

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/embed"
	"textmill/work/rows"
)

// instant is a card that takes no time.
type instant struct{ dim int }

func (i instant) Embed(_ context.Context, texts []embed.Row) ([]embed.Vector, error) {
	all, out := make([]float32, len(texts)*i.dim), make([]embed.Vector, len(texts))
	for k := range out {
		out[k] = all[k*i.dim : (k+1)*i.dim]
		out[k][0] = 1
	}
	return out, nil
}

func (i instant) Ask(ctx context.Context, texts []embed.Row) ([]embed.Vector, error) {
	return i.Embed(ctx, texts)
}

func (instant) Workers() int     { return 4 }
func (instant) BatchTokens() int { return 8192 }
func (instant) Packed() bool     { return true }

// BenchmarkEngine tells what everything but the model and the table costs a text.
func BenchmarkEngine(b *testing.B) {
	spec := &models.Spec{Name: "m", Task: "embed", MaxLength: 256, Dim: 384, Hidden: 384, Pooling: "mean", Normalize: true, SHA256: "abc"}
	e := New(Options{Spec: spec, Embedder: instant{384}, Tokenizer: words{}})
	defer e.Close()
	plan := e.Resolve(jobs.EmbedParams{StoreText: true}, rows.Origin{})
	if plan.failure != nil {
		b.Fatal(plan.failure)
	}
	var waiting sync.WaitGroup
	n := 0
	for b.Loop() {
		waiting.Add(1)
		n++
		err := e.Do(b.Context(), Task{Record: jobs.Record{ID: fmt.Sprint(n), Text: "a text of ten words, as short ones often are"}, Plan: plan,
			Done: func([]export.Row) { waiting.Done() }})
		if err != nil {
			b.Fatal(err)
		}
	}
	waiting.Wait()
}
