package sugarme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"textmill/tokenize"
)

// Difference is a text of which the two engines make different tokens, or the library none.
type Difference struct {
	Index  int    // which text, from 0
	Text   string // shortened
	Reason string // ids, offsets, or how the library failed
	Ours   []int32
	Theirs []int32
}

// Report counts how often the library says what our engine says.
type Report struct {
	Texts     int
	Identical int // ids and offsets
	SameIDs   int // ids, but other offsets
	Different int
	Crashed   int
	TimedOut  int
	Refused   int   // by an error
	LoadError error // the library did not load the tokenizer at all: nothing was compared
	First     []Difference
}

// Comparison adds texts to a report, one at a time.
type Comparison struct {
	ours     *tokenize.Tokenizer
	theirs   *Engine
	specials bool
	keep     int
	report   Report
}

// Compare begins a comparison of ours with the library on the same tokenizer.json; it keeps the first keep
// differences. A library that cannot load the file is a finding, not an error: the report says so.
func Compare(ctx context.Context, ours *tokenize.Tokenizer, path string, specials bool, keep int,
	o Options) (*Comparison, error) {
	c := &Comparison{ours: ours, specials: specials, keep: keep}
	var err error
	c.theirs, err = Open(ctx, path, o)
	switch {
	case errors.Is(err, ErrCrashed), errors.Is(err, ErrTimeout), errors.Is(err, ErrRefused):
		c.report.LoadError = err
	case err != nil:
		return nil, err
	}
	return c, nil
}

// Add compares the two on one text. The error is of our own engine or of ctx.
func (c *Comparison) Add(ctx context.Context, text string) error {
	index := c.report.Texts
	c.report.Texts++
	if c.report.LoadError != nil {
		return nil //nolint:nilerr // the report tells it once
	}
	ours, err := c.ours.Encode(text, tokenize.Options{NoSpecialTokens: !c.specials})
	if err != nil {
		return fmt.Errorf("text %d: %w", index, err)
	}
	theirs, err := c.theirs.Encode(ctx, text, c.specials)
	if err == nil {
		c.judge(index, text, ours, theirs)
		return nil
	}
	switch {
	case errors.Is(err, ErrCrashed):
		c.report.Crashed++
	case errors.Is(err, ErrTimeout):
		c.report.TimedOut++
	case errors.Is(err, ErrRefused):
		c.report.Refused++
	default:
		return err
	}
	c.note(Difference{Index: index, Text: text, Reason: err.Error(), Ours: ours.IDs})
	return nil
}

func (c *Comparison) judge(index int, text string, ours *tokenize.Encoding, theirs Encoding) {
	d := Difference{Index: index, Text: text, Ours: ours.IDs, Theirs: theirs.IDs}
	switch {
	case !slices.Equal(ours.IDs, theirs.IDs):
		c.report.Different++
		d.Reason = "ids"
	case !sameOffsets(ours.ByteOffsets, theirs.Offsets):
		c.report.SameIDs++
		d.Reason = "offsets"
	default:
		c.report.Identical++
		return
	}
	c.note(d)
}

func sameOffsets(ours []tokenize.Span, theirs [][2]int32) bool {
	return slices.EqualFunc(ours, theirs, func(a tokenize.Span, b [2]int32) bool {
		return a.Start == b[0] &&
			a.End == b[1]
	})
}

func (c *Comparison) note(d Difference) {
	if len(c.report.First) >= c.keep {
		return
	}
	if runes := []rune(d.Text); len(runes) > 60 {
		d.Text = string(runes[:60]) + "…"
	}
	c.report.First = append(c.report.First, d)
}

// Close ends the library's process and returns the report.
func (c *Comparison) Close() (*Report, error) {
	var err error
	if c.theirs != nil {
		err = c.theirs.Close()
	}
	return &c.report, err
}

// WriteTo writes the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	p := &printer{w: w}
	if r.LoadError != nil {
		p.printf("sugarme/tokenizer does not load this tokenizer: %v\n%d texts not compared\n", r.LoadError, r.Texts)
		return p.n, p.err
	}
	p.printf("%d texts: %d identical, %d same ids but other offsets, %d different, %d crashed, %d timed out, %d errors\n",
		r.Texts, r.Identical, r.SameIDs, r.Different, r.Crashed, r.TimedOut, r.Refused)
	for _, d := range r.First {
		p.printf("text %d, %s: %q\n  textmill %s\n  sugarme  %s\n", d.Index, d.Reason, d.Text, ids(d.Ours), ids(d.Theirs))
	}
	return p.n, p.err
}

type printer struct {
	w   io.Writer
	n   int64
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err != nil {
		return
	}
	n, err := fmt.Fprintf(p.w, format, args...)
	p.n, p.err = p.n+int64(n), err
}

func ids(list []int32) string {
	if len(list) > 24 {
		return fmt.Sprintf("%v… (%d)", list[:24], len(list))
	}
	return fmt.Sprint(list)
}
