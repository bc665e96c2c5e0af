package embed

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"textmill/models"
	"textmill/models/session"
)

// mostTokens is how many tokens a run on a card has at most, but for a longer text. Operators count tokens in 16 bits.
const mostTokens = 32768

// cardSizes are the numbers of tokens that runs on a card may have: few, so that its memory need not hold many shapes,
// and none more than a quarter above the one before.
func cardSizes(most int) []int {
	var sizes []int
	for n := 64; n <= most; n *= 2 {
		for quarter := range 4 {
			if size := n + quarter*n/4; size <= most {
				sizes = append(sizes, size)
			}
		}
	}
	return sizes
}

// probeCard finds the sizes of runs in which texts come to the same bits: of all that come to the bits of one size as
// many as there are. Where texts that are taken for short ones come to other bits, all are taken for the model's
// longest.
func (e *Embedder) probeCard(ctx context.Context) (session.Company, error) {
	most := powerOfTwo(max(e.spec.MaxLength, shortest))
	sizes := cardSizes(max(most, e.mostSize()))
	var c session.Company
	for longest := shortest; ; longest = most {
		e.deck.longest.Store(int64(longest))
		found, err := e.probeSizes(ctx, sizes)
		if err != nil {
			return c, err
		}
		c.Apart = max(c.Apart, found.Apart)
		if len(found.Sizes) > 0 {
			found.Longest, found.Apart = longest, 0
			return found, nil
		}
		if longest == most || most > mostTaken {
			return c, nil
		}
	}
}

// sizeFor is what a run of so many tokens is filled up to.
func (e *Embedder) sizeFor(tokens int) int {
	if e.company.Holds() {
		return e.company.Fit(tokens)
	}
	return session.Company{Sizes: cardSizes(mostTokens)}.Fit(tokens)
}

// mostTaken is the longest text that short ones are taken for: attention reserves memory for each.
const mostTaken = 512

// mostSize is the largest run that is probed: what batches may come to.
func (e *Embedder) mostSize() int {
	if n := e.BatchTokens(); n > 0 {
		return min(powerOfTwo(n), mostTokens)
	}
	return mostTokens
}

// probeSizes runs the same texts in runs of every size, as many as fit, then among others.
func (e *Embedder) probeSizes(ctx context.Context, sizes []int) (session.Company, error) {
	r := rand.New(rand.NewPCG(11, 12))
	vocab := e.vocabSize()
	texts := e.cardRows(r, vocab)
	if _, err := e.sized(ctx, sizes[len(sizes)-1], texts[:1]); err != nil && !errors.Is(err, session.ErrOutOfMemory) {
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			return session.Company{}, err
		}
		vocab = fewTokens // config.json may promise more tokens than the table has
		texts = e.cardRows(r, vocab)
	}
	var c session.Company
	runs := map[int][]Vector{}
	for _, size := range slices.Backward(sizes) {
		got, err := e.sized(ctx, size, within(texts, size))
		if errors.Is(err, session.ErrOutOfMemory) {
			continue
		}
		if err != nil {
			return c, err
		}
		runs[size] = got
	}
	c.Sizes, c.Apart = alike(sizes, runs)
	if len(c.Sizes) == 0 {
		return c, nil
	}
	want := runs[c.Sizes[len(c.Sizes)-1]]
	for _, size := range c.Sizes {
		if ok, err := e.mixed(ctx, r, texts, want, size, vocab, &c); err != nil {
			return c, err
		} else if !ok {
			c.Sizes = nil
			return c, nil
		}
	}
	return c, nil
}

// cardRows are those of every probe and longer ones, pooled and not.
func (e *Embedder) cardRows(r *rand.Rand, vocab int) []Row {
	rows := e.probeRows(r, vocab)
	for n := 96; n <= e.spec.MaxLength && n <= 1024; n += n / 3 {
		rows = append(rows, e.text(r, n, vocab))
	}
	for i := range rows {
		rows[i].Pooling = []string{models.PoolNone, models.PoolMean, models.PoolMax}[i%3]
	}
	return rows
}

// within are texts that fit into a run.
func within(texts []Row, size int) []Row {
	n, total := 0, 0
	for n < len(texts) && total+len(texts[n].IDs) <= size {
		total += len(texts[n].IDs)
		n++
	}
	return texts[:n]
}

// sized runs rows in a run of that size.
func (e *Embedder) sized(ctx context.Context, size int, rows []Row) ([]Vector, error) {
	var out []Vector
	err := e.o.Run(ctx, func(ctx context.Context) (err error) {
		s := <-e.slots
		defer func() { e.slots <- s }()
		p := pack(rows, e.spec, size, int(e.deck.longest.Load()))
		out, err = s.(*cardSlot).once(ctx, e, p)
		return err
	})
	return out, err
}

// alike are the sizes whose runs came to the bits of one of them, the most there are, and by how much others were off.
func alike(sizes []int, runs map[int][]Vector) (best []int, off float64) {
	for _, reference := range slices.Backward(sizes) {
		var same []int
		for _, size := range sizes {
			a, b := runs[reference], runs[size]
			n := min(len(a), len(b))
			apartBy := 0.0
			for i := range n {
				apartBy = max(apartBy, apart(b[i], a[i]))
			}
			off = max(off, apartBy)
			if n > 0 && apartBy == 0 {
				same = append(same, size)
			}
		}
		if len(same) > len(best) {
			best = same
		}
	}
	if len(best) < 2 {
		return nil, off
	}
	return best, off
}

// mixed runs texts in another order among others, of all lengths, in a run of that size: they must come to what is
// wanted.
func (e *Embedder) mixed(ctx context.Context, r *rand.Rand, texts []Row, want []Vector, size, vocab int,
	c *session.Company) (bool, error) {
	var rows []Row
	var which []int // of texts, or none
	total := 0
	add := func(row Row, index int) {
		if total+len(row.IDs) <= size {
			rows, which, total = append(rows, row), append(which, index), total+len(row.IDs)
		}
	}
	for _, i := range r.Perm(len(texts)) {
		for range r.IntN(3) {
			add(e.stranger(r, vocab), -1)
		}
		add(texts[i], i)
	}
	got, err := e.sized(ctx, size, rows)
	if err != nil {
		return false, err
	}
	equal := true
	for i, index := range which {
		if index < 0 || index >= len(want) {
			continue
		}
		if d := apart(got[i], want[index]); d != 0 {
			equal, c.Apart = false, max(c.Apart, d)
		}
	}
	return equal, nil
}

// stranger is a text of any length.
func (e *Embedder) stranger(r *rand.Rand, vocab int) Row {
	n := 1 + r.IntN(min(e.spec.MaxLength, 40))
	if r.IntN(16) == 0 {
		n = 1 + r.IntN(e.spec.MaxLength)
	}
	return e.text(r, n, vocab)
}

func (e *Embedder) text(r *rand.Rand, n, vocab int) Row {
	row := Row{IDs: make([]int32, n)}
	for j := range row.IDs {
		row.IDs[j] = r.Int32N(int32(vocab))
	}
	return row
}
