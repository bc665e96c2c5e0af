package sample

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// bestOf is what a device gives of logits: the n highest, of those that tie for the last place any.
func bestOf(logits []float32, n int, r *rand.Rand) *Best {
	ids := make([]int32, len(logits))
	for i := range ids {
		ids[i] = int32(i)
	}
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	slices.SortStableFunc(ids, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	b := &Best{Token: int32(len(logits)), LogSum: float32(logSumExp(logits))}
	if top, err := argmax(logits); err == nil {
		b.Token = top
	}
	for _, id := range ids[:min(n, len(ids))] {
		b.IDs, b.Logits = append(b.IDs, id), append(b.Logits, logits[id])
	}
	return b
}

// Whatever is asked for, the candidates lead to the token that the logits lead to, or say that they do not tell.
func TestBestGivesWhatTheLogitsGive(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	scratch := NewScratch(400)
	told := map[Need]int{}
	for try := range 4000 {
		logits := make([]float32, []int{400, 40}[try%2])
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * 3)
			if try%3 == 0 { // with many ties, as numbers of few bits have them
				logits[i] = float32(math.Round(float64(logits[i])*4) / 4)
			}
		}
		pick := func(of ...float64) float64 { return of[r.IntN(len(of))] }
		p := Params{Temperature: pick(0, 0.7, 1, 1.5, 1e-42), TopK: int(pick(0, 0, 1, 5, 50, 300)), TopP: pick(0, 0, 0.5, 0.9), MinP: pick(0, 0, 0.05, 0.3),
			TopH: pick(0, 0, 0, 0.4), TypicalP: pick(0, 0, 0.8), EpsilonCutoff: pick(0, 0, 0.01), EtaCutoff: pick(0, 0, 0.02), Seed: r.Uint64(),
			Logprobs: r.IntN(2) == 0, TopLogprobs: int(pick(0, 0, 5, 20)), RepetitionPenalty: pick(0, 0, 0, 1.3), MinNewTokens: int(pick(0, 0, 3)), EOS: []int32{2}}
		from, with := New(p, []int32{1}, len(logits)), New(p, []int32{1}, len(logits))
		for range 4 {
			want, err := from.Next(scratch, logits)
			if err != nil {
				t.Fatal(err)
			}
			want.Top = slices.Clone(want.Top)
			need := with.Needs()
			got, ok, err := with.NextOf(scratch, bestOf(logits, 64, r))
			if err != nil {
				t.Fatal(err)
			}
			if !ok { // no step was taken
				if need == NeedsToken {
					t.Fatalf("%+v: the likeliest token is not enough", p)
				}
				if got, err = with.Next(scratch, logits); err != nil {
					t.Fatal(err)
				}
			} else {
				told[need]++
			}
			same := got.ID == want.ID && math.Abs(float64(got.Logprob-want.Logprob)) < 1e-5 && len(got.Top) == len(want.Top)
			for i := 0; same && i < len(got.Top); i++ {
				same = got.Top[i].ID == want.Top[i].ID && math.Abs(float64(got.Top[i].Logprob-want.Top[i].Logprob)) < 1e-5
			}
			if !same || with.Made() != from.Made() {
				t.Fatalf("%+v: %+v from candidates, %+v from logits", p, got, want)
			}
		}
	}
	if told[NeedsToken] < 100 || told[NeedsBest] < 1000 || told[NeedsLogits] > 0 {
		t.Errorf("candidates told of %v", told)
	}
}

func TestBestOfNoNumbers(t *testing.T) {
	scratch := NewScratch(3)
	for _, p := range []Params{{}, {Temperature: 1, TopK: 2}, {Temperature: 1}, {Logprobs: true}} {
		if _, ok, err := New(p, nil, 3).NextOf(scratch, &Best{Token: 3}); !ok || !errors.Is(err, ErrNaN) {
			t.Errorf("%+v: %v, %v", p, ok, err)
		}
	}
	if _, ok, err := New(Params{Rules: &Rules{RemoveInvalidValues: true}}, nil, 3).NextOf(scratch, &Best{Token: 3}); ok || err != nil {
		t.Errorf("what is to be mended needs the logits: %v, %v", ok, err)
	}
	if _, ok, err := New(Params{Temperature: 1, TopK: 2}, nil, 3).NextOf(scratch, &Best{Token: 1}); ok || err != nil {
		t.Errorf("without candidates: %v, %v", ok, err)
	}
}
