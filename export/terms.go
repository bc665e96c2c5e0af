package export

import (
	"fmt"
	"slices"
	"strings"

	"textmill/export/delta"
	"textmill/export/part"
)

// terms say whether and what textmill may write to a table, as its log tells.
type terms struct {
	path    string
	kind    EmbeddingKind // of its embedding column
	vectors Vectors       // that the log binds the table to
	files   bool          // it had rows at some time
	layout
	lacks   bool  // columns of ours, which the next commit with rows adds
	refused error // why textmill must not write here
}

func termsOf(path string, s *delta.Snapshot) terms {
	t := terms{path: path, files: s.HasFiles}
	p, m := s.Protocol, s.Metadata
	refuse := func(format string, args ...any) {
		if t.refused == nil {
			t.refused = fmt.Errorf("%w: %s: %s", ErrRefused, path, fmt.Sprintf(format, args...))
		}
	}
	if p.MinReaderVersion > 1 || p.MinWriterVersion > 2 {
		refuse("protocol is reader %d, writer %d; textmill writes up to reader 1, writer 2", p.MinReaderVersion,
			p.MinWriterVersion)
	}
	if n := len(p.ReaderFeatures) + len(p.WriterFeatures); n > 0 {
		refuse("table features are set: %v", slices.Concat(p.ReaderFeatures, p.WriterFeatures))
	}
	if f := m.Format.Provider; f != "parquet" {
		refuse("its files are %s", f)
	}
	var err error
	if t.layout, err = layoutOf(&m); err != nil {
		refuse("partitioned by %v: %v", m.PartitionColumns, err)
	}
	for k := range m.Configuration {
		if strings.HasPrefix(k, "delta.constraints.") || k == "delta.invariants" {
			refuse("%s is set", k)
		}
	}
	kind, err := part.KindOf(m.SchemaString)
	if err != nil {
		refuse("%v", err)
	}
	t.kind, t.lacks = kind, part.Lacks(m.SchemaString)
	if bound, ok := m.Configuration[vectorsKey]; ok {
		if t.vectors, err = parseVectors(bound); err != nil {
			refuse("%v", err)
		}
	}
	return t
}

// accepts is an error where rows of a kind may not be written; a table that never had rows takes any kind.
func (t *terms) accepts(kind EmbeddingKind) error {
	if t.refused != nil {
		return t.refused
	}
	if kind != EmbeddingAny && t.kind != kind && t.files {
		return fmt.Errorf("%w: %s has %s, the rows have %s", ErrSchema, t.path, t.kind, kind)
	}
	return nil
}

// unbound says that files alone tell what vectors the table holds: it was filled before tables were bound.
func (t *terms) unbound() bool { return t.vectors == (Vectors{}) && t.files }

// fits says whether vectors may be written, and whether the commit that does it must bind the table. It needs to know
// what an unbound table holds.
func (t *terms) fits(v Vectors, files *held) (bind bool, err error) {
	if v == (Vectors{}) {
		return false, nil
	}
	holds := t.vectors
	if holds == (Vectors{}) && files != nil {
		if files.mixed != "" {
			return false, nil
		}
		holds = files.vectors
	}
	if holds != (Vectors{}) && holds != v {
		return false, fmt.Errorf("%w: %s holds %s, the job makes %s; give the job another dataset", ErrSchema, t.path, holds,
			v)
	}
	return t.vectors == Vectors{}, nil
}
