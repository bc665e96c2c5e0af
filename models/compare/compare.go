// Package compare measures how far a decoder's logits are from those of a more exact graph.
package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/models"
	"textmill/models/internal/onnx"
	"textmill/models/session"
)

// ErrGraph is the class of graphs that cannot be compared.
var ErrGraph = errors.New("cannot compare the graph")

// A Scorer computes the logits of every token of a text.
type Scorer struct {
	d       *models.Decoder
	session *onnx.Session
	card    *onCard // in the place of session
}

// Open loads one of the graphs of a bundle that textmill made; file is relative to the bundle.
func Open(spec *models.Spec, file string, o session.Options) (*Scorer, error) {
	d := spec.Decoder
	if d == nil || !d.Own() {
		return nil, fmt.Errorf("%w: %s is none that textmill made", ErrGraph, spec.Name)
	}
	o, err := o.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := onnx.Load(o.Library); err != nil {
		return nil, err
	}
	inputs, outputs := d.Feeds()
	s, err := onnx.Open(filepath.Join(spec.Dir, filepath.FromSlash(file)), inputs, outputs,
		onnx.Options{Threads: o.Threads})
	if err != nil {
		return nil, fmt.Errorf("%w: load %s: %w", ErrGraph, file, err)
	}
	return &Scorer{d: d, session: s}, nil
}

// Close frees the graph.
func (s *Scorer) Close() error {
	if s.card != nil {
		return s.card.session.Close()
	}
	return s.session.Destroy()
}

// Score gives the logits behind each token, [len(ids), vocab_size].
func (s *Scorer) Score(ctx context.Context, ids []int32) (logits []float32, err error) {
	if s.card != nil {
		return s.card.score(ctx, s.d, ids)
	}
	n := int64(len(ids))
	wide, positions := make([]int64, n), make([]int64, n)
	for i, id := range ids {
		wide[i], positions[i] = int64(id), int64(i)
	}
	logits = make([]float32, len(ids)*s.d.VocabSize)
	var values []ort.Value
	defer func() { err = errors.Join(err, onnx.Destroy(values...)) }()
	add := func(v ort.Value, e error) {
		if e != nil {
			err = errors.Join(err, e)
			return
		}
		values = append(values, v)
	}
	add(ort.NewTensor([]int64{1, n}, wide))
	add(ort.NewTensor([]int64{1}, []int32{int32(n - 1)}))
	add(ort.NewTensor([]int64{1}, []int32{int32(n)}))
	add(ort.NewTensor([]int64{n}, positions))
	if from := s.d.OriginalPositions; from > 0 {
		if len(ids) <= from {
			from = 0
		}
		add(ort.NewTensor([]int64{1}, []int64{int64(from)}))
	}
	caches := len(values)
	size := []int64{1, int64(s.d.KVHeads), n, int64(s.d.HeadSize)}
	for range 2 * len(s.d.Cached()) {
		add(ort.NewEmptyTensor[float32](size))
	}
	states := len(values)
	for _, state := range s.d.States { // a text that begins takes nothing from them
		add(ort.NewEmptyTensor[float32](state.Shape(1)))
	}
	add(ort.NewTensor([]int64{n, int64(s.d.VocabSize)}, logits))
	if err != nil {
		return nil, err
	}
	last := len(values) - 1
	outputs := slices.Concat(values[last:], values[caches:states], make([]ort.Value, last-states))
	err = onnx.Run(ctx, s.session, values[:last], outputs)
	for _, v := range outputs[1+states-caches:] {
		if v != nil {
			values = append(values, v)
		}
	}
	return logits, err
}

// A Difference is how far a graph is from a reference, over all positions of some texts.
type Difference struct {
	Positions int `json:"positions"`
	// KL is the mean divergence of the next token's distribution from the reference's, in nats; MaxKL the greatest.
	KL    float64 `json:"kl"`
	MaxKL float64 `json:"max_kl"`
	// LogitError is the root of the mean squared difference of logits, MaxLogitError the greatest difference.
	LogitError    float64 `json:"logit_error"`
	MaxLogitError float64 `json:"max_logit_error"`
	// Top1 is the part of positions at which both find the same token the likeliest.
	Top1 float64 `json:"top1"`
}

// Said is what people read of it.
func (d Difference) Said() string {
	return fmt.Sprintf(
		"KL %.3g (at most %.3g), logits off by %.3g (at most %.3g), the same greedy token at %.1f %% of %d positions",
		d.KL, d.MaxKL, d.LogitError, d.MaxLogitError, 100*d.Top1, d.Positions)
}

// Measure runs texts of token IDs through both.
func Measure(ctx context.Context, reference, other *Scorer, texts [][]int32) (Difference, error) {
	var d Difference
	if reference.d.VocabSize != other.d.VocabSize {
		return d, fmt.Errorf("%w: its vocabulary has %d tokens, the reference's %d", ErrGraph, other.d.VocabSize,
			reference.d.VocabSize)
	}
	squares, same, vocab := 0.0, 0, reference.d.VocabSize
	for _, ids := range texts {
		want, err := reference.Score(ctx, ids)
		if err != nil {
			return d, err
		}
		got, err := other.Score(ctx, ids)
		if err != nil {
			return d, err
		}
		for i := range ids {
			p, q := want[i*vocab:(i+1)*vocab], got[i*vocab:(i+1)*vocab]
			for j := range p {
				e := math.Abs(float64(p[j]) - float64(q[j]))
				squares, d.MaxLogitError = squares+e*e, max(d.MaxLogitError, e)
			}
			kl := divergence(p, q)
			d.KL, d.MaxKL = d.KL+kl, max(d.MaxKL, kl)
			if likeliest(p) == likeliest(q) {
				same++
			}
			d.Positions++
		}
	}
	if d.Positions == 0 {
		return d, fmt.Errorf("%w: there is no text to compare it on", ErrGraph)
	}
	n := float64(d.Positions)
	d.KL, d.Top1, d.LogitError = d.KL/n, float64(same)/n, math.Sqrt(squares/n/float64(vocab))
	return d, nil
}

// divergence is Kullback and Leibler's, of the distribution of logits q from that of p.
func divergence(p, q []float32) float64 {
	zp, zq, sum := logSum(p), logSum(q), 0.0
	for i := range p {
		lp := float64(p[i]) - zp
		sum += math.Exp(lp) * (lp - (float64(q[i]) - zq))
	}
	return max(sum, 0) // rounding
}

func logSum(logits []float32) float64 {
	top := float64(logits[likeliest(logits)])
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

func likeliest(logits []float32) int {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return best
}
