package catalog

import (
	"cmp"
	"slices"
	"strings"

	"textmill/export"
)

// Summary is a table in a few words, as its log tells.
type Summary struct {
	Dataset string
	Path    string
	Rows    int64
	Errors  int64 // rows that are errors, as far as the log tells
	Files   int
	Bytes   int64
	Version int64
	Holds   string // vectors, in words
	Makers  []Maker
	Untold  int64 // rows of which the log does not tell who made them
	Last    export.Commit
	Refused string // why the daemon must not write to it
	Failed  string // why it cannot be read; all else is unknown then
}

// Maker is a model that made rows.
type Maker struct {
	Task, Model, SHA256 string
	Rows                int64
	Served              bool // by this daemon, with this hash
}

func (c *Catalog) summaryOf(dataset string, r *export.Reading, commits []export.Commit) Summary {
	s := Summary{Dataset: dataset, Path: r.Path, Rows: r.Inspection.Rows, Files: len(r.Files),
		Bytes: r.Bytes, Version: r.Version, Holds: r.Vectors.String()}
	if len(commits) > 0 {
		s.Last = commits[0]
	}
	counts := map[Maker]int64{}
	for _, f := range r.Files {
		s.Errors += max(f.ErrorRows(), 0)
		if by, told := makerOf(f); told {
			counts[by] += max(f.Rows, 0)
		} else {
			s.Untold += max(f.Rows, 0)
		}
	}
	s.Makers = c.makers(counts)
	return s
}

// refused is why the daemon must not write to a table; "" where it may.
func (c *Catalog) refused(dataset string, r *export.Reading) string {
	if c.o.Refused != nil {
		if why := c.o.Refused()[dataset]; why != "" {
			return why
		}
	}
	if r.Refused != nil {
		return r.Refused.Error()
	}
	return ""
}

// makerOf is who made all rows of a file, as far as the log tells.
func makerOf(f export.LiveFile) (m Maker, told bool) {
	var task, model, hash bool
	m.Task, task = f.Only("task")
	m.Model, model = f.Only("model")
	m.SHA256, hash = f.Only("model_sha256")
	return m, task && model && hash
}

// makers lists them, those that made most first.
func (c *Catalog) makers(counts map[Maker]int64) []Maker {
	var all []Maker
	for m, n := range counts {
		m.Rows, m.Served = n, c.served(m.Model, m.SHA256) != nil
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Maker) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Model, b.Model), strings.Compare(a.SHA256, b.SHA256))
	})
	return all
}

// served is the model of a name and hash, nil where there is none.
func (c *Catalog) served(name, sha256 string) *Model {
	for i, m := range c.o.Served {
		if m.Spec.Name == name && m.Spec.SHA256 == sha256 {
			return &c.o.Served[i]
		}
	}
	return nil
}
