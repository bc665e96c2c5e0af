package batchlines

import (
	"bufio"
	"cmp"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"strings"

	"textmill/export"
	"textmill/input"
	"textmill/work/rows"
)

const (
	joinBudget   = 64 << 20 // of rows in memory
	joinFiles    = 32
	joinDeepest  = 3 // a request that is larger than the budget by itself cannot be cut any further
	spillRowCost = 400
)

// requestKey is what the rows of one request have in common.
type requestKey struct{ job, shard, request, id string }

func keyOf(r *export.Row) requestKey {
	if p, ok := input.PartOf(r.RecordID, r.Attributes); ok {
		return requestKey{job: r.Job, request: p.Request, id: p.CustomID}
	}
	return requestKey{job: r.Job, shard: r.Shard, id: r.RecordID}
}

// alone says whether no other row can belong to r's request.
func alone(r *export.Row) bool {
	if r.Chunk.Valid {
		return false
	}
	_, part := input.PartOf(r.RecordID, r.Attributes)
	return !part
}

// joiner puts the rows of each request together, wherever in a table they lie. What is more than its budget goes into
// files, by the key's hash, each of which is then joined by itself.
type joiner struct {
	emit   func([]export.Row) error // rows of one request
	dir    string                   // where files are made
	budget int
	depth  int
	rows   []export.Row
	size   int
	seed   maphash.Seed
	spills []*spill
}

func newJoiner(dir string, budget int, emit func([]export.Row) error) *joiner {
	return &joiner{emit: emit, dir: dir, budget: budget, seed: maphash.MakeSeed()}
}

// add takes a row, which may be used again by the caller.
func (j *joiner) add(r *export.Row) error {
	if alone(r) {
		return j.emit([]export.Row{*r})
	}
	return j.own(cloneRow(*r))
}

func (j *joiner) own(r export.Row) error {
	j.rows = append(j.rows, r)
	j.size += spillRowCost + len(r.RecordID) + len(r.Output.V) + len(r.Error) +
		4*(len(r.Embedding)+len(r.OutputIDs)+len(r.Logprobs)) +
		len(r.Embedding8) + 2*len(r.Embedding16)
	for _, v := range r.Attributes {
		j.size += len(v)
	}
	if j.size <= j.budget || j.depth == joinDeepest {
		return nil
	}
	return j.spill()
}

func cloneRow(r export.Row) export.Row {
	for _, s := range []*string{&r.Job, &r.Shard, &r.RecordID, &r.Task, &r.Model, &r.ModelSHA256, &r.Error, &r.Output.V,
		&r.FinishReason} {
		*s = strings.Clone(*s)
	}
	r.InputIDs, r.Text = nil, export.Null[string]{} // not exported, nor are other attributes
	all := r.Attributes
	r.Attributes = nil
	for _, name := range []string{rows.TopLogprobs, input.PartAttribute, input.FormatAttribute,
		input.EndpointAttribute} {
		if v, ok := all[name]; ok {
			if r.Attributes == nil {
				r.Attributes = make(map[string]string, 1)
			}
			r.Attributes[name] = strings.Clone(v)
		}
	}
	r.OutputIDs, r.Logprobs = slices.Clone(r.OutputIDs), slices.Clone(r.Logprobs)
	r.Embedding, r.Embedding8, r.Embedding16 = slices.Clone(r.Embedding), slices.Clone(r.Embedding8),
		slices.Clone(r.Embedding16)
	return r
}

// spill writes what is in memory to the files.
func (j *joiner) spill() error {
	if j.spills == nil {
		for range joinFiles {
			s, err := newSpill(j.dir)
			if err != nil {
				return err
			}
			j.spills = append(j.spills, s)
		}
	}
	for i := range j.rows {
		at := maphash.Comparable(j.seed, keyOf(&j.rows[i])) % joinFiles
		if err := j.spills[at].enc.Encode(&j.rows[i]); err != nil {
			return fmt.Errorf("write rows to %s: %w", j.spills[at].f.Name(), err)
		}
	}
	clear(j.rows)
	j.rows, j.size = j.rows[:0], 0
	return nil
}

// finish emits every request that is not yet.
func (j *joiner) finish() error {
	if j.spills == nil {
		return j.emitAll()
	}
	if err := j.spill(); err != nil {
		return err
	}
	for _, s := range j.spills {
		part := newJoiner(j.dir, j.budget, j.emit)
		part.depth = j.depth + 1
		err := errors.Join(s.each(part.own), part.close(part.finish))
		if err = errors.Join(err, s.close()); err != nil {
			return err
		}
	}
	return nil
}

// close calls f and then removes what is left of files.
func (j *joiner) close(f func() error) error {
	err := f()
	for _, s := range j.spills {
		err = errors.Join(err, s.close())
	}
	return err
}

// emitAll emits the requests in memory in the order in which they were met.
func (j *joiner) emitAll() error {
	groups := make(map[requestKey][]int)
	var order []requestKey
	for i := range j.rows {
		k := keyOf(&j.rows[i])
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	for _, k := range order {
		rows := make([]export.Row, len(groups[k]))
		for i, at := range groups[k] {
			rows[i] = j.rows[at]
		}
		for _, one := range occurrences(rows) {
			if err := j.emit(one); err != nil {
				return err
			}
		}
	}
	clear(j.rows)
	j.rows, j.size = j.rows[:0], 0
	return nil
}

// place is where a row stands in its request.
type place struct{ index, chunk int }

func placeOf(r *export.Row) place {
	p, _ := input.PartOf(r.RecordID, r.Attributes)
	return place{p.Index, int(r.Chunk.V)}
}

// occurrences tells apart requests that are the same: the n-th row of each place is of the n-th of them.
func occurrences(rows []export.Row) [][]export.Row {
	slices.SortStableFunc(rows, func(a, b export.Row) int {
		p, q := placeOf(&a), placeOf(&b)
		return cmp.Or(cmp.Compare(p.index, q.index), cmp.Compare(p.chunk, q.chunk), cmp.Compare(a.Shard, b.Shard),
			cmp.Compare(a.Error, b.Error))
	})
	var all [][]export.Row
	n := 0
	for i := range rows {
		if i > 0 && placeOf(&rows[i]) == placeOf(&rows[i-1]) {
			n++
		} else {
			n = 0
		}
		if n == len(all) {
			all = append(all, nil)
		}
		all[n] = append(all[n], rows[i])
	}
	return all
}

// spill is a file of rows that has no name as soon as it is open.
type spill struct {
	f   *os.File
	w   *bufio.Writer
	enc *gob.Encoder
}

func newSpill(dir string) (*spill, error) {
	f, err := os.CreateTemp(dir, ".textmill-export-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w := bufio.NewWriterSize(f, 64<<10)
	return &spill{f: f, w: w, enc: gob.NewEncoder(w)}, nil
}

func (s *spill) each(use func(export.Row) error) error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dec := gob.NewDecoder(bufio.NewReaderSize(s.f, 64<<10))
	for {
		var r export.Row
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read rows back: %w", err)
		}
		if err := use(r); err != nil {
			return err
		}
	}
}

// close gives the file's space back; more than once is nothing.
func (s *spill) close() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f = nil
	return err
}
