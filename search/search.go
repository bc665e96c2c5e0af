// Package search finds the rows of a table whose vectors are nearest to those of questions, by comparing all of them.
package search

import (
	"context"
	"errors"
	"fmt"
	"time"

	"textmill/export"
	"textmill/export/scan"
)

// Options say what is searched, and how.
type Options struct {
	Vectors export.Vectors // what the table holds
	Metric  string
	K       int             // how many rows answer a question, at most
	Where   scan.Conditions // that they meet
	Workers int             // that read and compare side by side
}

// A Hit is a row that answers a question.
type Hit struct {
	Score float64
	File  string // that it lies in
	scan.Row
}

// Stats is what a search took.
type Stats struct {
	Files int
	Rows  int64 // compared
	Bytes int64 // of vectors that were read
	Took  time.Duration
}

// ErrPerToken is the class of tables that hold a vector of each token.
var ErrPerToken = errors.New("which are not searched: embed the texts with another pooling than none")

// PerToken says of a table that it holds such vectors.
func PerToken(table string, v export.Vectors) error {
	return fmt.Errorf("%s holds %s, %w", table, v, ErrPerToken)
}

// Nearest compares the questions' vectors with all vectors of a table, in one pass over its files, and answers each
// with its nearest rows, the nearest first. Memory is bounded by the workers, the questions and K, not by the table.
func Nearest(ctx context.Context, t *export.Reading, questions [][]float32, o Options) ([][]Hit, Stats, error) {
	if o.K < 1 || o.Workers < 1 {
		return nil, Stats{}, fmt.Errorf("the %d nearest rows by %d workers: both must be positive", o.K, o.Workers)
	}
	if o.Vectors.PerToken {
		return nil, Stats{}, PerToken(t.Path, o.Vectors)
	}
	if o.Vectors == (export.Vectors{}) {
		return make([][]Hit, len(questions)), Stats{}, nil
	}
	s, err := newScorer(o.Metric, o.Vectors, questions)
	if err != nil {
		return nil, Stats{}, err
	}
	begun := time.Now()
	p := &pass{table: t, scorer: s, where: o.Where, k: o.K, best: make([]nearest, len(questions))}
	for i := range p.best {
		p.best[i].k = o.K
	}
	if err := p.run(ctx, o.Workers); err != nil {
		return nil, p.stats, err
	}
	hits, err := p.describe(ctx, o.Workers)
	p.stats.Took = time.Since(begun)
	return hits, p.stats, err
}
