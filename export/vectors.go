package export

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Vectors is what the embeddings of rows are. Those of one table are alike, or no reader could compare them: the
// commit that brings a table's first vectors binds it, and the log decides who was first. The zero Vectors is none.
type Vectors struct {
	Precision string // float32, int8, uint8, binary or ubinary
	Dim       int    // dimensions that the values stand for
	PerToken  bool   // one vector a token, end to end, instead of one a row
	// Ranges are what int8 and uint8 are quantized by, as package vector writes them; "": each vector has a scale.
	Ranges string
}

// EmbeddingAny is the kind of rows without vectors: the table's, whatever it is.
const EmbeddingAny EmbeddingKind = -1

// vectorsKey is where the table's log keeps what it is bound to: a property, since it is part of what the table is.
// Bounds of files tell neither precision nor shape, and go when files are rewritten or deleted.
const vectorsKey = "textmill.vectors"

// Kind is the element type that the vectors need.
func (v Vectors) Kind() EmbeddingKind {
	switch v.Precision {
	case "":
		return EmbeddingAny
	case "int8", "binary":
		return EmbeddingInt8
	case "uint8", "ubinary":
		return EmbeddingInt16
	}
	return EmbeddingFloat32
}

func (v Vectors) String() string {
	switch {
	case v == Vectors{}:
		return "no vectors"
	case v.PerToken:
		return fmt.Sprintf("%s vectors of %d dimensions for each token", v.Precision, v.Dim)
	case v.Ranges != "":
		return fmt.Sprintf("%s vectors of %d dimensions within the ranges %.6x", v.Precision, v.Dim,
			sha256.Sum256([]byte(v.Ranges)))
	}
	return fmt.Sprintf("%s vectors of %d dimensions", v.Precision, v.Dim)
}

// Property is the vectors as the log keeps them, <precision>/<dimensions>[/token][/ranges:<base64>]; "" for none.
func (v Vectors) Property() string {
	if v == (Vectors{}) {
		return ""
	}
	s := v.Precision + "/" + strconv.Itoa(v.Dim)
	if v.PerToken {
		s += "/token"
	}
	if v.Ranges != "" {
		s += "/" + rangesPrefix + v.Ranges
	}
	return s
}

const rangesPrefix = "ranges:"

func parseVectors(s string) (Vectors, error) {
	parts := strings.Split(s, "/")
	v := Vectors{Precision: parts[0]}
	if last := len(parts) - 1; last > 1 {
		v.Ranges, _ = strings.CutPrefix(parts[last], rangesPrefix)
		if v.Ranges == parts[last] {
			v.Ranges, v.PerToken = "", true
		}
	}
	if len(parts) > 1 {
		v.Dim, _ = strconv.Atoi(parts[1])
	}
	known := slices.Contains([]string{"float32", "int8", "uint8", "binary", "ubinary"}, v.Precision)
	if !known || v.Dim < 1 || v.Property() != s {
		return Vectors{}, fmt.Errorf("%s is %q, which this version does not know", vectorsKey, s)
	}
	return v, nil
}

// held is what a table without a binding holds, as its files tell.
type held struct {
	vectors Vectors // none where there are none, or mixed
	mixed   string  // what unlike vectors there are, "" for none
}

// Accepts is ErrSchema where the table, as it is known, holds other vectors. A commit decides; this saves computing
// what it would refuse. It waits for files only the first time that it is asked of a table that was filled before
// tables were bound.
func (t *Table) Accepts(ctx context.Context, v Vectors) error {
	h, err := t.known(ctx)
	if h == nil || err != nil || h.refused() != nil {
		return err
	}
	return t.accepts(ctx, h, v)
}

// Fits is ErrSchema where the table at a path or URI holds other vectors. A table that does not exist takes any.
func Fits(ctx context.Context, uri string, vectors Vectors) error {
	v, err := openView(ctx, uri)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer v.close()
	terms := termsOf(v.dir.Path(), v.snap)
	if err := terms.accepts(vectors.Kind()); err != nil {
		return err
	}
	var files *held
	if terms.vectors == (Vectors{}) && vectors != (Vectors{}) {
		found, err := v.holds(ctx)
		if err != nil {
			return fmt.Errorf("look what vectors %s holds: %w", v.dir.Path(), err)
		}
		files = &found
	}
	_, err = terms.fits(vectors, files)
	return err
}

func (t *Table) accepts(ctx context.Context, h *handle, v Vectors) error {
	if v != (Vectors{}) {
		if err := t.hold(ctx, h); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.terms.accepts(v.Kind()); err != nil {
		return err
	}
	_, err := h.terms.fits(v, h.held)
	return err
}

// hold finds out, once, what a table holds that was filled before tables were bound.
func (t *Table) hold(ctx context.Context, h *handle) error {
	if h.holdsKnown() {
		return nil
	}
	h.holding.Lock()
	defer h.holding.Unlock()
	if h.holdsKnown() {
		return nil
	}
	v, err := openView(ctx, t.path)
	if err != nil {
		return fmt.Errorf("look what vectors %s holds: %w", t.path, err)
	}
	defer v.close()
	found, err := v.holds(ctx)
	if err != nil {
		return fmt.Errorf("look what vectors %s holds: %w", t.path, err)
	}
	if found.mixed != "" {
		t.log.WarnContext(ctx, "an older table mixes vectors; it stays writable, but no reader can compare them", "path",
			t.path,
			"holds", found.mixed)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = &found
	return nil
}

func (h *handle) holdsKnown() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held != nil || !h.terms.unbound()
}

// samples is of how many of an older table's files a vector is looked at: bounds tell dimensions of all files, a
// vector the rest.
const samples = 16

// holds reads what vectors there are where no property says it.
func (v *view) holds(ctx context.Context) (held, error) {
	least, most := 0, 0
	var with []string
	for _, name := range slices.Sorted(maps.Keys(v.adds)) {
		from, to, some := dimensions(v.adds[name].Stats)
		if !some {
			continue
		}
		with = append(with, name)
		if from > 0 && (least == 0 || from < least) {
			least = from
		}
		most = max(most, to)
	}
	if least != most {
		return held{mixed: fmt.Sprintf("vectors of %d to %d dimensions", least, most)}, nil
	}
	var all held
	for i := range min(samples, len(with)) {
		f, err := v.liveFile(v.adds[with[i*len(with)/min(samples, len(with))]])
		if err != nil {
			return held{}, err
		}
		one, err := v.firstVector(ctx, f)
		if err != nil {
			return held{}, err
		}
		switch {
		case one == Vectors{}:
		case all.vectors == Vectors{}:
			all.vectors = one
		case all.vectors != one:
			return held{mixed: all.vectors.String() + " and " + one.String()}, nil
		}
	}
	return all, nil
}

// dimensions are the bounds of a file's column dim, 0 where the log has none; some is false where it says that all are
// null.
func dimensions(stats *string) (from, to int, some bool) {
	s := statsOf(stats)
	if lo, hi := s.MinValues.Dim, s.MaxValues.Dim; lo != nil && hi != nil {
		return int(*lo), int(*hi), true
	}
	return 0, 0, s.NullCount.Dim == nil || s.NumRecords != nil && *s.NullCount.Dim < *s.NumRecords
}

// firstVector says what the first vector of a file is, none where it has none.
func (v *view) firstVector(ctx context.Context, f LiveFile) (Vectors, error) {
	errFound := errors.New("found")
	var found Vectors
	err := v.rows(ctx, f, func(rows []Row) error {
		for i := range rows {
			if found = VectorsOf(&rows[i]); found != (Vectors{}) {
				return errFound
			}
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}

// VectorsOf tells from a row's vector what it is.
func VectorsOf(r *Row) Vectors {
	dim := int(r.Dim.V)
	bits := (dim + 7) / 8
	v := Vectors{Dim: dim}
	switch n := len(r.Embedding) + len(r.Embedding8) + len(r.Embedding16); {
	case n == 0 || dim == 0:
		return Vectors{}
	case r.Embedding != nil:
		v.Precision, v.PerToken = "float32", n != dim
	case r.Embedding8 != nil && n == bits && n != dim:
		v.Precision = "binary"
	case r.Embedding8 != nil:
		v.Precision = "int8"
	case n == bits && n != dim:
		v.Precision = "ubinary"
	default:
		v.Precision = "uint8"
	}
	return v
}
