package input

import (
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/jobs"
)

func chatLine(body string) string {
	return `{"custom_id":"c","method":"POST","url":"/v1/chat/completions","body":` + body + `}`
}

func TestChatRequests(t *testing.T) {
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	for _, c := range []struct{ name, body, want string }{
		{"messages alone", `{"model":"m",` + hi + `}`, `{"id":"c",` + hi + `}`},
		{"every param that OpenAI and we have",
			`{` + hi + `,"temperature":0.5,"top_p":0.9,"stop":["a","b"],"seed":7,"n":2,"presence_penalty":1,"frequency_penalty":-1,"logit_bias":{"5":-100},"logprobs":true,"top_logprobs":3,"max_tokens":9}`,
			`{"id":"c",` + hi + `,"params":{"temperature":0.5,"top_p":0.9,"stop":["a","b"],"seed":7,"n":2,"presence_penalty":1,"frequency_penalty":-1,"logit_bias":{"5":-100},"logprobs":true,"top_logprobs":3,"max_new_tokens":9}}`},
		{"the newer name of max_tokens, and params of ours", `{"max_completion_tokens":9,"top_k":5,"min_p":0.1,"repetition_penalty":1.1,"ignore_eos":true,` + hi + `}`,
			`{"id":"c",` + hi + `,"params":{"max_new_tokens":9,"top_k":5,"min_p":0.1,"repetition_penalty":1.1,"ignore_eos":true}}`},
		{"fields that change nothing", `{"stream":false,"store":null,"tools":[],"tool_choice":"none","response_format":{ "type" : "text" },"stop":null,"seed":null,"service_tier":"auto",` + hi + `}`, `{"id":"c",` + hi + `}`},
		{"user and metadata become attributes", `{"user":"u","metadata":{"k":"v"},` + hi + `}`, `{"id":"c",` + hi + `,"attributes":{"metadata":"{\"k\":\"v\"}","user":"u"}}`},
		{"parts of text, and null fields", `{"messages":[{"role":"system","content":[{"type":"text","text":"a\n"},{"type":"text","text":"é😀"}],"name":null},{"role":"user","content":""}]}`,
			`{"id":"c","messages":[{"role":"system","content":"a\né😀"},{"role":"user","content":""}]}`},
		{"null and empty", `{"model":null,"user":null,"metadata":{},"tools":null,"functions":[],"logit_bias":{},"stop":[],"response_format":null,"audio":null,"chat_template_kwargs":{},"temperature":null,"n":null,` + hi + `}`, `{"id":"c",` + hi + `}`},
		{"what is harmless", `{"store":true,"service_tier":"flex","parallel_tool_calls":true,"prompt_cache_key":"k","prediction":{"type":"content","content":"x"},"stream_options":{"include_usage":true},"verbosity":"medium","reasoning_effort":"none",` + hi + `}`, `{"id":"c",` + hi + `}`},
		{"the same limit by both names", `{"max_tokens":7,"max_completion_tokens":7,` + hi + `}`, `{"id":"c",` + hi + `,"params":{"max_new_tokens":7}}`},
		{"replayed messages", `{"messages":[{"role":"developer","content":"d","name":"n"},{"role":"user","content":"q","name":"u"},{"role":"assistant","content":"a","refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":[]},{"role":"user","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]}`,
			`{"id":"c","messages":[{"role":"system","content":"d"},{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"b"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			it := readAll(t, chatLine(c.body), Options{})[0]
			if it.Record.Err != nil || it.Task != naming.TaskGenerate {
				t.Fatalf("task %q, %v", it.Task, it.Record.Err)
			}
			if it.Record.Check(naming.TaskGenerate, jobs.Limits{}); it.Record.Err != nil {
				t.Fatal(it.Record.Err)
			}
			if got := string(it.Record.AppendJSON(nil)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestChatRequestsThatCannotBeCarried(t *testing.T) {
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	for body, want := range map[string]string{
		`{"model":"m"}`:                                      "invalid_record: line 1: body.messages is missing",
		`{"messages":[]}`:                                    "invalid_record: line 1: messages is empty",
		`{"messages":{}}`:                                    "invalid_record: line 1: messages: want an array",
		`{"messages":[1]}`:                                   "invalid_record: line 1: a message: want an object",
		`{"messages":[{"role":"user"}]}`:                     "invalid_record: line 1: messages[0]: role and content are both needed",
		`{"messages":[{"content":"x"}]}`:                     "invalid_record: line 1: messages[0]: role and content are both needed",
		`{"messages":[{"role":"","content":"x"}]}`:           "invalid_record: line 1: messages[0].role: the string is empty",
		`{"messages":[{"role":"assistant","content":null}]}`: "messages[0].content: want a string, have null",
		`{"messages":[{"role":"user","content":"x","tool_calls":[{}]}]}`:                                             "body.messages[0].tool_calls is not supported",
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`:                             "body.messages[0].content[0] is of type image_url",
		`{"messages":[{"role":"user","content":[{"type":"text","text":"\ud83d"},{"type":"text","text":"\ude00"}]}]}`: "bad_utf8: line 1: body.messages[0].content[0]",
		`{"messages":[{"role":"user","content":"\ud83d"}]}`:                                                          "bad_utf8: line 1:",
		`{"stream":true,` + hi + `}`:                                                  "invalid_param: line 1: body.stream true is not supported",
		`{"tools":[{"type":"function"}],` + hi + `}`:                                  "invalid_param: line 1: body.tools [",
		`{"response_format":{"type":"json_schema","json_schema":{}},` + hi + `}`:      "invalid_param: line 1: body.response_format {",
		`{"reasoning_effort":"high",` + hi + `}`:                                      "invalid_param: line 1: body.reasoning_effort \"high\" is not supported",
		`{"temperature":-1,` + hi + `}`:                                               "invalid_param: line 1: body.temperature: -1 is not within [0, 100]",
		`{"top_p":0,` + hi + `}`:                                                      "invalid_param: line 1: body.top_p: 0 is not within (0, 1]",
		`{"max_tokens":0,` + hi + `}`:                                                 "invalid_param: line 1: body.max_tokens: 0 is not within",
		`{"max_tokens":1,"max_completion_tokens":2,` + hi + `}`:                       "invalid_param: line 1: body.max_completion_tokens: max_new_tokens is given already",
		`{"seed":9223372036854775808,` + hi + `}`:                                     "invalid_param: line 1: body.seed: 9223372036854775808 is not within",
		`{"stop":"",` + hi + `}`:                                                      "invalid_param: line 1: body.stop: the string is empty",
		`{"temperature":1,"temperature":2,` + hi + `}`:                                "invalid_record: line 1: a key occurs twice at /params/temperature",
		`{"messages":[{"role":"assistant","content":"x","tool_calls":[{"id":"1"}]}]}`: "body.messages[0].tool_calls is not supported",
		`{"messages":[{"role":"assistant","content":"x","refusal":"no"}]}`:            "body.messages[0].refusal is not supported",
		`{"messages":[{"role":"assistant","content":"x","reasoning_content":"hm"}]}`:  "body.messages[0].reasoning_content is not supported",
		`{"tool_choice":"required",` + hi + `}`:                                       "body.tool_choice \"required\" is not supported",
		`{"functions":[{"name":"f"}],` + hi + `}`:                                     "body.functions is not supported",
		`{"chat_template_kwargs":{"enable_thinking":false},` + hi + `}`:               "body.chat_template_kwargs is not supported",
		`{"modalities":["text","audio"],` + hi + `}`:                                  "body.modalities [",
		`{"best_of":2,` + hi + `}`:                                                    "body.best_of 2 is not supported",
		`{"model":7,` + hi + `}`:                                                      "invalid_record: line 1: body.model 7",
	} {
		it := readAll(t, chatLine(body), Options{})[0]
		if it.Record.Err == nil || !strings.Contains(it.Record.Err.String(), want) || it.Record.ID != "c" {
			t.Errorf("%s: id %q, %v does not say %q", body, it.Record.ID, it.Record.Err, want)
		}
	}
}
