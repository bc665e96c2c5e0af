package input

import (
	"strings"
	"testing"
)

// Every parameter that OpenAI documents is honoured, leaves the answer as it is, or is refused by its name, and none is passed over
// in silence. Beside each value: what the record's params become, "" where it changes nothing, or ! and what is said of it.
func TestParametersOfOpenAI(t *testing.T) {
	both := [][3]string{
		{"frequency_penalty", "0.5", `"frequency_penalty":0.5`}, {"presence_penalty", "-1", `"presence_penalty":-1`}, {"temperature", "0.7", `"temperature":0.7`},
		{"top_p", "0.9", `"top_p":0.9`}, {"n", "3", `"n":3`}, {"n", "0", "!n: "}, {"seed", "7", `"seed":7`}, {"seed", `"x"`, "!seed"},
		{"logit_bias", `{"50":-100}`, `"logit_bias":{"50":-100}`}, {"stop", `"."`, `"stop":"."`}, {"stop", `[".","!"]`, `"stop":[".","!"]`},
		{"stop", "null", ""}, {"max_tokens", "5", `"max_new_tokens":5`}, {"user", `"u"`, ""}, {"stream", "false", ""}, {"stream", "1", "!stream"},
		{"stream_options", `{"include_usage":true}`, ""}, {"stream_options", `{"x":true}`, "!stream_options.x"}, {"stream_options", `{"include_obfuscation":false}`, ""},
	}
	paths := map[string][][3]string{
		ChatPath: append([][3]string{
			{"logprobs", "true", `"logprobs":true`}, {"top_logprobs", "4", `"top_logprobs":4`}, {"top_logprobs", "21", "!top_logprobs"}, {"logprobs", "2", "!logprobs"},
			{"max_completion_tokens", "5", `"max_new_tokens":5`}, {"metadata", `{"a":"b"}`, ""}, {"safety_identifier", `"u"`, ""},
			{"store", "false", ""}, {"store", "true", "!store"}, {"service_tier", `"auto"`, ""}, {"service_tier", `"flex"`, "!service_tier"},
			{"response_format", `{"type":"text"}`, ""}, {"response_format", `{"type":"json_object"}`, "!response_format"},
			{"response_format", `{"type":"json_schema","json_schema":{"name":"n","schema":{}}}`, "!response_format"},
			{"tools", `[{"type":"function","function":{"name":"f"}}]`, "!tools"}, {"tool_choice", `"required"`, "!tool_choice"}, {"tool_choice", `"auto"`, ""},
			{"functions", `[{"name":"f"}]`, "!functions"}, {"function_call", `{"name":"f"}`, "!function_call"}, {"parallel_tool_calls", "true", ""},
			{"audio", `{"voice":"alloy","format":"wav"}`, "!audio"}, {"modalities", `["text"]`, ""}, {"modalities", `["text","audio"]`, "!modalities"},
			{"prediction", `{"type":"content","content":"x"}`, ""}, {"prompt_cache_key", `"k"`, ""}, {"prompt_cache_retention", `"24h"`, ""},
			{"reasoning_effort", `"low"`, "!reasoning_effort"}, {"reasoning_effort", `"none"`, ""}, {"verbosity", `"low"`, "!verbosity"},
			{"web_search_options", `{"search_context_size":"low"}`, "!web_search_options"}, {"moderation", `{"model":"m"}`, "!moderation"}, {"prompt", `"a"`, "!prompt"},
		}, both...),
		CompletionsPath: append([][3]string{
			{"logprobs", "0", `"logprobs":true`}, {"logprobs", "2", `"top_logprobs":2,"logprobs":true`}, {"logprobs", "21", "!logprobs: 21 is not within"}, {"logprobs", "true", "!logprobs"},
			{"logprobs", "-1", "!logprobs"}, {"top_logprobs", "2", "!top_logprobs"}, {"best_of", "1", ""}, {"best_of", "3", "!best_of"}, {"echo", "false", ""},
			{"echo", "true", "!echo"}, {"suffix", `"x"`, "!suffix"}, {"suffix", `""`, ""}, {"messages", `[{"role":"user","content":"a"}]`, "!messages"},
		}, both...),
	}
	for path, cases := range paths {
		start := `{"model":"m","prompt":"a"`
		if path == ChatPath {
			start = `{"model":"m","messages":[{"role":"user","content":"a"}]`
		}
		for _, c := range cases {
			r := ReadRequest(path, []byte(start+`,"`+c[0]+`":`+c[1]+"}"))
			said, params := "", strings.Trim(string(r.Items[0].Record.Params), "{}")
			if e := r.Items[0].Record.Err; e != nil {
				said = e.Message
			}
			want, refused := strings.CutPrefix(c[2], "!")
			if refused && !strings.HasPrefix(said, want) || !refused && (said != "" || params != strings.Trim(want, "{}")) {
				t.Errorf("%s %s %s: params %s, said %q", path, c[0], c[1], params, said)
			}
		}
	}
	for _, c := range [][2]string{{`"encoding_format":"base64"`, ""}, {`"encoding_format":"x"`, "encoding_format"}, {`"dimensions":2`, ""}, {`"dimensions":0`, "dimensions"},
		{`"user":"u"`, ""}, {`"user":1`, "user"}, {`"input_type":"query"`, "input_type"}} {
		e := ReadRequest(EmbeddingsPath, []byte(`{"model":"m","input":"a",`+c[0]+"}")).Items[0].Record.Err
		if (e != nil) != (c[1] != "") || e != nil && !strings.HasPrefix(e.Message, c[1]) {
			t.Errorf("%s: %v", c[0], e)
		}
	}
}
