package generate_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/generate"
	"textmill/models/session"
)

// forCard makes the graph for a card of a bundle.
func forCard(t testing.TB, spec *models.Spec) *models.Spec {
	t.Helper()
	made, err := checkpoint.Card(t.Context(), spec.Dir, checkpoint.CardOptions{Precision: models.FP16})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// devices are the ways in which a small model runs as it would on a card: with the processor's graph, whose logits all
// leave the device, and with the card's own in fp16, which chooses there.
func devices(t *testing.T, name string, slots, chunk int) map[string]*generate.Generator {
	spec := tiny(t, name, nil)
	return map[string]*generate.Generator{
		"fp32": open(t, spec, generate.OnDevice(generate.Options{Slots: slots}, chunk)),
		"fp16": open(t, forCard(t, spec), generate.OnDevice(generate.Options{Slots: slots}, chunk)),
	}
}

// Widths here are multiples of what the processor's own operators take at a time, which score what is left over in another
// way: a card has no such rest. At one width a text comes to the same bits alone, among others, in another order and behind others' prompts that begin alike.
func TestOnADeviceTextsDoNotDependOnCompany(t *testing.T) {
	for _, name := range []string{"llama", "mistral", "qwen3"} {
		ways := devices(t, name, 8, 8) // two tokens are a brief prompt, sixteen with the longer parts
		for precision, g := range devices(t, name, 8, 64) {
			ways[precision+" in longer parts"] = g
		}
		for precision, g := range ways {
			t.Run(name+" "+precision, func(t *testing.T) {
				if g.Dependence() != "" || g.Slots() != 8 || g.Device() != "cpu" {
					t.Errorf("%q, %d slots on %s", g.Dependence(), g.Slots(), g.Device())
				}
				requests := someRequests(40, rand.New(rand.NewPCG(3, 4)), 64, 40, 24)
				for i := range requests { // of every way to pick a token, also by the likeliest few alone
					if i%2 == 0 {
						requests[i].Params.RepetitionPenalty = 0
					}
					requests[i].Params.Logprobs = i%3 > 0
				}
				var want []generate.Result
				for _, r := range requests {
					want = append(want, all(t, g, []generate.Request{r})...)
				}
				for seed := range uint64(2) {
					order := rand.New(rand.NewPCG(seed, 9)).Perm(len(requests))
					mixed := make([]generate.Request, len(requests))
					for i, j := range order {
						mixed[i] = requests[j]
					}
					for i, got := range all(t, g, mixed) {
						if !sameText(got, want[order[i]]) {
							t.Errorf("request %d:\n%v %v\n%v %v", order[i], got.IDs, got.Logprobs, want[order[i]].IDs, want[order[i]].Logprobs)
						}
					}
				}
			})
		}
	}
}

// The processor's own way gives the same texts with the same graph, whatever the params: only where bits lie differs.
func TestOnADeviceTextsAreThoseOfTheProcessor(t *testing.T) {
	for _, name := range []string{"llama", "llama3", "mistral", "qwen2", "qwen3", "smollm3"} {
		t.Run(name, func(t *testing.T) {
			spec := tiny(t, name, nil)
			requests := someRequests(60, rand.New(rand.NewPCG(5, 6)), 64, 40, 24)
			want := all(t, open(t, spec, generate.Options{Slots: 8}), requests)
			for i, got := range all(t, open(t, spec, generate.OnDevice(generate.Options{Slots: 8}, 16)), requests) {
				same := slices.Equal(got.IDs, want[i].IDs) && got.Finish == want[i].Finish
				for j := 0; same && j < len(got.Logprobs); j++ {
					same = math.Abs(float64(got.Logprobs[j]-want[i].Logprobs[j])) < 1e-4
				}
				if !same {
					t.Errorf("request %d:\n%v %v\n%v %v", i, got.IDs, got.Logprobs, want[i].IDs, want[i].Logprobs)
				}
			}
		})
	}
}

// What the device chooses is what its own logits say: texts are the same where every step is explained, for which all
// logits leave it.
func TestOnADeviceChoicesAreThoseOfItsLogits(t *testing.T) {
	g := devices(t, "llama", 4, 16)["fp16"]
	requests := someRequests(60, rand.New(rand.NewPCG(7, 6)), 64, 30, 24)
	for i := range requests {
		requests[i].Params.RepetitionPenalty, requests[i].Params.TopLogprobs = 0, []int{0, 5}[i%2]
	}
	want := all(t, g, requests)
	for i := range requests {
		requests[i].Explain, requests[i].Step = 1, func(generate.Step) {}
	}
	for i, got := range all(t, g, requests) {
		if !slices.Equal(got.IDs, want[i].IDs) || len(got.Top) != len(want[i].Top) {
			t.Errorf("request %d: %v from logits, %v from candidates", i, got.IDs, want[i].IDs)
			continue
		}
		for j, top := range got.Top {
			for k, c := range top {
				if o := want[i].Top[j][k]; o.ID != c.ID || math.Abs(float64(o.Logprob-c.Logprob)) > 1e-5 {
					t.Errorf("request %d, token %d: %v from logits, %v from candidates", i, j, top, want[i].Top[j])
				}
			}
		}
	}
}

// Prompts share what they begin with, in whole parts.
func TestOnADeviceCommonStartsRunOnce(t *testing.T) {
	ran := 0
	o := generate.Options{Slots: 4, Observe: func(s generate.RunStats) { ran += s.Tokens - s.New }}
	g := open(t, tiny(t, "llama", nil), generate.OnDevice(o, 16))
	var requests []generate.Request
	for i := range 6 {
		prompt := append(make([]int32, 37), int32(10+i), 7, 8)
		requests = append(requests, generate.Request{Prompt: prompt, Params: generate.Params{MaxNewTokens: 3}})
	}
	all(t, g, requests)
	if want := 40 + 5*8; ran != want {
		t.Errorf("%d tokens of prompts were run, want %d", ran, want)
	}
	ran = 0
	all(t, g, requests[:1])
	if ran != 8 {
		t.Errorf("%d tokens of a known prompt were run", ran)
	}
}

// A cache on a card is taken whole: memory says how wide decodes are and how long texts.
func TestOnADeviceMemoryIsTakenWhole(t *testing.T) {
	spec := tiny(t, "llama", nil)
	o := generate.OnDevice(generate.Options{Slots: 8, Memory: 200 * spec.Decoder.KVBytes()}, 0)
	g := open(t, spec, o)
	if g.Slots() != 2 || g.MaxLength() != 64 || g.MaxTotalTokens() != 128 || !strings.Contains(strings.Join(g.Notes(), "\n"), "decodes are 2 wide, not 8") {
		t.Errorf("%d slots of %d tokens, %d in all: %v", g.Slots(), g.MaxLength(), g.MaxTotalTokens(), g.Notes())
	}
	if n := len(all(t, g, someRequests(20, rand.New(rand.NewPCG(5, 6)), 64, 30, 20))); n != 20 {
		t.Errorf("%d texts", n)
	}
	o.Memory = 50 * spec.Decoder.KVBytes()
	if _, err := generate.Open(t.Context(), spec, o); err == nil || !strings.Contains(err.Error(), "hold only 50 tokens") {
		t.Errorf("no memory: %v", err)
	}
	if one := open(t, spec, generate.OnDevice(generate.Options{Slots: 1}, 0)); one.Slots() != 1 {
		t.Errorf("one stream alone has %d slots", one.Slots())
	}
}

// A card that is not there is an error that names it; auto runs on the processor then.
func TestNoCard(t *testing.T) {
	spec := tiny(t, "llama", nil)
	_, err := generate.Open(t.Context(), forCard(t, spec), generate.Options{Session: session.Options{Device: "cuda:99"}})
	if !errors.Is(err, session.ErrDevice) || !strings.Contains(err.Error(), "cuda:99") {
		t.Errorf("no card: %v", err)
	}
}

// SmolLM2 speaks as in transformers over bound memory, where prompts are cut in parts, a text alone and all of them together.
func TestOnADeviceGreedyEqualsTransformers(t *testing.T) {
	goldens := readGolden(t)
	g := open(t, smolLM2(t, checkpoint.FP32, ""), generate.OnDevice(generate.Options{Slots: 16, MaxLength: 512}, 64))
	whole := all(t, g, greedy(goldens, 64))
	for i, want := range goldens {
		got := whole[i]
		if slices.Equal(got.IDs, want.IDs) && got.Text == want.Text {
			continue
		}
		if gap := parting(t, g, want, got); gap > 4e-4 {
			t.Errorf("row %d, parted by logits %g apart:\nours   %v %q\ntheirs %v %q", want.ID, gap, got.IDs, got.Text, want.IDs, want.Text)
		}
	}
	for i, got := range all(t, g, greedy(goldens[:1], 12)) {
		if !slices.Equal(got.IDs, whole[i].IDs[:min(12, len(whole[i].IDs))]) {
			t.Errorf("alone %v, among others %v", got.IDs, whole[i].IDs)
		}
	}
}
