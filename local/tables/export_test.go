package tables

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"textmill/export"
	"textmill/internal/committed"
	"textmill/work/batchlines"
)

// makeTable commits each list of rows as a part of its own.
func makeTable(t *testing.T, parts ...[]export.Row) string {
	t.Helper()
	return committed.Table(t, export.Options{URI: t.TempDir()}, "docs", export.Vectors{}, parts...)
}

// exported is the table's lines, sorted: their order says nothing.
func exported(t *testing.T, dir, job string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := Export(t.Context(), ExportOptions{Dir: dir, Format: FormatOpenAIBatch, Job: job, Out: &out}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	slices.Sort(lines)
	return lines
}

func generated(id string, chunk int32, output, reason string, ids []int32) export.Row {
	return export.Row{Job: "j", Shard: "0", RecordID: id, Task: "generate", Model: "m", ModelSHA256: "0123456789abcdef", Output: export.Some(output),
		OutputIDs: ids, FinishReason: reason, Chunk: export.Some(chunk), NTokens: export.Some[int32](10), NOutputTokens: export.Some(int32(len(ids))),
		Attributes: map[string]string{"user": "u"}, CreatedAt: time.Unix(1700000000, 0)}
}

func TestExportChatCompletions(t *testing.T) {
	eos := generated("a<b", 0, "Hi, \"you\" <é😀>\n", "eos", []int32{5, 6, 2})
	eos.Logprobs = []float32{-0.5, -1.25, float32(math.Inf(-1))}
	failed := export.Row{Job: "j", Shard: "0", RecordID: "bad", Task: "generate", Model: "m", Error: "no_room: 9 tokens: no room", CreatedAt: time.Unix(1700000000, 0)}
	broken := failed
	broken.RecordID, broken.Error = "broken", "nan: the model gave logits that are not finite numbers"
	dir := makeTable(t, []export.Row{eos, generated("n", 0, "one", "length", []int32{1}), generated("n", 1, "two", "stop", []int32{1, 2}), failed, broken})
	want := []string{
		`{"id":"batch_req_ID","custom_id":"a<b","response":{"status_code":200,"request_id":"req_ID","body":{"id":"chatcmpl-ID","object":"chat.completion","created":1700000000,"model":"m","system_fingerprint":"fp_0123456789ab",` +
			`"choices":[{"index":0,"message":{"role":"assistant","content":"Hi, \"you\" <é😀>\n","refusal":null},"logprobs":{"content":[{"token":"token_id:5","logprob":-0.5,"bytes":null,"top_logprobs":[]},` +
			`{"token":"token_id:6","logprob":-1.25,"bytes":null,"top_logprobs":[]},{"token":"token_id:2","logprob":-9999,"bytes":null,"top_logprobs":[]}],"refusal":null},"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13}}},"error":null}`,
		`{"id":"batch_req_ID","custom_id":"n","response":{"status_code":200,"request_id":"req_ID","body":{"id":"chatcmpl-ID","object":"chat.completion","created":1700000000,"model":"m","system_fingerprint":"fp_0123456789ab",` +
			`"choices":[{"index":0,"message":{"role":"assistant","content":"one","refusal":null},"logprobs":null,"finish_reason":"length"},` +
			`{"index":1,"message":{"role":"assistant","content":"two","refusal":null},"logprobs":null,"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13}}},"error":null}`,
		`{"id":"batch_req_ID","custom_id":"bad","response":{"status_code":400,"request_id":"req_ID","body":{"error":{"message":"9 tokens: no room","type":"invalid_request_error","param":null,"code":"no_room"}}},` +
			`"error":{"code":"no_room","message":"9 tokens: no room"}}`,
		`{"id":"batch_req_ID","custom_id":"broken","response":{"status_code":500,"request_id":"req_ID","body":{"error":{"message":"the model gave logits that are not finite numbers","type":"server_error","param":null,"code":"nan"}}},` +
			`"error":{"code":"nan","message":"the model gave logits that are not finite numbers"}}`,
	}
	got := exported(t, dir, "")
	seen := map[string]bool{}
	for i, line := range got {
		id := line[len(`{"id":"batch_req_`):][:24]
		if seen[id] {
			t.Errorf("two lines have id %s", id)
		}
		seen[id] = true
		got[i] = strings.ReplaceAll(line, id, "ID")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := exported(t, dir, "other"); len(got) != 1 || got[0] != "" {
		t.Errorf("of another job: %v", got)
	}
}

// What the row tells of each step's likeliest tokens is told, token by token, also of a record that parts have cut in two,
// and an attribute of the record's own that happens to have that name is not taken for it.
func TestExportTopLogprobs(t *testing.T) {
	top := func(id string, chunk int32, attribute string) export.Row {
		r := generated(id, chunk, "Hi é", "length", []int32{5, 6})
		r.Logprobs = []float32{-0.5, -2}
		r.Attributes = map[string]string{"user": "u", "top_logprobs": attribute}
		return r
	}
	const steps = `[[{"id":5,"token":"Hi","logprob":-0.5},{"id":7,"token":"\"<","logprob":-1.5}],[{"id":8,"token":" é","logprob":-0.25}]]`
	const plain = `{"content":[{"token":"token_id:5","logprob":-0.5,"bytes":null,"top_logprobs":[]},{"token":"token_id:6","logprob":-2,"bytes":null,"top_logprobs":[]}],"refusal":null}`
	const told = `{"content":[{"token":"Hi","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"Hi","logprob":-0.5,"bytes":null},{"token":"\"<","logprob":-1.5,"bytes":null}]},` +
		`{"token":"token_id:6","logprob":-2,"bytes":null,"top_logprobs":[{"token":" é","logprob":-0.25,"bytes":null}]}],"refusal":null}`
	for _, line := range exported(t, makeTable(t, []export.Row{top("whole", 0, steps), top("cut", 0, steps)}, []export.Row{top("cut", 1, steps)}), "") {
		want := 1 + strings.Count(line, `"custom_id":"cut"`)
		if got := strings.Count(line, `"logprobs":`+told); got != want || strings.Contains(line, `"id":5`) || strings.Contains(line, "attributes") {
			t.Errorf("%d of %d choices have their logprobs in %s", got, want, line)
		}
	}
	for _, own := range []string{"yes", "3", "[]", "[[]]", `[[{"id":"5"}],[]]`, "null", "[[],[]]"} {
		line := exported(t, makeTable(t, []export.Row{top("own", 0, own)}), "")[0]
		if !strings.Contains(line, `"logprobs":`+plain) {
			t.Errorf("attribute %s: %s", own, line)
		}
	}
}

func TestExportEmbeddings(t *testing.T) {
	row := func(id string, chunk int32, v []int8) export.Row {
		return export.Row{Job: "j", Shard: "0", RecordID: id, Task: "embed", Model: "m", Embedding8: v, Chunk: export.Some(chunk), NTokens: export.Some[int32](4)}
	}
	got := exported(t, committed.Table(t, export.Options{URI: t.TempDir()}, "docs", export.Vectors{Precision: "int8", Dim: 2},
		[]export.Row{row("a", 0, []int8{1, -2}), row("a", 1, []int8{3, 4})}), "")
	if len(got) != 1 || !strings.Contains(got[0], `"body":{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-2]},{"object":"embedding","index":1,"embedding":[3,4]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}`) {
		t.Errorf("got %v", got)
	}
}

// The completions of a record may be in two parts, whose names, and so their order, are random.
func TestExportJoinsWhatPartsCut(t *testing.T) {
	var all []export.Row
	for r := range 200 {
		for n := range int32(r%4 + 1) {
			all = append(all, generated(fmt.Sprint("r", r), n, fmt.Sprint(r, "-", n), "stop", []int32{n}))
		}
	}
	var parts [][]export.Row
	for rest, n := all, 1; len(rest) > 0; n = n*2%31 + 1 {
		n = min(n, len(rest))
		parts = append(parts, rest[:n])
		rest = rest[n:]
	}
	got := exported(t, makeTable(t, parts...), "")
	if len(got) != 200 {
		t.Fatalf("%d lines from %d parts, want 200", len(got), len(parts))
	}
	for _, line := range got {
		var a struct {
			CustomID string `json:"custom_id"`
			Response struct {
				Body struct {
					Choices []struct {
						Index   int
						Message struct{ Content string }
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		var r int
		if _, err := fmt.Sscanf(a.CustomID, "r%d", &r); err != nil {
			t.Fatal(err)
		}
		choices := a.Response.Body.Choices
		if len(choices) != r%4+1 {
			t.Errorf("%s has %d choices", a.CustomID, len(choices))
		}
		for i, c := range choices {
			if c.Index != i || c.Message.Content != fmt.Sprint(r, "-", i) {
				t.Errorf("%s: choice %d is %+v", a.CustomID, i, c)
			}
		}
	}
}

// Another program may sort a table anew: rows of a record find together, in memory or through files, unless some are gone.
func TestExportOfARowThatIsGone(t *testing.T) {
	a0, b0, a1 := generated("a", 0, "x", "stop", nil), generated("b", 0, "y", "stop", nil), generated("a", 1, "z", "stop", nil)
	if got := exported(t, makeTable(t, []export.Row{a0, b0, a1}), ""); len(got) != 2 || !strings.Contains(got[0]+got[1], `"content":"z"`) {
		t.Errorf("got %q", got)
	}
	dir := makeTable(t, []export.Row{b0, a1})
	file := filepath.Join(t.TempDir(), "out.jsonl")
	err := Export(t.Context(), ExportOptions{Dir: dir, Format: FormatOpenAIBatch, File: file})
	if !errors.Is(err, batchlines.ErrScattered) || !strings.Contains(err.Error(), `record "a"`) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}

func TestExportToAFile(t *testing.T) {
	dir := makeTable(t, []export.Row{generated("a", 0, "x", "stop", nil)})
	file := filepath.Join(t.TempDir(), "out.jsonl")
	before := unix.Umask(0o027)
	err := Export(t.Context(), ExportOptions{Dir: dir, Format: FormatOpenAIBatch, File: file})
	unix.Umask(before)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v; the umask leaves 0640", info, err)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != exported(t, dir, "")[0]+"\n" {
		t.Errorf("%s, %v", got, err)
	}
}
