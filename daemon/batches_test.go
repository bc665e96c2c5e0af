package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// form is a file's upload, its fields in the order in which they are given.
func form(t *testing.T, fields ...string) (body *bytes.Buffer, kind string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for i := 0; i < len(fields); i += 2 {
		var part io.Writer
		var err error
		if fields[i] == "file" {
			part, err = w.CreateFormFile("file", "requests.jsonl")
		} else {
			part, err = w.CreateFormField(fields[i])
		}
		if err == nil {
			_, err = part.Write([]byte(fields[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

func (r *running) request(method, path, kind string, body io.Reader) (int, []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.daemon.web.Addr()+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer got.Body.Close()
	all, err := io.ReadAll(got.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return got.StatusCode, all
}

// object asks for JSON, and wants a status.
func (r *running) object(want int, method, path, kind string, body io.Reader) map[string]any {
	r.t.Helper()
	status, raw := r.request(method, path, kind, body)
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil || status != want {
		r.t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	return o
}

func (r *running) upload(requests string) string {
	r.t.Helper()
	body, kind := form(r.t, "purpose", "batch", "file", requests)
	return r.object(200, http.MethodPost, "/v1/files", kind, body)["id"].(string)
}

// batch begins one, of requests for embeddings.
func (r *running) batch(requests, more string) string {
	r.t.Helper()
	body := fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/embeddings","completion_window":"24h"%s}`, r.upload(requests), more)
	return r.object(200, http.MethodPost, "/v1/batches", "", strings.NewReader(body))["id"].(string)
}

// awaitBatch returns a batch once it is in a status.
func (r *running) awaitBatch(id, status string) map[string]any {
	r.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		b := r.object(200, http.MethodGet, "/v1/batches/"+id, "", nil)
		if b["status"] == status {
			return b
		}
		if slices.Contains([]any{"completed", "failed", "expired", "cancelled"}, b["status"]) {
			r.t.Fatalf("want %s: %v", status, b)
		}
		select {
		case <-deadline:
			r.t.Fatalf("want %s: %v", status, b)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

type batchAnswer struct {
	CustomID string `json:"custom_id"`
	Response *struct {
		StatusCode int `json:"status_code"`
		Body       struct {
			Data []struct {
				Index     int
				Embedding any
			}
			Usage map[string]int
			Error map[string]any
		}
	}
	Error *struct{ Code, Message string }
}

// answers are the lines of a batch's files, by custom_id; each must be there once, in the file that it belongs to.
func (r *running) answers(batch map[string]any) map[string]batchAnswer {
	r.t.Helper()
	all := map[string]batchAnswer{}
	counts := batch["request_counts"].(map[string]any)
	for field, count := range map[string]string{"output_file_id": "completed", "error_file_id": "failed"} {
		n := 0
		if id, ok := batch[field].(string); ok {
			status, raw := r.request(http.MethodGet, "/v1/files/"+id+"/content", "", nil)
			if status != 200 {
				r.t.Fatalf("%s: %d %s", field, status, raw)
			}
			for line := range strings.Lines(string(raw)) {
				var a batchAnswer
				if err := json.Unmarshal([]byte(line), &a); err != nil {
					r.t.Fatal(err)
				}
				if _, twice := all[a.CustomID]; twice {
					r.t.Errorf("%s is answered twice", a.CustomID)
				}
				if (a.Error == nil) != (field == "output_file_id") {
					r.t.Errorf("%s is in the wrong file: %s", a.CustomID, line)
				}
				all[a.CustomID] = a
				n++
			}
		}
		if counts[count] != float64(n) {
			r.t.Errorf("%v %s, the file has %d lines", counts[count], count, n)
		}
	}
	return all
}

func embedRequest(id, body string) string {
	return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/embeddings","body":{"model":%q,%s}}`+"\n", id, model, body)
}

// A batch is answered request by request, with the vectors that /v1/embeddings gives, and its rows are in a table.
func TestABatchOfEmbeddings(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	requests := embedRequest("one", `"input":"a cat"`) + "\n" + embedRequest("several", `"input":["a cat","two dogs"],"user":"u"`) +
		embedRequest("packed", `"input":"a cat","encoding_format":"base64"`) + embedRequest("wrong", `"input":[1,2]`) +
		strings.TrimSuffix(embedRequest("long", `"input":"`+strings.Repeat("word ", 600)+`"`), "\n")
	id := r.batch(requests, `,"metadata":{"dataset":"mine","who":"me"}`)
	b := r.awaitBatch(id, "completed")
	if b["model"] != model || b["dataset"] != "mine" || b["metadata"].(map[string]any)["who"] != "me" || b["errors"] != nil ||
		fmt.Sprint(b["request_counts"]) != "map[completed:3 failed:2 total:5]" {
		t.Errorf("%v", b)
	}
	for _, at := range []string{"created_at", "in_progress_at", "finalizing_at", "completed_at", "expires_at"} {
		if _, is := b[at].(float64); !is {
			t.Errorf("%s: %v", at, b[at])
		}
	}
	got := r.answers(b)
	_, live := r.post("/v1/embeddings", fmt.Sprintf(`{"model":%q,"input":"a cat"}`, model))
	want := floats(t, live["data"].([]any)[0].(map[string]any)["embedding"])
	for id, n := range map[string]int{"one": 1, "several": 2, "packed": 1} {
		a := got[id]
		if a.Response == nil || a.Response.StatusCode != 200 || len(a.Response.Body.Data) != n || a.Response.Body.Usage["total_tokens"] == 0 {
			t.Fatalf("%s: %+v", id, a)
		}
		if _, packed := a.Response.Body.Data[0].Embedding.(string); packed != (id == "packed") {
			t.Errorf("%s: the vector is a %T", id, a.Response.Body.Data[0].Embedding)
		}
		if !slices.Equal(floats(t, a.Response.Body.Data[0].Embedding), want) {
			t.Errorf("%s: the vector is not the one that is answered at once", id)
		}
	}
	for id, says := range map[string]string{"wrong": "token IDs", "long": "602 tokens exceed max_length 256"} {
		if a := got[id]; a.Error == nil || !strings.Contains(a.Error.Message, says) || a.Response.StatusCode != 400 || a.Response.Body.Error["message"] != a.Error.Message {
			t.Errorf("%s: %+v", id, a)
		}
	}
	if rows := readTable(t, cfg, "mine"); len(rows) != 6 || rows[0]["job"] != id {
		t.Errorf("%d rows: %v", len(rows), rows)
	}
}
