package demo

import (
	"context"
	"math"
	"slices"
	"strings"

	"textmill/export"
)

// matchesPerQuestion is how many rows answer a question.
const matchesPerQuestion = 3

// match is a row that answers a question.
type match struct {
	id, text   string
	similarity float64 // cosine
}

// ranking keeps the best matches of each question while rows pass by.
type ranking struct {
	questions [][]float32
	best      [][]match
}

func newRanking(questions [][]float32) *ranking {
	return &ranking{questions: questions, best: make([][]match, len(questions))}
}

// ask reads all rows of a table and returns each question's best matches, the nearest first.
func ask(ctx context.Context, table string, questions [][]float32) ([][]match, error) {
	r := newRanking(questions)
	err := export.Scan(ctx, table, func(rows []export.Row) error {
		for i := range rows {
			r.add(&rows[i])
		}
		return nil
	})
	return r.best, err
}

// add does not keep the row.
func (r *ranking) add(row *export.Row) {
	for i, q := range r.questions {
		m := match{id: row.RecordID, similarity: cosine(q, row.Embedding)}
		at, _ := slices.BinarySearchFunc(r.best[i], m, func(a, b match) int {
			switch {
			case a.similarity > b.similarity:
				return -1
			case a.similarity < b.similarity:
				return 1
			}
			return strings.Compare(a.id, b.id)
		})
		if at < matchesPerQuestion {
			m.id, m.text = strings.Clone(m.id), strings.Clone(row.Text.V)
			r.best[i] = slices.Insert(r.best[i], at, m)
			r.best[i] = r.best[i][:min(len(r.best[i]), matchesPerQuestion)]
		}
	}
}

// cosine is 0 where one of the vectors is missing or has no direction.
func cosine(a, b []float32) float64 {
	if len(a) != len(b) {
		return 0
	}
	var dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}

// firstSentence is the beginning of a comment, on one line.
func firstSentence(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	if end := strings.Index(line, ". "); end > 0 {
		line = line[:end+1]
	}
	const most = 100
	if short := []rune(line); len(short) > most {
		line = string(short[:most-1]) + "…"
	}
	return line
}
