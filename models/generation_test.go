package models

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestKeysOfGenerationAreHonouredOrNamed(t *testing.T) {
	const file = `{"_from_model_config":true,"transformers_version":"5.24.0","use_cache":false,"pad_token_id":0,"renormalize_logits":true,
		"num_beams":4,"length_penalty":2.0,"early_stopping":true,"penalty_alpha":0.6,"guidance_scale":1.5,"max_time":3,"watermarking_config":{"bias":2},
		"num_return_sequences":2,"mirostat":2,"frobnicate":{"a":[1,2]},
		"num_beam_groups":1,"diversity_penalty":0.0,"token_healing":false,"xtc_probability":0,"constraints":null,
		"eos_token_id":[2,3],"temperature":0.6,"top_k":null,"stop_strings":"END","suppress_tokens":[7,99],"bad_words_ids":[[2],[4,5]],
		"sequence_bias":[[[4,5],-1.5]],"exponential_decay_length_penalty":[5,1.2],"forced_eos_token_id":3,"max_length":20}`
	g, err := ParseGeneration(GenerationName, []byte(file), 10)
	if err != nil {
		t.Fatal(err)
	}
	named := []string{"num_beams 4", "length_penalty 2.0", "early_stopping true", "penalty_alpha 0.6", "guidance_scale 1.5", "max_time 3",
		`watermarking_config {"bias":2}`, "num_return_sequences 2", "mirostat 2", `frobnicate {"a":[1,2]}`}
	if len(g.Notes) != len(named) {
		t.Errorf("%d notes: %q", len(g.Notes), g.Notes)
	}
	for _, want := range named {
		if !slices.ContainsFunc(g.Notes, func(n string) bool { return strings.HasPrefix(n, GenerationName+": "+want+" is not honoured: ") }) {
			t.Errorf("nothing says what comes of %s: %q", want, g.Notes)
		}
	}
	var set []string
	for _, s := range g.Set {
		set = append(set, s.String())
	}
	if !slices.Equal(set, []string{"bad_words_ids [[2],[4,5]]", "eos_token_id [2,3]", "exponential_decay_length_penalty [5,1.2]", "forced_eos_token_id 3", "max_length 20",
		"sequence_bias [[[4,5],-1.5]]", `stop_strings "END"`, "suppress_tokens [7,99]", "temperature 0.6"}) {
		t.Errorf("honoured: %q", set)
	}
	r := g.Rules
	if *g.Temperature != 0.6 || g.TopK != nil || !slices.Equal(g.EOS, []int32{2, 3}) || !slices.Equal(g.Stop, []string{"END"}) || g.MaxLength != 20 ||
		r.DecayStart != 5 || r.DecayFactor != 1.2 || !slices.Equal(r.ForcedEOS, []int32{3}) || r.SequenceBias[0].Value != -1.5 ||
		len(r.BadWords) != 1 || !slices.Equal(r.BadWords[0], []int32{4, 5}) { // an end is no bad word
		t.Errorf("%+v", g)
	}
}

// A configuration file holds much else: only what speaks of texts is looked at.
func TestConfigSpeaksOfGenerationWhereNothingElseDoes(t *testing.T) {
	g, err := ParseGeneration("config.json", []byte(`{"hidden_size":4,"do_sample":true,"num_beams":3,"vocab_size":10,"top_p":0.5}`), 10)
	if err != nil || !g.DoSample || *g.TopP != 0.5 || len(g.Notes) != 1 || !strings.HasPrefix(g.Notes[0], "config.json: num_beams 3 is not honoured") {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestGenerationThatCannotBeIsRefusedByName(t *testing.T) {
	for file, want := range map[string]string{
		`[]`:                            "generation_config.json",
		`{"temperature":-1}`:            "temperature is -1",
		`{"temperature":"hot"}`:         `temperature is "hot"`,
		`{"top_p":1.5}`:                 "top_p is 1.5",
		`{"typical_p":0}`:               "typical_p is 0",
		`{"top_k":-3}`:                  "top_k is -3",
		`{"bad_words_ids":[5]}`:         "bad_words_ids is [5]",
		`{"bad_words_ids":[[10]]}`:      "bad_words_ids has the token ID 10; the model has 0 to 9",
		`{"sequence_bias":[[1,2]]}`:     "sequence_bias is [[1,2]]",
		`{"sequence_bias":[[[],2]]}`:    "sequence_bias has an element without token IDs",
		`{"sequence_bias":[[[1]]]}`:     "a list of token IDs and a number",
		`{"forced_eos_token_id":[-1]}`:  "forced_eos_token_id has the token ID -1",
		`{"forced_bos_token_id":[1,2]}`: "forced_bos_token_id is one token ID",
		`{"forced_eos_token_id":2,"suppress_tokens":[1,2]}`:        "forced_eos_token_id is forced, and suppress_tokens rules it out",
		`{"exponential_decay_length_penalty":[1]}`:                 "exponential_decay_length_penalty is [1]",
		`{"exponential_decay_length_penalty":[0.5,2]}`:             "a whole number and a factor",
		`{"stop_strings":["a",""]}`:                                "stop_strings has an empty string",
		`{"no_repeat_ngram_size":1.5}`:                             "no_repeat_ngram_size is 1.5",
		`{"suppress_tokens":"` + strings.Repeat("x", 1000) + `é"}`: "suppress_tokens is \"xxx",
	} {
		_, err := ParseGeneration(GenerationName, []byte(file), 10)
		if !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.60s: %v does not say %q", file, err, want)
		}
	}
}

func FuzzParseGeneration(f *testing.F) {
	f.Add([]byte(`{"eos_token_id":[2,3],"suppress_tokens":[7,99],"bad_words_ids":[[2],[4,5]],"sequence_bias":[[[4,5],-1.5]],"exponential_decay_length_penalty":[5,1.2]}`))
	f.Add([]byte(`{"forced_bos_token_id":1,"forced_eos_token_id":[1,2],"top_h":0.5,"min_new_tokens":3,"stop_strings":["a","b"],"num_beams":2,"\u001b":1e400}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := ParseGeneration(GenerationName, data, 10)
		if err != nil {
			if !errors.Is(err, ErrBundle) {
				t.Errorf("error %v", err)
			}
			return
		}
		for _, w := range g.Rules.BadWords {
			for _, id := range w {
				if id < 0 || id >= 10 {
					t.Errorf("bad word %v", w)
				}
			}
		}
		for _, b := range g.Rules.SequenceBias {
			if len(b.IDs) == 0 || slices.Max(b.IDs) >= 10 || slices.Min(b.IDs) < 0 {
				t.Errorf("bias %+v", b)
			}
		}
	})
}
