package demo

import (
	"context"
	"fmt"
	"io"
	"strings"

	"textmill/config"
	"textmill/local/texts"
	"textmill/search"
)

// writer is the model that answers in words.
const writer = "SmolLM2-135M-Instruct"

// mostDocs bounds how much of a comment is told to it.
const mostDocs = 600

// explain has each question's best match explained in a sentence, which is written as it comes.
func explain(ctx context.Context, cfg config.Config, answers [][]search.Hit, o Options) error {
	var prompts, ids []string
	for _, matches := range answers {
		if len(matches) == 0 {
			continue
		}
		best := matches[0]
		docs := []rune(strings.Join(strings.Fields(best.Text.V), " "))
		prompts = append(prompts, fmt.Sprintf("Documentation of Go's %s: %s\n\nIn one sentence, what is %s for?",
			best.RecordID, string(docs[:min(len(docs), mostDocs)]), best.RecordID))
		ids = append(ids, best.RecordID)
	}
	fmt.Fprintf(o.Stdout, "\n%s in one sentence each:\n", writer)
	begun := -1
	done, err := texts.Stream(ctx, cfg, writer, prompts, map[string]string{"max_new_tokens": "40", "temperature": "0"},
		o.Log, func(i int, piece string) error {
			if begun < i {
				begun = i
				fmt.Fprintf(o.Stdout, "  %s: ", ids[i])
			}
			if piece == "" {
				piece = "\n"
			} else {
				piece = strings.ReplaceAll(piece, "\n", " ")
			}
			_, err := io.WriteString(o.Stdout, piece)
			return err
		})
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Stdout, "  (%d tokens, %.0f a second, one answer at a time)\n", done.Tokens,
		float64(done.Tokens)/done.Took.Seconds())
	return nil
}
