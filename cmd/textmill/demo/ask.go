package demo

import (
	"context"
	"strings"

	"textmill/config"
	"textmill/local"
	"textmill/local/questions"
	"textmill/search"
)

// matchesPerQuestion is how many rows answer a question.
const matchesPerQuestion = 3

// ask returns each question's best matches in the table, the nearest first.
func ask(ctx context.Context, cfg config.Config, table string, o Options) ([][]search.Hit, error) {
	var answers [][]search.Hit
	err := questions.Each(ctx, cfg, questions.Options{Table: table, Questions: local.Texts{Args: asked},
		K: matchesPerQuestion, Log: o.Log}, func(a questions.Answer) error {
		if a.Failed != nil {
			return a.Failed
		}
		answers = append(answers, a.Hits)
		return nil
	})
	return answers, err
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
