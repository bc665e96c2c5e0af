package input

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// harmlessValues are the fields of requests that leave the answer as it is where they have one of these values, and
// those that leave it so whatever they say (no values).
var harmlessValues = map[string][]string{
	"stream":              {"false"},
	"store":               {},
	"service_tier":        {},
	"prompt_cache_key":    {},
	"parallel_tool_calls": {},
	"prediction":          {}, // a guess that makes the answer faster

	"prompt_cache_retention": {},
	"tools":                  {"[]"},
	"response_format":        {`{"type":"text"}`},
	"tool_choice":            {`"none"`, `"auto"`},
	"function_call":          {`"none"`, `"auto"`},
	"modalities":             {`["text"]`},
	"reasoning_effort":       {`"none"`},
	"verbosity":              {`"medium"`},
	// vLLM's and SGLang's own, at their defaults
	"best_of":                       {"1"},
	"use_beam_search":               {"false"},
	"echo":                          {"false"},
	"add_generation_prompt":         {"true"},
	"continue_final_message":        {"false"},
	"skip_special_tokens":           {"true"},
	"spaces_between_special_tokens": {"true"},
	"include_stop_str_in_output":    {"false"},

	"messages[].name":          {},
	"messages[].annotations":   {},
	"messages[].cache_control": {},
}

// sameAlone are the values of fields that no more can be done for where the answer is all that is left of a request.
// What a batch says there is done by its table, in its own time.
var sameAlone = map[string][]string{"store": {"false"}, "service_tier": {`"auto"`, `"default"`}}

// asksMore says whether a field asks for what nobody does for a request that came by itself.
func asksMore(name string, v jsontext.Value) bool {
	values, known := sameAlone[name]
	return known && !slices.Contains(values, string(v))
}

// harmless says whether a field leaves the answer as it is.
func harmless(name string, v jsontext.Value) bool {
	values, known := harmlessValues[name]
	if !known || len(values) == 0 {
		return known
	}
	compact := v.Clone()
	return compact.Compact() == nil && slices.Contains(values, string(compact))
}

// isEmpty says whether a value says nothing: null, {} or [].
func isEmpty(v jsontext.Value) bool {
	switch v.Kind() {
	case 'n':
		return true
	case '{', '[':
		compact := v.Clone()
		return compact.Compact() == nil && len(compact) == 2
	}
	return false
}
