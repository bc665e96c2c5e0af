package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"textmill/config"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/ground/plain"
	"textmill/jobs"
	"textmill/local"
	"textmill/models/generate"
	"textmill/models/session"
	"textmill/open"
	"textmill/open/bundle"
	"textmill/work/rows"
)

// Prompts describes a measurement of a generation model.
type Prompts struct {
	Model  string
	Params map[string]string
	Texts  local.Texts
	Alone  bool // each prompt after the one before it has ended
	JSON   bool
	Out    io.Writer
}

// generateBench is what was measured.
type generateBench struct {
	Records      int         `json:"records"`
	Slots        int         `json:"slots"`
	Threads      int         `json:"threads"`
	PromptTokens int         `json:"prompt_tokens"`
	Tokens       int         `json:"tokens"`
	Seconds      float64     `json:"seconds"` // from the first record to the last row; loading the model does not count
	Rate         float64     `json:"tokens_per_s"`
	Prefill      benchRuns   `json:"prefill"`
	Decode       benchRuns   `json:"decode"`
	Texts        []benchText `json:"texts"`
}

// benchRuns is what runs of one kind add up to. Tokens are those that went through the model: a prompt's start that a
// slot held already did not.
type benchRuns struct {
	Runs    int     `json:"runs"`
	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
}

type benchText struct {
	ID        string  `json:"id"`
	PromptIDs []int32 `json:"prompt_ids"`
	OutputIDs []int32 `json:"output_ids"`
	Finish    string  `json:"finish_reason"`
}

// warmUp runs before the measurement and touches what a first run touches. It begins unlike a conversation, so that no
// prompt finds its start in the KV cache.
var warmUp = []jobs.Record{{ID: "w1", Text: "Once upon a time there was a"},
	{ID: "w2", Text: "The first thing to do is"}}

// Generation measures how many tokens a second a model adds to prompts, its templates and tokenizer included.
func Generation(ctx context.Context, cfg config.Config, o Prompts, log *slog.Logger) (err error) {
	params, _, err := local.Params(naming.TaskGenerate, o.Params, jobs.ParseGenerateParams)
	if err != nil {
		return err
	}
	s, err := bundle.Named(cfg, o.Model)
	if err != nil {
		return err
	}
	if s.Task != naming.TaskGenerate {
		return fmt.Errorf("%w: model %s is made for the task %s; --prompts measures generation", local.ErrUsage, o.Model, s.Task)
	}
	var records []jobs.Record
	err = o.Texts.Each(ctx, int(cfg.Limits.RecordBytes), func(l local.Line) error {
		records = append(records, l.Record(naming.TaskGenerate, int(cfg.Limits.RecordBytes)))
		return nil
	})
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return fmt.Errorf("%w: --prompts has no records", local.ErrUsage)
	}
	var b generateBench
	g, err := open.Generation(ctx, cfg, s, open.GeneratorOptions{Observe: b.observe})
	if err != nil {
		return fmt.Errorf("model %s: %w", o.Model, err)
	}
	defer func() { err = errors.Join(err, g.End()) }()
	for _, note := range append(s.Notes, g.Notes()...) {
		log.DebugContext(ctx, "model", "model", o.Model, "note", note)
	}
	work := g.Engine.Work(&jobs.Shard{Generate: params}, rows.Origin{})
	if _, err := runRecords(ctx, work, warmUp, o.Alone); err != nil {
		return err
	}
	b = generateBench{Records: len(records), Slots: g.Slots(), Threads: g.Threads()}
	begun := time.Now()
	lists, err := runRecords(ctx, work, records, o.Alone)
	if err != nil {
		return err
	}
	b.Seconds = time.Since(begun).Seconds()
	for _, list := range lists {
		for _, r := range list {
			b.PromptTokens += int(r.NTokens.V)
			b.Tokens += int(r.NOutputTokens.V)
			b.Texts = append(b.Texts, benchText{r.RecordID, r.InputIDs, r.OutputIDs, r.FinishReason})
		}
	}
	b.Rate = float64(b.Tokens) / b.Seconds
	keep(ctx, cfg, g.Spec(), []session.Finding{b.finding(o)}, log)
	if o.JSON {
		return plain.JSON(o.Out, b)
	}
	return b.print(o)
}

// observe counts a run of the model. The generator makes one run at a time, and none while nothing is asked of it.
func (b *generateBench) observe(r generate.RunStats) {
	to := &b.Prefill
	if r.New > 0 {
		to = &b.Decode
	}
	to.Runs++
	to.Tokens += r.Tokens
	to.Seconds += r.Took.Seconds()
}

// finding is what is kept of it.
func (b *generateBench) finding(o Prompts) session.Finding {
	how := ""
	if o.Alone {
		how = ", one after the other"
	}
	return session.Finding{
		About: fmt.Sprintf("bench on cpu, %d threads, %d slots, %d prompts%s", b.Threads, b.Slots, b.Records, how),
		Says: fmt.Sprintf("%.1f tokens/s made, prefill %.0f tokens/s, decode %.0f tokens/s", b.Rate, b.Prefill.rate(),
			b.Decode.rate()),
	}
}

func (r benchRuns) rate() float64 { return float64(r.Tokens) / max(r.Seconds, 1e-9) }

func (b *generateBench) print(o Prompts) error {
	_, err := fmt.Fprintf(o.Out, "%s on cpu, %d threads, %d slots: %d prompts of %d tokens in all\n%9.1f tokens/s: %d tokens in %.2f s\n",
		o.Model, b.Threads, b.Slots, b.Records, b.PromptTokens, b.Rate, b.Tokens, b.Seconds)
	for _, part := range []struct {
		name string
		runs benchRuns
	}{{"prefill", b.Prefill}, {"decode", b.Decode}} {
		if err == nil {
			_, err = fmt.Fprintf(o.Out, "%9.1f %% of the time in %d runs of %s: %.0f tokens/s\n",
				100*part.runs.Seconds/b.Seconds, part.runs.Runs, part.name, part.runs.rate())
		}
	}
	return err
}

// runRecords gives each record's rows, in the order of the records. One that cannot be continued is an error.
func runRecords(ctx context.Context, work rows.Work, records []jobs.Record, alone bool) ([][]export.Row, error) {
	lists := make([][]export.Row, len(records))
	var pending sync.WaitGroup
	var failure error
	for i, r := range records {
		pending.Add(1)
		failure = work.Do(ctx, r, func(list []export.Row) {
			lists[i] = list
			pending.Done()
		})
		if failure != nil {
			pending.Done()
			break
		}
		if alone {
			pending.Wait()
		}
	}
	pending.Wait()
	if failure != nil {
		return nil, failure
	}
	for i, list := range lists {
		switch {
		case len(list) == 0:
			return nil, local.ErrStopped
		case list[0].Error != "":
			return nil, fmt.Errorf("record %s: %s", records[i].ID, list[0].Error)
		}
	}
	return lists, nil
}
