package bundles

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"textmill/config"
	"textmill/ground/plain"
	"textmill/local"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/compare"
	"textmill/models/embed"
	"textmill/models/session"
	"textmill/open"
)

// ErrDrift is the class of graphs for a card that are further from the processor's than is promised.
var ErrDrift = errors.New("the graph for a card is too far from the processor's")

// What is promised: the least cosine of a text's vectors, and in nats the most that the distributions of the next
// token diverge on the mean, by the precision.
const leastCosine = 0.9999

var mostKL = map[string]float64{models.FP16: 1e-3, models.BF16: 5e-2}

// A drift is how far a graph for a card is from the processor's over sample texts.
type drift struct {
	Name      string `json:"name"`
	Graph     string `json:"graph"`
	SHA256    string `json:"model_sha256"`
	Precision string `json:"precision"`
	Device    string `json:"device"`
	// As says what ran on the processor in the place of a graph that it cannot run.
	As string `json:"as,omitempty"`
	// Texts and Cosine, the worst, are there for models to embed with, Difference for those to generate with.
	Texts               int     `json:"texts"`
	Cosine              float64 `json:"worst_cosine,omitempty"`
	*compare.Difference `json:",omitempty"`
	OK                  bool `json:"ok"`
}

func (d drift) String() string {
	line := fmt.Sprintf("%s: %s on %s", d.Name, d.Graph, d.Device)
	if d.As != "" {
		line += " (" + d.As + ")"
	}
	line += " against the processor's graph: "
	return line + d.said()
}

func (d drift) said() string {
	if d.Difference == nil {
		return fmt.Sprintf("worst cosine %.6f over %d texts", d.Cosine, d.Texts)
	}
	return d.Difference.Said()
}

// drift compares the graph for a card on a device with the processor's graph.
func (o VerifyOptions) drift(ctx context.Context, cfg config.Config, s *models.Spec) error {
	on := open.Session(cfg, s.Name)
	on.Device = o.Device
	on, err := on.WithDefaults()
	if err != nil {
		return fmt.Errorf("%w: --device: %w", local.ErrUsage, err)
	}
	card, err := checkpoint.Card(ctx, s.Dir, checkpoint.CardOptions{Library: on.Library,
		Note: func(note string) { fmt.Fprintln(o.Progress, note) }})
	if err != nil {
		return err
	}
	card.Name = s.Name
	if err := errors.Join(s.Verify(ctx), card.Verify(ctx)); err != nil {
		return err
	}
	d := drift{Name: s.Name, Graph: card.Graph, SHA256: card.SHA256, Precision: card.Card.Precision, Device: on.Device}
	if err := d.measure(ctx, s, card, on); err != nil {
		return fmt.Errorf("compare model %s: %w", s.Name, err)
	}
	found := session.Finding{About: fmt.Sprintf("drift of %s on %s against the processor's graph", d.Graph, d.Device),
		Says: d.said()}
	o.keep(cfg, s, found)
	o.keep(cfg, card, found) // which is what a daemon serves there
	if o.JSON {
		err = plain.JSON(o.Out, d)
	} else {
		_, err = fmt.Fprintln(o.Out, d)
	}
	if err == nil && !d.OK {
		err = fmt.Errorf("%w: model %s on %s", ErrDrift, s.Name, d.Device)
	}
	return err
}

// measure runs the samples through both graphs.
func (d *drift) measure(ctx context.Context, s, card *models.Spec, on session.Options) (err error) {
	t, err := s.Tokenizer()
	if err != nil {
		return err
	}
	texts, err := compare.Texts(t, s.MaxLength)
	if err != nil {
		return err
	}
	vocab := t.VocabSize()
	if s.Decoder != nil {
		vocab = s.Decoder.VocabSize
	}
	texts = append(texts, compare.Spread(vocab, min(s.MaxLength, 64)))
	d.Texts = len(texts)
	if on.Device == "cpu" {
		as, end, err := checkpoint.OnProcessor(ctx, card)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		switch {
		case as.Card == nil:
			d.As = "the same numbers on padded rows: the attention of packed texts is for cards only"
		case as.Graph != card.Graph:
			d.As = "fp32 rounded to bf16, which processors have no kernels for"
		}
		card = as
	}
	plainly := on
	plainly.Device = "cpu"
	if s.Decoder == nil {
		return d.vectors(ctx, s, card, plainly, on, texts)
	}
	return d.logits(ctx, s, card, plainly, on, texts)
}

func (d *drift) logits(ctx context.Context, s, card *models.Spec, plainly, on session.Options,
	texts [][]int32) (err error) {
	exact, err := compare.Open(s, s.Decoder.Graphs[0].File, plainly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, exact.Close()) }()
	other, err := compare.OpenCard(card, on)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	found, err := compare.Measure(ctx, exact, other, texts)
	most := mostKL[d.Precision]
	if s.Decoder.Graphs[0].Activations == "int8" { // then it is the processor's graph that rounds more
		most = max(most, mostKL[models.BF16])
	}
	d.Difference, d.OK = &found, found.KL <= most // what is no number is not
	return err
}

func (d *drift) vectors(ctx context.Context, s, card *models.Spec, plainly, on session.Options,
	texts [][]int32) (err error) {
	run := func(s *models.Spec, o session.Options) (vectors []embed.Vector, err error) {
		o.BatchTokens = max(o.BatchTokens, 1024) // which is best is another measurement
		e, err := embed.Open(ctx, s, o)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		for _, ids := range texts {
			v, err := e.Embed(ctx, []embed.Row{{IDs: ids}})
			if err != nil {
				return nil, err
			}
			vectors = append(vectors, v...)
		}
		return vectors, nil
	}
	want, err := run(s, plainly)
	if err != nil {
		return err
	}
	got, err := run(card, on)
	if err != nil {
		return err
	}
	d.Cosine = 1
	for i := range want {
		d.Cosine = min(d.Cosine, cosine(want[i], got[i])) // what is no number stays
	}
	d.OK = d.Cosine >= leastCosine
	return nil
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// device tells whether the options ask for a drift, and refuses what does not go with that.
func (o VerifyOptions) device() (bool, error) {
	switch {
	case o.Device == "":
		return false, nil
	case len(o.Names) == 0:
		return false, fmt.Errorf("%w: --device needs the names of models", local.ErrUsage)
	case !slices.Contains([]string{"", "cpu"}, o.Against):
		return false, fmt.Errorf("%w: with --device a graph for a card is compared with the processor's: --against cpu",
			local.ErrUsage)
	}
	return true, nil
}
