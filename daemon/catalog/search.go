package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/search"
	"textmill/search/words"
	"textmill/work/rows"
)

// Question is what a table is asked.
type Question struct {
	Text  string
	K     int      // rows that answer it, at most MostHits
	Where []string // NAME=VALUE, which rows have to meet
	Model string   // NAME or NAME@HASH; "" is the table's only one
}

// Found is the answer.
type Found struct {
	Hits    []Hit
	Version int64 // of the table
	Model   Maker
	Metric  string
	Rows    int64 // compared
	Files   int
	Dropped int // tokens of the question that the model did not read
	Took    time.Duration
}

// Hit is a row that answers, the nearest first.
type Hit struct {
	ID         string
	Chunk      string
	Score      float64
	Text       Excerpt
	Attributes []Attribute
}

// Bounds of questions.
const (
	MostHits     = 50
	MostQuestion = 8 << 10 // bytes
	mostAsking   = 5       // one that is answered and those that wait
	askTime      = 20 * time.Second
)

// The classes of questions that get no answer.
var (
	ErrBusy      = errors.New("other questions are being answered; ask again in a moment")
	ErrLong      = fmt.Errorf("the answer takes longer than %v; textmill search has no such limit", askTime)
	ErrNotServed = errors.New("this daemon does not serve the model that made the table's vectors")
	ErrQuestion  = errors.New("it cannot be asked like that")
)

// Search answers a question in words, by the model that made the table's vectors. One is answered at a time, by one
// thread, and few wait, so that neither the queue's work nor other clients are held up; it ends when ctx does.
func (c *Catalog) Search(ctx context.Context, dataset string, q Question) (*Found, error) {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	default:
		return nil, ErrBusy
	}
	limited, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	found, err := c.search(limited, dataset, q)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = ErrLong
	}
	return found, err
}

func (c *Catalog) search(ctx context.Context, dataset string, q Question) (*Found, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	begun := time.Now()
	_, r, _, err := c.look(ctx, dataset)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	s, m, err := c.prepare(ctx, r, q)
	if err != nil {
		return nil, err
	}
	origin := rows.Origin{Unwanted: func() bool { return ctx.Err() != nil }}
	if err := s.By(m.Spec, m.Asks, origin); err != nil {
		return nil, err
	}
	answers, stats, err := s.Ask(ctx, []jobs.Record{{ID: "question", Text: q.Text}})
	if err != nil {
		return nil, err
	}
	a := &answers[0]
	if a.Failed != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuestion, a.Failed)
	}
	found := &Found{Version: r.Version, Metric: s.Metric(), Rows: stats.Rows, Files: stats.Files, Dropped: a.Dropped,
		Took:  time.Since(begun),
		Model: Maker{Task: naming.TaskEmbed, Model: s.Model.Name, SHA256: s.Model.SHA256, Served: true}}
	for i := range a.Hits {
		found.Hits = append(found.Hits, hitOf(&a.Hits[i]))
	}
	return found, nil
}

// prepare finds out what is asked of which rows, and who embeds the question.
func (c *Catalog) prepare(ctx context.Context, r *export.Reading, q Question) (*words.Search, *Model, error) {
	if len(q.Text) > MostQuestion {
		return nil, nil, fmt.Errorf("%w: the question has %d bytes, %d are the most", ErrQuestion, len(q.Text), MostQuestion)
	}
	where, err := search.Where(r.Schema, r.By, q.Where)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	s, err := words.Prepare(ctx, r, words.Options{K: min(max(q.K, 1), MostHits), Where: where, Model: q.Model,
		Workers: 1})
	switch {
	case errors.Is(err, search.ErrModels), errors.Is(err, search.ErrPerToken), errors.Is(err, export.ErrSchema):
		return nil, nil, fmt.Errorf("%w: %w", ErrQuestion, err)
	case err != nil:
		return nil, nil, err
	case s.None():
		return nil, nil, fmt.Errorf("%w: the table holds no vectors", ErrQuestion)
	}
	m := c.served(s.Model.Name, s.Model.SHA256)
	if m == nil || m.Asks == nil {
		return nil, nil, fmt.Errorf("%w: %s, model_sha256 %s", ErrNotServed, s.Model.Name, s.Model.SHA256)
	}
	return s, m, nil
}

func hitOf(h *search.Hit) Hit {
	hit := Hit{ID: cut(h.RecordID, mostValue), Score: h.Score, Text: excerpt(h.Text),
		Attributes: attributes(h.Attributes)}
	if h.Chunk.V > 0 {
		hit.Chunk = fmt.Sprintf("chunk %d", h.Chunk.V)
	}
	return hit
}
