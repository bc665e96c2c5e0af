package daemon

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"textmill/jobs"
)

// post sends a request to the API and returns its status and answer.
func (r *running) post(path, body string) (int, map[string]any) {
	r.t.Helper()
	status, all := r.do(http.MethodPost, path, strings.NewReader(body))
	var answer map[string]any
	if err := json.Unmarshal(all, &answer); err != nil {
		r.t.Fatalf("%s: %q", path, all)
	}
	return status, answer
}

// floats are the bits of the vector of one text in an answer.
func floats(t *testing.T, vector any) (bits []uint32) {
	t.Helper()
	if text, ok := vector.(string); ok {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(raw) > 0; raw = raw[4:] {
			bits = append(bits, binary.LittleEndian.Uint32(raw))
		}
		return bits
	}
	for _, x := range vector.([]any) {
		bits = append(bits, math.Float32bits(float32(x.(float64))))
	}
	return bits
}

// What the API answers is what the table holds, bit by bit, in both forms of OpenAI's.
func TestEmbeddingsOverHTTPAreTheTables(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	texts := []string{"a cat", "Two dogs, and one of them barks at " + strings.Repeat("the moon ", 40), "?", "naïve 東京"}
	var records []string
	for i, text := range texts {
		records = append(records, fmt.Sprintf(`{"id":"%d","text":%q}`, i, text))
	}
	r.publish("textmill.jobs.embed."+model+".api", nil, `{"job":"api","shard":0,"shards":1,"records":[`+strings.Join(records, ",")+`]}`)
	r.await(jobs.EventCommitted)
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	rows := readTable(t, cfg, "default")
	for _, form := range []string{"float", "base64"} {
		status, answer := r.post("/v1/embeddings", fmt.Sprintf(`{"model":%q,"input":%s,"encoding_format":%q,"user":"u"}`, model, input, form))
		data, _ := answer["data"].([]any)
		if status != 200 || len(data) != len(texts) || answer["object"] != "list" || answer["model"] != model {
			t.Fatalf("%d: %v", status, answer)
		}
		tokens := 0.0
		for i, row := range rows {
			one := data[i].(map[string]any)
			if one["index"] != float64(i) || one["object"] != "embedding" {
				t.Errorf("%v", one)
			}
			tokens += row["n_tokens"].(float64)
			if !slices.Equal(floats(t, one["embedding"]), floats(t, row["embedding"])) {
				t.Errorf("%s: the vector of text %d is not the table's", form, i)
			}
		}
		if usage := answer["usage"].(map[string]any); usage["prompt_tokens"] != tokens || usage["total_tokens"] != tokens {
			t.Errorf("usage %v, the table has %v tokens", usage, tokens)
		}
		if answer["model_sha256"] != rows[0]["model_sha256"] {
			t.Errorf("model_sha256 %v, the table has %v", answer["model_sha256"], rows[0]["model_sha256"])
		}
	}
	_, short := r.post("/v1/embeddings", fmt.Sprintf(`{"model":%q,"input":"a cat","dimensions":8,"precision":"float32","model_sha256":%q}`, model, rows[0]["model_sha256"]))
	if n := len(floats(t, short["data"].([]any)[0].(map[string]any)["embedding"])); n != 8 {
		t.Errorf("%d dimensions, want 8", n)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.RequestBytes = 20_000
	r := start(t, cfg)
	long := strings.Repeat("word ", 600)
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"/v1/embeddings", `{"model":"MODEL","input":"` + long + `"}`, 400, "text: 602 tokens exceed max_length 256"},
		{"/v1/embeddings", `{"model":"MODEL","input":["a","` + long + `"]}`, 400, "input[1]: text: 602 tokens exceed"},
		{"/v1/embeddings", `{"model":"MODEL","input":"` + long + `","truncate":"right"}`, 200, ""},
		{"/v1/embeddings", `{"model":"MODEL","input":"` + strings.Repeat("x", 20_000) + `"}`, 413, "http.request_bytes"},
		{"/v1/embeddings", `{"model":"other","input":"a"}`, 404, `the model "other" is not served here`},
		{"/v1/embeddings", `{"input":"a"}`, 400, "model is missing"},
		{"/v1/embeddings", `{"model":"MODEL"}`, 400, "input is missing"},
		{"/v1/embeddings", `{"model":"MODEL","input":[]}`, 400, "input is an empty list"},
		{"/v1/embeddings", `{"model":"MODEL","input":[1,2]}`, 400, "input holds token IDs"},
		{"/v1/embeddings", `{"model":"MODEL","input":["a",3]}`, 400, "input holds token IDs"},
		{"/v1/embeddings", `{"model":"MODEL","input":["a",null]}`, 400, "input[1] null: a string is needed"},
		{"/v1/embeddings", `{"model":"MODEL","input":"\ud800"}`, 400, "surrogate"},
		{"/v1/embeddings", `{"model":"MODEL","input":"a","dimensions":1000}`, 400, "dimensions"},
		{"/v1/embeddings", `{"model":"MODEL","input":"a","encoding_format":"hex"}`, 400, "encoding_format"},
		{"/v1/embeddings", `{"model":"MODEL","input":"a","encoding_format":"body.x"}`, 400, `encoding_format "body.x": "float"`},
		{"/v1/embeddings", `{"model":"MODEL","input":"a","precision":"int8","encoding_format":"base64"}`, 400, "leave precision out"},
		{"/v1/embeddings", `{"model":"MODEL","input":"a","pooling":"none"}`, 400, "one of each text"},
		{"/v1/embeddings", `{"model":"MODEL","input":"a","chunk_size":3}`, 400, "chunk_size is not known"},
		{"/v1/embeddings", `{"model":"MODEL","input":"a","model_sha256":"abc"}`, 404, "another model_sha256"},
		{"/v1/embeddings", `{"model":"MODEL","input":"a"`, 400, "an object is needed"},
		{"/v1/embeddings", ``, 400, "an object is needed"},
		{"/v1/embedings", `{"model":"MODEL","input":"a"}`, 404, "POST /v1/embedings is not answered; GET /v1/openapi.json"},
		{"/v1/models", `{}`, 405, "POST /v1/models is not answered; the path takes GET"},
	} {
		status, answer := r.post(c.path, strings.ReplaceAll(c.body, "MODEL", model))
		said := ""
		if e, ok := answer["error"].(map[string]any); ok {
			said, _ = e["message"].(string)
			if kind := e["type"]; kind != "invalid_request_error" {
				t.Errorf("%.80s: type %v", c.body, kind)
			}
		}
		if status != c.status || !strings.Contains(said, c.says) || (said == "") != (status == 200) {
			t.Errorf("%.80s: %d %q, want %d %q", c.body, status, said, c.status, c.says)
		}
	}
	refused := r.object(405, http.MethodGet, "/v1/embeddings", "", nil)
	if e, ok := refused["error"].(map[string]any); !ok || e["message"] != "GET /v1/embeddings is not answered; the path takes POST" {
		t.Errorf("asked with another method: %v", refused)
	}
	list := r.object(200, http.MethodGet, "/v1/models", "", nil)
	if data := list["data"].([]any); len(data) != 1 || data[0].(map[string]any)["id"] != model {
		t.Errorf("models: %v", list)
	}
}

// TestManyAskAtOnce has more asked for than there is room for: whoever has none is told to come again, and nobody is kept.
func TestManyAskAtOnce(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.RequestBytes = 4 << 10 // less than every request takes of the room
	r := start(t, cfg)
	body := []byte(fmt.Sprintf(`{"model":%q,"input":"a cat"}`, model))
	codes := make(chan int, 32)
	for range cap(codes) {
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.daemon.web.Addr()+"/v1/embeddings", bytes.NewReader(body))
			if err != nil {
				codes <- 0
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				codes <- 0
				return
			}
			resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	count := map[int]int{}
	for range cap(codes) {
		count[<-codes]++
	}
	if count[200] == 0 || count[200]+count[429] != cap(codes) {
		t.Errorf("answers by status: %v", count)
	}
	if status, answer := r.post("/v1/embeddings", string(body)); status != 200 {
		t.Errorf("afterwards: %d %v", status, answer)
	}
}
