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

	"textmill/jobs"
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

// object asks for JSON, and wants a status.
func (r *running) object(want int, method, path, kind string, body io.Reader) map[string]any {
	r.t.Helper()
	var headers []string
	if kind != "" {
		headers = []string{"Content-Type", kind}
	}
	status, raw := r.do(method, path, body, headers...)
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
			status, raw := r.do(http.MethodGet, "/v1/files/"+id+"/content", nil)
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
		if a.Response == nil || a.Response.StatusCode != http.StatusOK || len(a.Response.Body.Data) != n || a.Response.Body.Usage["total_tokens"] == 0 {
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
		if a := got[id]; a.Error == nil || !strings.Contains(a.Error.Message, says) || a.Response.StatusCode != http.StatusBadRequest || a.Response.Body.Error["message"] != a.Error.Message {
			t.Errorf("%s: %+v", id, a)
		}
	}
	if rows := readTable(t, cfg, "mine"); len(rows) != 6 || rows[0]["job"] != id {
		t.Errorf("%d rows: %v", len(rows), rows)
	}
}

func (r *running) refused(want int, says, method, path, kind, body string) {
	r.t.Helper()
	o := r.object(want, method, path, kind, strings.NewReader(body))
	e, _ := o["error"].(map[string]any)
	if said, _ := e["message"].(string); !strings.Contains(said, says) || e["type"] == nil {
		r.t.Errorf("%s %s: %v, want %q", method, path, o, says)
	}
}

// Files and batches are listed by pages, and what is wrong with a request is told in OpenAI's form.
func TestFilesAndBatchesThatAreRefused(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.FileBytes, cfg.HTTP.FilesMaxBytes = 1<<20, 2<<20
	r := start(t, cfg)
	var files []string
	for i := range 3 {
		files = append(files, r.upload(fmt.Sprintf("%d", i)))
	}
	ids := func(path string) (ids []string) {
		l := r.object(200, http.MethodGet, path, "", nil)
		for _, o := range l["data"].([]any) {
			ids = append(ids, o.(map[string]any)["id"].(string))
		}
		return append(ids, fmt.Sprint(l["has_more"]))
	}
	for path, want := range map[string][]string{
		"":                      {files[2], files[1], files[0], "false"},
		"?limit=2":              {files[2], files[1], "true"},
		"?after=" + files[1]:    {files[0], "false"},
		"?order=asc&limit=1":    {files[0], "true"},
		"?purpose=batch_output": {"false"},
		"?limit=1&after=" + files[2] + "&purpose=batch": {files[1], "true"},
	} {
		if got := ids("/v1/files" + path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	const get, post = http.MethodGet, http.MethodPost
	r.refused(400, "limit", get, "/v1/files?limit=0", "", "")
	r.refused(400, "limit", get, "/v1/batches?limit=101", "", "")
	r.refused(400, "order", get, "/v1/files?order=up", "", "")
	r.refused(400, "after", get, "/v1/files?after=file-none", "", "")
	r.refused(400, "purpose", get, "/v1/files?purpose=vision", "", "")
	r.refused(400, `"page" is not known`, get, "/v1/batches?page=2", "", "")
	for _, path := range []string{"/v1/files/none", "/v1/files/a.b", "/v1/files/none/content", "/v1/batches/none", "/v1/batches/a%2Fb"} {
		r.refused(404, "no object", get, path, "", "")
	}
	r.refused(404, "no object", http.MethodDelete, "/v1/files/none", "", "")
	for _, c := range []struct {
		fields []string
		status int
		says   string
	}{
		{[]string{"file", "x"}, 400, "purpose"},
		{[]string{"file", "x", "purpose", "assistants"}, 400, "only files of the purpose batch"},
		{[]string{"purpose", "batch"}, 400, "no file"},
		{[]string{"purpose", "batch", "file", "x", "file", "y"}, 400, `"file" twice`},
		{[]string{"purpose", "batch", "more", "x", "file", "y"}, 400, `"more" is not known`},
		{[]string{"purpose", strings.Repeat("batch", 1000), "file", "y"}, 400, "too long"},
		{[]string{"purpose", "batch", "file", "y", "expires_after[seconds]", "3600"}, 400, "expires_after.anchor"},
		{[]string{"purpose", "batch", "file", "y", "expires_after[anchor]", "created_at", "expires_after[seconds]", "60"}, 400, "from 3600"},
		{[]string{"purpose", "batch", "file", strings.Repeat("x", 1<<20+1)}, 413, "http.file_bytes"},
		{[]string{"purpose", "batch", "file", strings.Repeat("x", 1<<20), "expires_after[anchor]", strings.Repeat("x", 1<<20)}, 413, "http.file_bytes"},
	} {
		body, kind := form(t, c.fields...)
		r.refused(c.status, c.says, post, "/v1/files", kind, body.String())
	}
	r.refused(400, "multipart", post, "/v1/files", "application/json", "{}")
	r.refused(400, "whole", post, "/v1/files", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc")
	if left := ids("/v1/files"); len(left) != 4 {
		t.Errorf("what was refused is there: %v", left)
	}
	big := strings.Repeat("x", 1<<20-1)
	body, kind := form(t, "purpose", "batch", "file", big)
	r.object(200, post, "/v1/files", kind, body)
	body, kind = form(t, "purpose", "batch", "file", big)
	r.refused(507, "http.files_max_bytes", post, "/v1/files", kind, body.String())
	first := r.object(200, get, "/v1/files?order=desc&limit=1", "", nil)["data"].([]any)[0].(map[string]any)
	if first["bytes"] != float64(len(big)) || first["filename"] != "requests.jsonl" || first["status"] != "processed" {
		t.Errorf("%v", first)
	}
	r.object(200, http.MethodDelete, "/v1/files/"+first["id"].(string), "", nil)
	body, kind = form(t, "file", big, "purpose", "batch") // now there is room
	r.object(200, post, "/v1/files", kind, body)

	batch := func(old, new string) string {
		return strings.Replace(fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/embeddings","completion_window":"24h"}`, files[0]), old, new, 1)
	}
	for says, body := range map[string]string{
		"no batch":                   `{`,
		"input_file_id":              batch(files[0], "file-none"),
		"endpoint":                   batch("/v1/embeddings", "/v1/moderations"),
		"completion_window":          batch("24h", "31d"),
		"completion_window \"\"":     batch("24h", ""),
		"unknown object member name": batch("}", `,"more":1}`),
		"metadata.dataset":           batch("}", `,"metadata":{"dataset":"a b"}}`),
		"strings of at most 512":     batch("}", `,"metadata":{"a":null}}`),
		"no batch: cannot unmarshal": batch("}", `,"metadata":{"a":1}}`),
		"expires_after.seconds":      batch("}", `,"output_expires_after":{"anchor":"created_at","seconds":1}}`),
		"metadata has more than 16":  batch("}", `,"metadata":{`+strings.TrimSuffix(strings.Join(numberedPairs(17), ","), ",")+`}}`),
	} {
		r.refused(400, says, post, "/v1/batches", "", body)
	}
	failed := r.object(200, post, "/v1/batches", "", strings.NewReader(batch("", "")))["id"].(string)
	b := r.awaitBatch(failed, "failed")
	if e := b["errors"].(map[string]any)["data"].([]any)[0].(map[string]any); e["code"] != "invalid_json_line" || e["line"] != 1.0 || e["param"] != nil {
		t.Errorf("%v", b)
	}
	r.refused(409, "is failed", post, "/v1/batches/"+failed+"/cancel", "", "")
	r.refused(404, "no object", post, "/v1/batches/none/cancel", "", "")
	if got := ids("/v1/batches"); !slices.Equal(got, []string{failed, "false"}) {
		t.Errorf("batches: %v", got)
	}
}

func numberedPairs(n int) (pairs []string) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf(`"%d":""`, i))
	}
	return pairs
}

// A batch that is cancelled while its job runs is answered with what the table has of it, and nothing more comes into the table.
func TestABatchIsCancelledWithItsJob(t *testing.T) {
	cfg := testConfig(t)
	cfg.Limits.RecordsPerShard, cfg.Limits.WindowTokens = 10, 4096
	r := start(t, cfg)
	var requests strings.Builder
	const n = 600
	for i := range n {
		requests.WriteString(embedRequest(fmt.Sprint("r", i), fmt.Sprintf(`"input":"%s %d"`, strings.Repeat("word ", 60), i)))
	}
	id := r.batch(requests.String(), "")
	r.await(jobs.EventCommitted)
	r.object(200, http.MethodPost, "/v1/batches/"+id+"/cancel", "", nil)
	b := r.awaitBatch(id, "cancelled")
	got := r.answers(b)
	done := 0
	for id, a := range got {
		switch {
		case a.Error == nil:
			done++
		case a.Error.Code != "batch_cancelled" || a.Response != nil:
			t.Errorf("%s: %+v", id, a)
		}
	}
	rows := readTable(t, cfg, "batches-"+model)
	if len(got) != n || done == 0 || done == n || len(rows) != done {
		t.Errorf("%d answers, %d of them vectors; the table has %d rows", len(got), done, len(rows))
	}
}
