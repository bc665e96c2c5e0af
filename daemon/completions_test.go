package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/jobs"
)

// streamed reads the answer to a request while it is made: the texts by index with what each ended by, and other events.
type streamed struct {
	texts, finished map[int]string
	usage, failure  map[string]any
	offsets         []any // of tokens whose log-probabilities came
	whole           bool  // the last event came
}

// stream sends a request and hands each event to see, which may end it.
func (r *running) stream(ctx context.Context, path, body string, see func()) (s streamed, status int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.daemon.web.Addr()+path, strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return s, 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, 0
	}
	defer resp.Body.Close()
	s.texts, s.finished = map[int]string{}, map[int]string{}
	if resp.StatusCode != http.StatusOK {
		var refusal struct{ Error map[string]any }
		if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil {
			r.t.Error(err)
		}
		s.failure = refusal.Error
		return s, resp.StatusCode
	}
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		r.t.Errorf("content type %q", kind)
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); see() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case lines.Text() == "":
		case !ok:
			r.t.Errorf("line %q", lines.Text())
		case data == "[DONE]":
			s.whole = true
		default:
			s.event(r.t, data)
		}
	}
	return s, resp.StatusCode
}

func (s *streamed) event(t *testing.T, data string) {
	var chunk struct {
		Object  string
		Choices []struct {
			Index  int
			Text   string
			Delta  struct{ Content string }
			Finish string `json:"finish_reason"`

			Logprobs map[string]any
		}
		Usage, Error map[string]any
		SHA256       string `json:"model_sha256"`
	}
	if err := json.Unmarshal([]byte(data), &chunk); err != nil {
		t.Errorf("%q: %v", data, err)
	}
	if chunk.Error != nil {
		s.failure = chunk.Error
		return
	}
	if s.usage = chunk.Usage; len(chunk.SHA256) != 64 || !strings.HasSuffix(chunk.Object, ".chunk") && chunk.Object != "text_completion" {
		t.Errorf("%s", data)
	}
	for _, c := range chunk.Choices {
		if s.finished[c.Index] != "" {
			t.Errorf("after the end of text %d: %s", c.Index, data)
		}
		s.texts[c.Index] += c.Text + c.Delta.Content
		s.finished[c.Index] = c.Finish
		if at, ok := c.Logprobs["text_offset"].([]any); ok {
			s.offsets = append(s.offsets, at...)
		}
	}
}

// What is answered is what the table holds of the same request, whole and in pieces, greedy and drawn; a text that was drawn without a
// seed is that of a record with the answer's id.
func TestCompletionsOverHTTPAreTheTables(t *testing.T) {
	cfg := testConfig(t)
	cfg.Models = tinyWriter(t, 4)
	r := start(t, cfg)
	const talk = `"messages":[{"role":"user","content":"a b"}]`
	requests := []struct{ id, path, body, record string }{
		{"0", "/v1/chat/completions", `{"model":"tiny",` + talk + `,"max_tokens":20}`, talk + `,"params":{"max_new_tokens":20}`},
		{"1", "/v1/chat/completions", `{"model":"tiny",` + talk + `,"max_completion_tokens":20,"n":2,"seed":7,"temperature":1.5,"top_k":0,"logprobs":true,"top_logprobs":2}`,
			talk + `,"params":{"max_new_tokens":20,"n":2,"seed":7,"temperature":1.5,"top_k":0,"logprobs":true}`},
		{"2", "/v1/completions", `{"model":"tiny","prompt":["b a"],"max_tokens":9,"ignore_eos":true,"logprobs":2}`,
			`"text":"b a","params":{"max_new_tokens":9,"ignore_eos":true,"logprobs":true}`},
		{"drawn", "/v1/completions", `{"model":"tiny","prompt":"b a","max_tokens":30,"temperature":2}`, `"text":"b a","params":{"max_new_tokens":30,"temperature":2}`},
	}
	whole := map[string]map[string]any{}
	var records []string
	for _, q := range requests {
		status, answer := r.post(q.path, q.body)
		if status != 200 {
			t.Fatalf("%s: %d %v", q.body, status, answer)
		}
		id := q.id
		if id == "drawn" {
			id = answer["id"].(string)
		}
		whole[id] = answer
		records = append(records, fmt.Sprintf(`{"id":%q,%s}`, id, q.record))
	}
	r.publish("textmill.jobs.generate.tiny.api", nil, `{"job":"api","shard":0,"shards":1,"records":[`+strings.Join(records, ",")+`]}`)
	r.await(jobs.EventCommitted)
	made := map[string]float64{}
	texts := map[string]string{}
	for _, row := range readTable(t, cfg, "default") {
		id := row["record_id"].(string)
		answer, at := whole[id], int(row["chunk"].(float64))
		choice := answer["choices"].([]any)[at].(map[string]any)
		text, _ := choice["text"].(string)
		if m, ok := choice["message"].(map[string]any); ok {
			text = m["content"].(string)
		}
		finish := row["finish_reason"]
		if finish == "eos" {
			finish = "stop"
		}
		if text != row["output"] || choice["index"] != float64(at) || choice["finish_reason"] != finish || choice["seed"] != row["seed"] {
			t.Errorf("record %s, text %d:\n%v\n%v", id, at, choice, row)
		}
		if l, ok := choice["logprobs"].(map[string]any); ok != (id == "1" || id == "2") || id == "1" && !sameLogprobs(l["content"].([]any), row["logprobs"].([]any)) ||
			id == "2" && !sameTextLogprobs(l, text, row["logprobs"].([]any)) {
			t.Errorf("record %s: %v, the table has %v", id, choice["logprobs"], row["logprobs"])
		}
		made[id] += row["n_output_tokens"].(float64)
		texts[fmt.Sprint(id, at)] = text
		usage := answer["usage"].(map[string]any)
		if usage["prompt_tokens"] != row["n_tokens"] || at+1 == len(answer["choices"].([]any)) && usage["completion_tokens"] != made[id] {
			t.Errorf("record %s: usage %v, the table has %v and %v", id, usage, row["n_tokens"], made[id])
		}
		if sha := row["model_sha256"].(string); answer["model_sha256"] != sha || answer["system_fingerprint"] != "fp_"+sha[:12] || answer["model"] != "tiny" {
			t.Errorf("record %s: %v", id, answer)
		}
	}
	if len(texts) != 5 || len(slices.Compact(slices.Sorted(valuesOf(texts)))) != 5 {
		t.Errorf("texts are %q", texts)
	}
	for _, q := range requests[:3] {
		got, status := r.stream(t.Context(), q.path, strings.TrimSuffix(q.body, "}")+`,"stream":true,"stream_options":{"include_usage":true}}`, func() {})
		if status != 200 || !got.whole || got.failure != nil || fmt.Sprint(got.usage) != fmt.Sprint(whole[q.id]["usage"]) {
			t.Errorf("%s: %d %+v, want the usage %v", q.body, status, got, whole[q.id]["usage"])
		}
		for at, text := range got.texts {
			if text != texts[fmt.Sprint(q.id, at)] {
				t.Errorf("%s, text %d: %q", q.body, at, text)
			}
		}
		if choice := whole[q.id]["choices"].([]any)[0].(map[string]any); q.id == "2" && !slices.Equal(got.offsets, choice["logprobs"].(map[string]any)["text_offset"].([]any)) {
			t.Errorf("%s: offsets %v, whole %v", q.body, got.offsets, choice["logprobs"])
		}
	}
}

func valuesOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func sameLogprobs(told, held []any) bool {
	for i, l := range told {
		token := l.(map[string]any)
		if i >= len(held) || float32(token["logprob"].(float64)) != float32(held[i].(float64)) || len(token["top_logprobs"].([]any)) != 2 || token["token"] == "" {
			return false
		}
	}
	return len(told) == len(held)
}

// sameTextLogprobs holds those of a text, of which two of the likeliest tokens are told beside each, to the table's and to the text
// that they add up to.
func sameTextLogprobs(l map[string]any, text string, held []any) bool {
	tokens, told, top, at := l["tokens"].([]any), l["token_logprobs"].([]any), l["top_logprobs"].([]any), l["text_offset"].([]any)
	if len(tokens) != len(held) || len(told) != len(held) || len(top) != len(held) || len(at) != len(held) {
		return false
	}
	for i := range told {
		likely := top[i].(map[string]any)
		if float32(told[i].(float64)) != float32(held[i].(float64)) || likely[tokens[i].(string)] != told[i] || len(likely) < 2 || len(likely) > 3 {
			return false
		}
		if rest := string([]rune(text)[int(at[i].(float64)):]); !strings.HasPrefix(rest, tokens[i].(string)) {
			return false
		}
	}
	return at[0] == 0.0
}

func TestCompletionsThatAreRefused(t *testing.T) {
	cfg := testConfig(t)
	cfg.Models = tinyWriter(t, 2)
	cfg.Limits.N = 4
	r := start(t, cfg)
	const talk = `{"model":"tiny","messages":[{"role":"user","content":"a"}]`
	for _, c := range []struct{ path, body, says string }{
		{"chat/completions", `{"model":"tiny"}`, "messages is missing"},
		{"chat/completions", `{"model":"tiny","messages":[]}`, "messages is empty"},
		{"chat/completions", `{"model":"tiny","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "content[0] is of type image_url"},
		{"chat/completions", talk + `,"tools":[{"type":"function"}]}`, `tools [{"type":"function"}] is not supported`},
		{"chat/completions", talk + `,"response_format":{"type":"json_schema"}}`, "response_format"},
		{"chat/completions", talk + `,"n":5}`, "limits.n"},
		{"chat/completions", talk + `,"n":0}`, "n: "},
		{"chat/completions", talk + `,"temperature":"hot"}`, "temperature"},
		{"chat/completions", talk + `,"min_tokens":9,"max_tokens":3}`, "min_new_tokens: 9 is above"},
		{"chat/completions", talk + `,"max_new_tokens":{}}`, "max_new_tokens: "},
		{"chat/completions", talk + `,"store_text":true}`, "store_text is for rows"},
		{"chat/completions", talk + `,"stream":"yes"}`, "stream \"yes\""},
		{"chat/completions", talk + `,"stream":true,"stream_options":{"x":true}}`, "stream_options.x"},
		{"chat/completions", talk + `,"stream":true,"stop":[""]}`, "stop"},
		{"chat/completions", talk + `,"model_sha256":"abc"}`, "another model_sha256"},
		{"chat/completions", `{"model":"other","messages":[{"role":"user","content":"a"}]}`, "is not served here"},
		{"chat/completions", `{"model":"tiny","stream":true,"messages":[{"role":"user","content":"` + strings.Repeat("a b ", 600) + `"}]}`, "the context 1024"},
		{"completions", `{"model":"tiny"}`, "prompt is missing"},
		{"completions", `{"model":"tiny","prompt":[1,2]}`, "prompt holds token IDs"},
		{"completions", `{"model":"tiny","prompt":["a","` + strings.Repeat("a b ", 600) + `"],"max_tokens":1000,"ignore_eos":true}`, "prompt[1]: the prompt has"},
		{"completions", `{"model":"tiny","prompt":[` + strings.Repeat(`"a",`, 16) + `"a"]}`, "prompt has more than 16 texts"},
		{"completions", `{"model":"tiny","prompt":"a","echo":true}`, "echo"},
		{"completions", `{"model":"tiny","prompt":"a","suffix":"b"}`, "suffix"},
		{"completions", `{"model":"tiny","prompt":"a","top_logprobs":2}`, "/v1/chat/completions has it"},
		{"completions", talk + `}`, "this path takes prompt"},
		{"embeddings", `{"model":"tiny","input":"a"}`, "for the task generate"},
	} {
		status, answer := r.post("/v1/"+c.path, c.body)
		e, _ := answer["error"].(map[string]any)
		if said, _ := e["message"].(string); status/100 != 4 || !strings.Contains(said, c.says) || e["type"] != "invalid_request_error" || strings.Contains(said, "body.") {
			t.Errorf("%.100s: %d %v, want %q", c.body, status, answer, c.says)
		}
	}
}

// Who asks passes a job that has all slots; as many texts are made as there is room for, and no more for who went away.
func TestAskersComeAndGo(t *testing.T) {
	cfg := testConfig(t)
	cfg.Models, cfg.DrainTimeout = tinyWriter(t, 2), 200*time.Millisecond
	r := start(t, cfg)
	r.publish("textmill.jobs.generate.tiny.bulk", nil, `{"job":"bulk","shard":0,"shards":1,"params":{"n":100,"max_new_tokens":1000,"ignore_eos":true},"records":[{"id":"a","text":"a"}]}`)
	for r.daemon.inFlight.Size() == 0 {
		r.post("/v1/embeddings", "{}") // takes some time
	}
	const long = `{"model":"tiny","prompt":"a b","max_tokens":1000,"ignore_eos":true,"stream":true}`
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	const askers = 40
	refused, gone := make(chan bool, askers), make(chan bool, askers)
	for range askers {
		go func() {
			if got, status := r.stream(ctx, "/v1/completions", long, func() {}); status == 429 {
				if got.failure["type"] != "rate_limit_error" || got.failure["code"] != "rate_limit_exceeded" {
					t.Errorf("%v", got.failure)
				}
				refused <- true
			} else if status != 200 && status != 0 {
				t.Errorf("status %d: %v", status, got.failure)
			}
			gone <- true
		}()
	}
	<-refused
	leave()
	for range askers {
		<-gone
	}
	short := `{"model":"tiny","messages":[{"role":"user","content":"a"}],"max_tokens":2}`
	for deadline := time.Now().Add(time.Minute); ; {
		if status, answer := r.post("/v1/chat/completions", short); status == 200 {
			break
		} else if status != 429 || time.Now().After(deadline) {
			t.Fatalf("%d %v", status, answer)
		}
	}
	if r.daemon.inFlight.Size() != 1 {
		t.Error("the job is done: who went away was not let go")
	}
}

// A daemon that goes down takes no new requests, and ends each stream as such.
func TestStreamsEndWithTheDaemon(t *testing.T) {
	cfg := testConfig(t)
	cfg.Models, cfg.DrainTimeout = tinyWriter(t, 2), 200*time.Millisecond
	r := start(t, cfg)
	began := make(chan bool, 1000)
	ended := make(chan streamed, 16)
	for range cap(ended) {
		go func() {
			got, _ := r.stream(t.Context(), "/v1/chat/completions", `{"model":"tiny","messages":[{"role":"user","content":"a"}],"n":1,"max_tokens":1000,"ignore_eos":true,"stream":true}`, func() {
				select {
				case began <- true:
				default:
				}
			})
			ended <- got
		}()
	}
	<-began
	answered := r.daemon.api.Drain()
	if status, answer := r.post("/v1/embeddings", `{"model":"tiny","input":"a"}`); status != 503 {
		t.Errorf("%d %v", status, answer)
	}
	r.drain()
	<-answered
	cut := 0
	for range cap(ended) {
		got := <-ended
		if got.failure != nil {
			cut++
		}
		if len(got.texts) > 0 && (!got.whole || (got.finished[0] == "") != (got.failure != nil)) {
			t.Errorf("a stream ended with %+v", got)
		}
	}
	if cut == 0 {
		t.Error("no stream was under way")
	}
}
