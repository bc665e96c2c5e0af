package generate

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"textmill/models"
	"textmill/models/session"
)

const (
	probeRows   = 64       // texts, as far as memory holds their states, of the decode that others are measured by
	probePrompt = 256      // tokens of the prompt, as many as a run takes
	rateRows    = 16       // texts of the decode whose speed is taken
	enoughBytes = 16 << 10 // what tokens of as many prompts as are tried leave in the cache: less could agree by chance
)

var (
	probeDecodes  = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 20, 24, 31, 32, 33, 40, 48}
	probePrefills = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 20, 24, 31, 32, 33, 40, 64, 65, 129, 130}
)

// probedRows is how many texts a probe has: fewer than probeRows only where memory holds no more states.
func (g *Generator) probedRows() int {
	if state := 2 * g.spec.Decoder.StateBytes(); state > 0 {
		return int(min(max(g.o.Memory/state, 2), probeRows))
	}
	return probeRows
}

func (g *Generator) probe(ctx context.Context, run probed) (c session.Company, err error) {
	p := prober{o: g.o.Session, run: run, d: g.spec.Decoder, r: rand.New(rand.NewPCG(21, 22)),
		length: min(g.length, probePrompt+1), prompts: map[int]bool{}, rows: g.probedRows()}
	if p.rows < probeRows {
		p.c.Rows = p.rows
	}
	if err := run.reserve(p.rows, p.length); err != nil {
		return c, err
	}
	if s, ok := run.(*slotted); ok {
		if err := p.decodes(ctx, s); err != nil {
			return c, err
		}
	} else {
		p.c.Runs = session.Any // each text has runs of its own
	}
	if len(p.d.States) > 0 { // a prompt cannot begin with another one's state
		return p.settled(), nil
	}
	for rounds := min(max(enoughBytes/p.d.KVBytes(), 1), 16); rounds > 0; rounds-- {
		if err := p.prefills(ctx); err != nil {
			return c, err
		}
	}
	if p.c.Prefill = session.FindShape(p.prompts); p.c.Prefill.Holds() {
		if err := p.fitted(ctx); err != nil {
			return c, err
		}
	}
	return p.settled(), nil
}

func (p *prober) settled() session.Company {
	if p.c.Runs.Holds() {
		p.c.Apart = 0
	}
	return p.c
}

// A prober runs a graph in many shapes on slots of its own and finds which ones come to the same bits.
type prober struct {
	o      session.Options
	run    probed
	d      *models.Decoder
	r      *rand.Rand
	rows   int // slots
	length int // of a slot
	c      session.Company

	prompt  []int32
	logits  []float32    // behind the whole prompt
	prompts map[int]bool // sizes of a run that came to the same bits
}

func (p *prober) ids(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = p.r.Int32N(int32(p.d.VocabSize))
	}
	return ids
}

// decodes gives texts of several lengths one more token: all of them in one run, then few and many of them, here and
// there. What their caches hold does not matter to arithmetic, so that it is drawn, not computed.
func (p *prober) decodes(ctx context.Context, s *slotted) error {
	rows := make([]row, p.rows)
	for i, id := range p.ids(p.rows) {
		rows[i] = row{used: 1 + i%min(12, p.length-1), id: id, idle: true} // so that the slots' states stay as they are
		if i%8 == 5 {
			rows[i].used = 1 + (i*17)%(p.length-1)
		}
		s.cache.draw(p.r, i, rows[i].used)
		s.states.draw(p.r, i)
	}
	decode := func(first, n int) (logits [][]float32, err error) {
		err = p.o.Run(ctx, func(ctx context.Context) error {
			all, err := s.decode(ctx, first, rows[first:first+n])
			for _, one := range all {
				logits = append(logits, one.logits)
			}
			return err
		})
		return logits, err
	}
	all, err := decode(0, p.rows)
	if err != nil {
		return err
	}
	var want [][]float32
	for _, logits := range all {
		want = append(want, slices.Clone(logits))
	}
	same := map[int]bool{}
	for _, n := range probeDecodes {
		if n > p.rows {
			break
		}
		same[n] = true
		for try := range 2 {
			if try > 0 && n > 4 {
				break
			}
			first := p.r.IntN(p.rows - n + 1)
			got, err := decode(first, n)
			if err != nil {
				return err
			}
			for i, logits := range got {
				same[n] = p.alike(logits, want[first+i]) && same[n]
			}
		}
	}
	p.c.Runs = session.FindShape(same)
	p.c.RateRows = min(rateRows, p.rows)
	for range 3 {
		begun := time.Now()
		if _, err := decode(0, p.c.RateRows); err != nil {
			return err
		}
		p.c.Rate = max(p.c.Rate, math.Round(float64(p.c.RateRows)/time.Since(begun).Seconds()))
	}
	return nil
}

const whole, cut = 0, 1 // slots of prefills

// prefills runs a prompt at once, then cuts it in two parts at many places, and compares what the cache holds, and the
// logits at the end.
func (p *prober) prefills(ctx context.Context) error {
	p.prompt = p.ids(p.length - 1)
	logits, err := p.prefill(ctx, whole, 0, p.prompt)
	if err != nil {
		return err
	}
	p.logits = append(p.logits[:0], logits...)
	sizes := append(slices.Clone(probePrefills), 2*p.d.HeadSize+1) // attention takes so many queries at a time
	slices.Sort(sizes)
	for _, n := range slices.Compact(sizes) {
		if n > len(p.prompt) {
			break
		}
		same, err := p.part(ctx, len(p.prompt)-n, len(p.prompt))
		if err != nil {
			return err
		}
		if n <= 20 { // what begins a prompt is of another kind only for few tokens
			begins, err := p.part(ctx, 0, n)
			if err != nil {
				return err
			}
			same = same && begins
		}
		if known, ok := p.prompts[n]; ok {
			same = same && known
		}
		p.prompts[n] = same
	}
	return nil
}

func (p *prober) prefill(ctx context.Context, slot, from int, ids []int32) (logits []float32, err error) {
	err = p.o.Run(ctx, func(ctx context.Context) error {
		last, err := p.run.prefill(ctx, slot, from, ids, false)
		if err == nil {
			logits, err = last.all()
		}
		return err
	})
	return logits, err
}

// part runs a part of the prompt behind what came before, and tells whether it came to the same bits as in the whole.
func (p *prober) part(ctx context.Context, from, to int) (bool, error) {
	if err := p.run.move(cut, whole, from); err != nil {
		return false, err
	}
	logits, err := p.prefill(ctx, cut, from, p.prompt[from:to])
	if err != nil {
		return false, err
	}
	if to == len(p.prompt) && !p.alike(logits, p.logits) {
		return false, nil
	}
	return p.run.same(whole, cut, from, to), nil
}

// fitted runs parts of the prompt once more, filled up as they are from now on.
func (p *prober) fitted(ctx context.Context) error {
	if !p.run.fill(p.c.Prefill) {
		return nil
	}
	defer p.run.fill(session.Any)
	n := len(p.prompt)
	for _, part := range [][2]int{{0, 1}, {1, n / 8}, {n / 2, n/2 + 7}, {n - 1, n}} {
		from, to := part[0], min(part[1], n)
		if from >= to || from+p.c.Prefill.Fit(to-from) > p.length {
			continue
		}
		same, err := p.part(ctx, from, to)
		if err != nil {
			return err
		}
		if !same {
			p.c.Prefill = session.Shape{}
			return nil
		}
	}
	return nil
}

// alike tells whether logits are the same bits, and keeps by how much they are not.
func (p *prober) alike(a, b []float32) bool {
	equal, off, top := true, 0.0, 0.0
	for i := range a {
		if math.Float32bits(a[i]) == math.Float32bits(b[i]) || a[i] != a[i] && b[i] != b[i] {
			continue
		}
		equal = false
		if d := math.Abs(float64(a[i]) - float64(b[i])); !math.IsInf(d, 0) {
			off = max(off, d)
		}
	}
	if !equal {
		for _, v := range b {
			if x := math.Abs(float64(v)); !math.IsInf(x, 0) {
				top = max(top, x)
			}
		}
		if top > 0 && off > 0 {
			p.c.Apart = max(p.c.Apart, off/max(top, off))
		}
	}
	return equal
}
