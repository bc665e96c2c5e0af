package sample

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func pick(t *testing.T, s *Sampler, scratch *Scratch, logits []float32) int32 {
	t.Helper()
	c, err := s.Next(scratch, logits)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func TestGreedy(t *testing.T) {
	scratch := NewScratch(0)
	logits := []float32{1, 3, 2, 3, -1}
	if got := pick(t, New(Params{TopK: 1, Seed: 9}, nil, 5), scratch, logits); got != 1 {
		t.Errorf("of ties %d is picked, want the lowest id", got)
	}
	if got := pick(t, New(Params{LogitBias: map[int32]float64{4: 100, 99: 100, -1: 100}}, nil, 5), scratch, logits); got != 4 {
		t.Errorf("a bias of 100 gives %d", got)
	}
	if got := pick(t, New(Params{LogitBias: map[int32]float64{1: -100, 3: -0.5}}, nil, 5), scratch, logits); got != 3 {
		t.Errorf("a bias of -100 on the best gives %d", got)
	}
	if got := pick(t, New(Params{Temperature: 1e-42}, nil, 5), scratch, logits); got != 1 {
		t.Errorf("a temperature near 0 gives %d", got)
	}
	if want := []float32{1, 3, 2, 3, -1}; !slices.Equal(logits, want) {
		t.Errorf("the logits were changed to %v", logits)
	}
}

// The penalties in OpenAI's words: logit - presence, once, - frequency × count, over what was generated.
func TestPresenceAndFrequency(t *testing.T) {
	scratch := NewScratch(3)
	s := New(Params{PresencePenalty: 0.5, FrequencyPenalty: 0.25}, []int32{2, 2, 2}, 3)
	logits := []float32{1, 0.4, 0.3}
	// Scores of 0: 1, 0.25, 0.25, …; of 1: 0.4, then -0.35; of 2: 0.3, the prompt does not count.
	var got []int32
	for range 5 {
		got = append(got, pick(t, s, scratch, logits))
	}
	if want := []int32{0, 1, 2, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("picked %v, want %v", got, want)
	}
	kept, err := New(Params{Temperature: 1, PresencePenalty: -2, FrequencyPenalty: 2}, nil, 3).Distribution(scratch, logits)
	if err != nil || kept[0].Score != 1 {
		t.Errorf("before anything was generated %v, %v", kept, err)
	}
	kept, err = s.Distribution(scratch, logits)
	if err != nil || kept[0].ID != 0 || kept[0].Score != 1-0.5-0.75 {
		// 0 was made three times: 1 - 0.5 - 3·0.25 = -0.25; 1: 0.4 - 0.75; 2: 0.3 - 0.75.
		t.Errorf("after five tokens %v, %v", kept, err)
	}
}

func TestRepetitionPenaltyCountsPromptAndGenerated(t *testing.T) {
	scratch := NewScratch(4)
	s := New(Params{RepetitionPenalty: 2}, []int32{0, 0, 3, 77, -5}, 4)
	logits := []float32{4, 3, 2.5, -1}
	// 0 is halved once, however often it came; -1 becomes -2.
	if got := []int32{pick(t, s, scratch, logits), pick(t, s, scratch, logits), pick(t, s, scratch, logits)}; !slices.Equal(got, []int32{1, 2, 0}) {
		t.Errorf("picked %v", got)
	}
	s = New(Params{RepetitionPenalty: 2, Temperature: 1}, []int32{3}, 4)
	if kept, _ := s.Distribution(scratch, logits); kept[3] != (Kept{3, -2, kept[3].Prob}) {
		t.Errorf("a negative logit becomes %v, want -2", kept[3])
	}
}

func TestMinNewTokens(t *testing.T) {
	scratch := NewScratch(4)
	logits := []float32{5, 4, 1, 0}
	for _, temperature := range []float64{0, 0.01} {
		s := New(Params{Temperature: temperature, MinNewTokens: 2, EOS: []int32{0, 3, 1000}}, nil, 4)
		if got := []int32{pick(t, s, scratch, logits), pick(t, s, scratch, logits), pick(t, s, scratch, logits)}; !slices.Equal(got, []int32{1, 1, 0}) {
			t.Errorf("at temperature %v picked %v, want EOS third", temperature, got)
		}
	}
}

func TestBadLogits(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	scratch := NewScratch(3)
	for _, p := range []Params{{}, {Temperature: 1}, {Temperature: 0.7, TopK: 2, TopP: 0.5, MinP: 0.1, TypicalP: 0.5, EpsilonCutoff: 0.1},
		{Temperature: 1, RepetitionPenalty: 1.2, LogitBias: map[int32]float64{0: 1}}, {MinNewTokens: 5, EOS: []int32{0, 1, 2}}} {
		for _, logits := range [][]float32{{nan, 1, 2}, {1, nan, 2}, {1, 2, nan}, {nan, nan, nan}, {1, inf, 0}, {-inf, -inf, -inf}} {
			s := New(p, []int32{0, 1, 2}, 3)
			if c, err := s.Next(scratch, logits); !errors.Is(err, ErrNaN) {
				t.Errorf("%+v of %v: token %d, error %v", p, logits, c.ID, err)
			}
			if _, err := s.Distribution(scratch, logits); !errors.Is(err, ErrNaN) || s.Made() != 0 {
				t.Errorf("%+v of %v: distribution's error is %v", p, logits, err)
			}
		}
		if p.MinNewTokens == 0 {
			if got := pick(t, New(p, nil, 3), scratch, []float32{-inf, 3, -inf}); got != 1 {
				t.Errorf("%+v: the only possible token is not picked but %d", p, got)
			}
		}
	}
	if _, err := New(Params{MinNewTokens: 1, EOS: []int32{1}}, nil, 3).Next(scratch, []float32{-inf, 3, -inf}); !errors.Is(err, ErrNaN) {
		t.Errorf("all but EOS ruled out: %v", err)
	}
}

func TestLogprobsAreTheModels(t *testing.T) {
	scratch := NewScratch(4)
	logits := []float32{1, 2, 2, -3}
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v))
	}
	s := New(Params{Temperature: 0.5, TopK: 1, RepetitionPenalty: 3, LogitBias: map[int32]float64{3: 50}, Logprobs: true, TopLogprobs: 3}, []int32{1}, 4)
	c, err := s.Next(scratch, logits)
	if err != nil || c.ID != 3 || math.Abs(float64(c.Logprob)-(-3-math.Log(sum))) > 1e-6 {
		t.Fatalf("got %+v, %v", c, err)
	}
	for i, want := range []int32{1, 2, 0} {
		if c.Top[i].ID != want || math.Abs(float64(c.Top[i].Logprob)-(float64(logits[want])-math.Log(sum))) > 1e-6 {
			t.Errorf("top is %v", c.Top)
		}
	}
	if len(c.Top) != 3 {
		t.Errorf("top has %d", len(c.Top))
	}
	if c, err := New(Params{TopLogprobs: 20}, nil, 4).Next(scratch, logits); err != nil || len(c.Top) != 4 || c.Top[3].ID != 3 {
		t.Errorf("20 of 4 tokens are %v, %v", c.Top, err)
	}
}

func TestTrace(t *testing.T) {
	scratch := NewScratch(5)
	logits := []float32{3, 2.5, 2, 1, 0}
	s := New(Params{Temperature: 0.5, TopK: 2, LogitBias: map[int32]float64{4: 10}}, nil, 5)
	x, err := s.Trace(scratch, logits, 2, nil)
	got := x.Candidates
	if err != nil || x.Kept != 2 || len(got) != 3 || s.Made() != 0 {
		t.Fatalf("got %+v, %v", x, err)
	}
	if got[0].ID != 0 || !got[0].Kept || got[1].ID != 1 || got[1].Kept || got[2].ID != 4 || !got[2].Kept || got[2].Score != 20 || got[2].Logit != 0 {
		t.Errorf("got %+v", got)
	}
	if sum := got[0].After + got[2].After; math.Abs(sum-1) > 1e-12 {
		t.Errorf("kept probabilities add up to %v", sum)
	}
}

// However few tokens are asked for, the one that Next picks is among them.
func TestTraceHoldsThePick(t *testing.T) {
	_, all := readGolden(t)
	logits := all["logits_wide_normal_20000.json"]
	scratch := NewScratch(len(logits))
	s := New(Params{Temperature: 1.5, PresencePenalty: 0.5, Seed: 5}, nil, len(logits))
	far := 0
	for range 50 {
		x, err := s.Trace(scratch, logits, 3, nil)
		got := x.Candidates
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Next(scratch, logits)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(got, func(x Traced) bool { return x.ID == c.ID })
		if i < 0 || !got[i].Kept || got[i].After <= 0 {
			t.Fatalf("token %d is picked from %+v", c.ID, got)
		}
		if i >= 3 {
			far++
		}
	}
	if far == 0 {
		t.Error("no pick was far from the best: the test shows nothing")
	}
}

// The same seed and step give the same number for ever: texts are made again from their seeds.
func TestUniformIsFixed(t *testing.T) {
	for _, c := range []struct {
		seed, step uint64
		want       float64
	}{{0, 0, 0.6739839571077884}, {0, 1, 0.4313921148290337}, {1, 0, 0.1090353315807735}, {1<<64 - 1, 7, 0.48468917130240985}} {
		if got := NewScratch(0).uniform(c.seed, c.step); got != c.want {
			t.Errorf("seed %d step %d: %v, want %v", c.seed, c.step, got, c.want)
		}
	}
}

func TestSameSeedSameTokens(t *testing.T) {
	_, all := readGolden(t)
	logits := all["logits_wide_normal_20000.json"]
	p := Params{Temperature: 1.2, TopP: 0.95, PresencePenalty: 0.1}
	sequence := func(seed uint64, other int) (ids []int32) {
		p := p
		p.Seed = seed
		scratch := NewScratch(len(logits))
		s := New(p, nil, len(logits))
		neighbour := New(Params{Temperature: 2, Seed: 99}, nil, len(logits))
		for range 50 {
			for range other { // other sequences use the same scratch
				pick(t, neighbour, scratch, logits)
			}
			ids = append(ids, pick(t, s, scratch, logits))
		}
		return ids
	}
	alone := sequence(5, 0)
	if !slices.Equal(alone, sequence(5, 3)) {
		t.Error("a neighbour changes the tokens")
	}
	if slices.Equal(alone, sequence(6, 0)) {
		t.Error("another seed gives the same tokens")
	}
}

func TestNoAllocations(t *testing.T) {
	logits := make([]float32, 1000)
	for i := range logits {
		logits[i] = float32(i*7919%1000) / 100
	}
	scratch := NewScratch(len(logits))
	for _, p := range []Params{{}, {Temperature: 1}, {Temperature: 1, TopK: 50, TopP: 0.9, MinP: 0.01}, {Temperature: 1, TopP: 0.9, RepetitionPenalty: 1.1, TopLogprobs: 5}} {
		s := New(p, []int32{1, 2, 3}, len(logits))
		for range 2000 { // until every token is known to the penalties
			pick(t, s, scratch, logits)
		}
		if n := testing.AllocsPerRun(100, func() { pick(t, s, scratch, logits) }); n >= 1 {
			t.Errorf("%+v: %v allocations for each token", p, n)
		}
	}
}

func TestExp(t *testing.T) {
	var worst float64
	for x := float32(0); x > -103.9; x -= 0.00137 {
		want := math.Exp(float64(x))
		worst = max(worst, math.Abs(exp(x)-want)/want)
	}
	if worst > 1e-13 || exp(-200) != 0 || exp(0) != 1 || exp(float32(math.Inf(-1))) != 0 {
		t.Errorf("relative error %g, exp(0) = %v", worst, exp(0))
	}
}
