package generate

import (
	"context"
	"errors"

	"textmill/models/internal/card"
	"textmill/models/internal/graph"
	"textmill/models/sample"
)

// gives are the outputs of runs but for the caches, a row for each token that is scored. Logits stay on the device,
// but for rows that are asked for.
type gives struct {
	vocab, k      int
	logits        mirror                // [slots, vocab]
	token         mirror                // [slots]
	top, ids, sum mirror                // of the choice: [slots, k] twice, and [slots]
	temperature   mirror                // of the choice, which nobody's text goes by
	choice        *card.Session         // nil without a choice
	choices       map[int]*card.Binding // over so many of the first rows
}

func (g *gives) make(b *bound, slots int) (err error) {
	rows := int64(slots)
	g.vocab = b.d.VocabSize
	if g.logits, err = newMirror(b.session, graph.Float32, rows, int64(g.vocab)); err != nil || !b.chooses {
		return err
	}
	if g.token, err = newMirror(b.session, graph.Int64, rows); err != nil || b.choice == nil {
		return err
	}
	g.choice, g.k = b.choice, b.candidates
	for _, m := range []struct {
		to    *mirror
		kind  card.Kind
		shape []int64
	}{{&g.top, graph.Float32, []int64{rows, int64(g.k)}}, {&g.ids, graph.Int32, []int64{rows, int64(g.k)}},
		{&g.sum, graph.Float32, []int64{rows}}, {&g.temperature, graph.Float32, []int64{rows}}} {
		if *m.to, err = newMirror(b.choice, m.kind, m.shape...); err != nil {
			return err
		}
	}
	for i := range g.temperature.host.Floats() {
		g.temperature.host.Floats()[i] = 1
	}
	g.choices = map[int]*card.Binding{}
	return g.temperature.put(slots)
}

// bindChoice has the choice take the first rows.
func (g *gives) bindChoice(rows int64) (*card.Binding, error) {
	b, err := g.choice.Bind()
	if err != nil {
		return nil, err
	}
	k := int64(g.k)
	for _, v := range []struct {
		name  string
		bind  func(string, *card.Tensor) error
		of    *card.Tensor
		shape []int64
	}{{"logits", b.In, g.logits.device, []int64{rows, int64(g.vocab)}}, {"temperature", b.In, g.temperature.device, []int64{rows}},
		{"top_logits", b.Out, g.top.device, []int64{rows, k}}, {"top_ids", b.Out, g.ids.device, []int64{rows, k}},
		{"log_sum", b.Out, g.sum.device, []int64{rows}}} {
		t, err := v.of.View(v.shape...)
		if err == nil {
			err = v.bind(v.name, t)
		}
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

// bind has runs of n rows give them.
func (g *gives) bind(b *card.Binding, n int) error {
	logits, err := g.logits.device.View(int64(n), int64(g.vocab))
	if err == nil {
		err = b.Out("logits", logits)
	}
	if err != nil || g.token.device == nil {
		return err
	}
	token, err := g.token.device.View(int64(n))
	if err != nil {
		return err
	}
	return b.Out("token", token)
}

// read brings what the last run chose of its n rows to the host.
func (g *gives) read(ctx context.Context, n int, candidates bool) error {
	if err := g.token.get(n); err != nil || !candidates {
		return err
	}
	b := g.choices[n]
	if b == nil {
		var err error
		if b, err = g.bindChoice(int64(n)); err != nil {
			return err
		}
		g.choices[n] = b
	}
	if err := b.Run(ctx, card.Eager); err != nil {
		return err
	}
	return errors.Join(g.top.get(n*g.k), g.ids.get(n*g.k), g.sum.get(n))
}

// best is what read brought of a row.
func (g *gives) best(row int, candidates bool) sample.Best {
	b := sample.Best{Token: int32(g.token.host.Int64s()[row])}
	if candidates {
		at, end := row*g.k, (row+1)*g.k
		b.IDs, b.Logits, b.LogSum = g.ids.host.Int32s()[at:end], g.top.host.Floats()[at:end], g.sum.host.Floats()[row]
	}
	return b
}

// fetch brings all logits of n rows to the host.
func (g *gives) fetch(row, n int) ([]float32, error) {
	at, count := int64(row*g.vocab), int64(n*g.vocab)
	err := card.CopyRows(g.logits.host, g.logits.device, card.Rows{To: at, From: at, Width: count, Stride: count, N: 1})
	if err != nil {
		return nil, err
	}
	return g.logits.host.Floats()[at : at+count], nil
}

func (g *gives) close() (err error) {
	for _, b := range g.choices {
		err = errors.Join(err, b.Close())
	}
	for _, m := range []*mirror{&g.logits, &g.token, &g.top, &g.ids, &g.sum, &g.temperature} {
		err = errors.Join(err, m.close())
	}
	*g = gives{}
	return err
}
