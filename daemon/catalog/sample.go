package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"textmill/export"
)

// Sample is a row as people look at it.
type Sample struct {
	ID, Job    string
	Chunk      string // "" where the row is the whole record
	Text       Excerpt
	Output     Excerpt
	Attributes []Attribute
	Tokens     string // input_ids, shortened
	NTokens    int
	Dropped    int // tokens that were cut off
	Vector     string
	Shape      string // of it; "" where there is none
	Norm       float64
	Finish     string
	Error      string
	Created    time.Time
	Maker      Maker
}

// Excerpt is the beginning of a text.
type Excerpt struct {
	Text string
	Cut  int // bytes of the text that are left out
	Has  bool
}

// Attribute is one of a record's.
type Attribute struct {
	Name, Value string
	Cut         bool // it is longer
}

const (
	sampled        = 8 // rows
	mostText       = 600
	mostValue      = 200 // of an attribute
	mostAttributes = 12
	mostTokens     = 12
	mostValues     = 3 // at either end of a vector
)

// samples are the first rows of one of a table's files.
func samples(ctx context.Context, r *export.Reading, f export.LiveFile) ([]Sample, error) {
	var all []Sample
	errEnough := errors.New("enough")
	err := r.Rows(ctx, f, func(rows []export.Row) error {
		for i := range rows {
			if len(all) == sampled {
				return errEnough
			}
			all = append(all, sampleOf(&rows[i]))
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}

func sampleOf(r *export.Row) Sample {
	s := Sample{ID: cut(r.RecordID, mostValue), Job: cut(r.Job, mostValue), Text: excerpt(r.Text),
		Output: excerpt(r.Output), Attributes: attributes(r.Attributes), Tokens: tokens(r.InputIDs),
		NTokens: int(r.NTokens.V), Dropped: int(r.NDropped.V),
		Finish: r.FinishReason, Error: cut(r.Error, mostMessage), Created: r.CreatedAt,
		Maker: Maker{Task: r.Task, Model: r.Model, SHA256: r.ModelSHA256}}
	if r.Chunk.V > 0 {
		s.Chunk = fmt.Sprintf("chunk %d, bytes %d to %d", r.Chunk.V, r.ChunkStart.V, r.ChunkEnd.V)
	}
	s.Vector, s.Shape, s.Norm = vector(r)
	return s
}

func excerpt(text export.Null[string]) Excerpt {
	e := Excerpt{Text: cut(text.V, mostText), Has: text.Valid}
	if len(text.V) > mostText {
		e.Cut = len(text.V) - mostText
	}
	return e
}

// attributes are a record's in the order of their names.
func attributes(of map[string]string) (all []Attribute) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if len(all) == mostAttributes {
			return append(all, Attribute{Name: fmt.Sprintf("and %d more", len(of)-mostAttributes), Cut: true})
		}
		all = append(all, Attribute{cut(name, mostValue), cut(of[name], mostValue), len(name)+len(of[name]) > mostValue})
	}
	return all
}

func tokens(ids []int32) string {
	var words []string
	for _, id := range ids[:min(len(ids), mostTokens)] {
		words = append(words, strconv.Itoa(int(id)))
	}
	if len(ids) > mostTokens {
		words = append(words, "…")
	}
	return strings.Join(words, " ")
}

// vector is a row's embedding as its first and last values, and what it is.
func vector(r *export.Row) (values, shape string, norm float64) {
	var words []string
	var squares float64
	show := func(n int, at func(int) float64, format func(float64) string) {
		for i := range n {
			squares += at(i) * at(i)
			switch {
			case i < mostValues || i >= n-mostValues:
				words = append(words, format(at(i)))
			case i == mostValues:
				words = append(words, "…")
			}
		}
	}
	whole := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	n := len(r.Embedding) + len(r.Embedding8) + len(r.Embedding16)
	switch {
	case n == 0:
		return "", "", 0
	case r.Embedding != nil:
		show(n, func(i int) float64 { return float64(r.Embedding[i]) },
			func(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) })
	case r.Embedding8 != nil:
		show(n, func(i int) float64 { return float64(r.Embedding8[i]) }, whole)
	default:
		show(n, func(i int) float64 { return float64(r.Embedding16[i]) }, whole)
	}
	kind := export.VectorsOf(r)
	shape = kind.Precision + " [" + strconv.Itoa(kind.Dim) + "]"
	if kind.PerToken && kind.Dim > 0 {
		shape = fmt.Sprintf("%s [%d, %d]", kind.Precision, n/kind.Dim, kind.Dim)
	}
	return "[" + strings.Join(words, ", ") + "]", shape, math.Sqrt(squares)
}
