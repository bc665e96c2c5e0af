package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"textmill/models"
	"textmill/models/session"
)

// probeLengths are the texts that a probe runs alone and among each other. In a run of its own a text's length is the
// run's number of rows, padding or not.
var probeLengths = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 18, 20, 24, 31, 32, 33, 40, 64}

// settleCompany finds how runs must look for a text's bits not to depend on its batch: from an earlier session on the
// like of this machine, or by a probe.
func (e *Embedder) settleCompany(ctx context.Context, o session.Options) error {
	known, ok, err := session.Remembered(e.spec, o, e.device)
	if err != nil {
		return err
	}
	if !ok {
		o.Log.InfoContext(ctx, "runs of the model are probed, once on the like of this machine", "model", e.spec.Name)
		begun := time.Now()
		if known, err = e.probeAny(ctx); err != nil {
			return fmt.Errorf("probe what company does to vectors of %s: %w", e.spec.Name, err)
		}
		o.Log.InfoContext(ctx, "batches were probed", "model", e.spec.Name, "bits_hold", known.String(), "took",
			time.Since(begun))
		if err := session.Remember(e.spec, o, e.device, known); err != nil {
			o.Log.WarnContext(ctx, "what was probed cannot be kept, it will be probed again", "error", err)
		}
	}
	e.company = known
	if e.deck != nil {
		e.deck.longest.Store(int64(max(known.Longest, shortest)))
	}
	return nil
}

func (e *Embedder) probeAny(ctx context.Context) (session.Company, error) {
	if e.deck != nil {
		return e.probeCard(ctx)
	}
	return e.probe(ctx)
}

// Dependence says why a text's vector depends on its batch, "" if it does not.
func (e *Embedder) Dependence() string {
	if e.company.Holds() {
		return ""
	}
	return fmt.Sprintf("a text's vector depends on its batch, by up to %.2g of the greatest value: %s", e.company.Apart,
		e.spec.Blame())
}

// probe runs texts of many lengths in one large batch, each alone, and some of them in other company with other
// padding. The large batch is the measure; what a lone text needs beside it for the same bits is the session.Shape,
// and the mixed batches, run in that session.Shape, must agree too.
func (e *Embedder) probe(ctx context.Context) (session.Company, error) {
	r := rand.New(rand.NewPCG(11, 12))
	all := e.probeRows(r, e.vocabSize())
	want, err := e.measured(ctx, all)
	// config.json may promise more tokens than the table has
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		all = e.probeRows(r, fewTokens)
		want, err = e.measured(ctx, all)
	}
	if err != nil {
		return session.Company{}, err
	}
	var c session.Company
	same := map[int]bool{}
	compare := func(picked ...int) (bool, error) {
		rows := make([]Row, len(picked))
		for i, p := range picked {
			rows[i] = all[p]
		}
		got, err := e.measured(ctx, rows)
		if err != nil {
			return false, err
		}
		equal := true
		for i, p := range picked {
			if d := apart(got[i], want[p]); d != 0 {
				equal, c.Apart = false, max(c.Apart, d)
			}
		}
		return equal, nil
	}
	for i, row := range all {
		if same[len(row.IDs)], err = compare(i); err != nil {
			return session.Company{}, err
		}
	}
	c.Runs = session.FindShape(same)
	e.company = c // from here on batches are run in that session.Shape
	for n := 2; n < len(all) && c.Runs.Holds(); n += 1 + n/3 {
		ok, err := compare(r.Perm(len(all))[:n]...)
		if err != nil {
			return session.Company{}, err
		}
		if !ok {
			c.Runs = session.Shape{}
		}
	}
	for i := 0; i < len(all) && c.Runs.Holds(); i++ {
		if ok, err := compare(i); err != nil {
			return session.Company{}, err
		} else if !ok {
			c.Runs = session.Shape{}
		}
	}
	if c.Runs.Holds() {
		c.Apart = 0
	}
	return c, nil
}

// fewTokens is how many tokens every vocabulary has.
const fewTokens = 8

func (e *Embedder) probeRows(r *rand.Rand, vocab int) []Row {
	var rows []Row
	for _, n := range probeLengths {
		if n > e.spec.MaxLength {
			break
		}
		row := Row{IDs: make([]int32, n)}
		for j := range row.IDs {
			row.IDs[j] = r.Int32N(int32(vocab))
		}
		if !e.spec.PooledInGraph {
			row.Pooling = models.PoolNone
		}
		rows = append(rows, row)
	}
	return rows
}

// vocabSize is how many tokens may be taken for a probe.
func (e *Embedder) vocabSize() int {
	if n := e.spec.VocabSize(); n > fewTokens && n <= math.MaxInt32 {
		return n
	}
	return fewTokens
}

// fit gives rows that make a run fit for its bits to hold, and the width that rows are padded to.
func (e *Embedder) fit(rows []Row) (run []Row, width int) {
	total := 0
	for _, r := range rows {
		total += len(r.IDs)
		width = max(width, len(r.IDs))
	}
	if s := e.company.Runs; s.Holds() && s != session.Any && !e.alone(rows[0]) {
		run = slices.Clone(rows)
		for missing := s.Fit(total) - total; missing > 0; {
			n := min(missing, e.spec.MaxLength)
			width = max(width, n)
			run = append(run, Row{IDs: slices.Repeat(rows[0].IDs[:1], n)})
			missing -= n
		}
		return run, width
	}
	return rows, width
}

// apart is the greatest difference of two vectors in parts of the greatest value, 0 if they are the same bits. A nil
// vector held a value that is no number.
func apart(a, b Vector) float64 {
	if len(a) != len(b) {
		return 1
	}
	off, top := 0.0, 0.0
	for i := range a {
		off = max(off, math.Abs(float64(a[i])-float64(b[i])))
		top = max(top, math.Abs(float64(b[i])))
	}
	if off == 0 {
		return 0
	}
	return off / max(top, off)
}
