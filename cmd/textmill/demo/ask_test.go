package demo

import (
	"fmt"
	"testing"

	"textmill/export"
)

func TestRankingKeepsTheNearest(t *testing.T) {
	r := newRanking([][]float32{{1, 0}, {0, 2}})
	for i, v := range [][]float32{{1, 1}, {0, 1}, {3, 0.1}, nil, {-1, 0}, {0, 0}, {5, 5}, {1, 0}} {
		r.add(&export.Row{RecordID: fmt.Sprint(i), Embedding: v})
	}
	for i, want := range []string{"7 2 0", "1 0 6"} {
		var got string
		for _, m := range r.best[i] {
			got += " " + m.id
		}
		if got != " "+want {
			t.Errorf("question %d: %s, want %s", i, got, want)
		}
	}
	if s := r.best[0][0].similarity; s != 1 {
		t.Errorf("the same direction has similarity %f", s)
	}
}

func TestFirstSentence(t *testing.T) {
	for text, want := range map[string]string{
		"Scan advances.\nMore follows. And more.": "Scan advances.", "no end": "no end", "": "", "e.g. x": "e.g.",
	} {
		if got := firstSentence(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
