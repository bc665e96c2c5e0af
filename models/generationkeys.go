package models

import (
	"encoding/json"
	"fmt"
)

// indifferent are keys of generation_config.json that change no text: what transformers reports, how it computes, and
// what only encoder–decoders look at.
var indifferent = map[string]bool{
	"_from_model_config": true, "_commit_hash": true, "transformers_version": true, "use_cache": true,
	"cache_implementation": true,
	"cache_config":         true, "max_cache_len": true, "return_dict_in_generate": true, "output_attentions": true,
	"output_hidden_states": true,
	"output_scores":        true, "output_logits": true, "renormalize_logits": true, "compile_config": true,
	"disable_compile":            true,
	"continuous_batching_config": true, "low_memory": true, "prefill_chunk_size": true, "pad_token_id": true,
	"bos_token_id":           true,
	"decoder_start_token_id": true, "is_assistant": true, "num_assistant_tokens": true,
	"num_assistant_tokens_schedule":  true,
	"assistant_confidence_threshold": true, "assistant_lookbehind": true, "target_lookbehind": true,
	"assistant_early_exit":     true,
	"prompt_lookup_num_tokens": true, "max_matching_ngram_size": true, "use_mtp": true, "speculation_type": true,
}

// unhonoured are the keys that would change texts and do not here: the values that ask for nothing, and what is done
// instead.
var unhonoured = map[string]struct {
	neutral []string
	instead string
}{
	"num_beams":                 {[]string{"1"}, "each text is continued token by token, without a search among beams"},
	"num_beam_groups":           {[]string{"1"}, "each text is continued token by token, without a search among beams"},
	"diversity_penalty":         {[]string{"0"}, "there are no groups of beams to keep apart"},
	"length_penalty":            {[]string{"1"}, "only a search among beams looks at it"},
	"early_stopping":            {[]string{"false"}, "only a search among beams looks at it"},
	"constraints":               {[]string{"[]"}, "nothing is forced into texts"},
	"force_words_ids":           {[]string{"[]"}, "nothing is forced into texts"},
	"penalty_alpha":             {[]string{"0"}, "there is no contrastive search: texts are greedy or sampled"},
	"dola_layers":               {nil, "the last layer's logits alone count"},
	"guidance_scale":            {[]string{"1"}, "logits are not contrasted with those of another prompt"},
	"watermarking_config":       {nil, "texts carry no watermark"},
	"max_time":                  {nil, "texts do not end by the clock"},
	"token_healing":             {[]string{"false"}, "the prompt's last tokens stay as they are"},
	"num_return_sequences":      {[]string{"1"}, "each prompt gets one text; the param n asks for more"},
	"assistant_ensemble_weight": {nil, "no assistant's probabilities are mixed in"},
	"sampler_sequence":          {nil, "filters go in transformers' order"},
	"xtc_probability":           {[]string{"0"}, "likely tokens are not excluded"},
	"xtc_threshold":             {nil, "likely tokens are not excluded"},
	"mirostat":                  {[]string{"0"}, "tokens are sampled without it"},
	"mirostat_tau":              {nil, "tokens are sampled without mirostat"},
	"mirostat_eta":              {nil, "tokens are sampled without mirostat"},
	"penalty_last_n":            {nil, "repetition_penalty looks at the whole text"},
}

// judge notes what comes of a key that is not honoured. config.json holds much else, of which nothing is said.
func (g *Generation) judge(file, key string, value json.RawMessage) {
	if indifferent[key] {
		return
	}
	k, known := unhonoured[key]
	if !known {
		if file == GenerationName {
			g.Notes = append(g.Notes, fmt.Sprintf("%s: %s %s is not honoured: the key is not known to this version", file, key,
				shorten(value)))
		}
		return
	}
	for _, neutral := range k.neutral {
		if same(value, neutral) {
			return
		}
	}
	g.Notes = append(g.Notes, fmt.Sprintf("%s: %s %s is not honoured: %s", file, key, shorten(value), k.instead))
}

// same compares values as JSON means them: 1 is 1.0.
func same(value json.RawMessage, neutral string) bool {
	var a, b any
	if json.Unmarshal(value, &a) != nil || json.Unmarshal([]byte(neutral), &b) != nil {
		return false
	}
	x, err := json.Marshal(a)
	y, other := json.Marshal(b)
	return err == nil && other == nil && string(x) == string(y)
}
