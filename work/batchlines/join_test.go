package batchlines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"textmill/export"
	"textmill/input"
	"textmill/internal/committed"
)

// makeTable commits each list of rows as a part of its own.
func makeTable(t *testing.T, parts ...[]export.Row) string {
	t.Helper()
	return committed.Table(t, export.Options{URI: t.TempDir()}, "docs", export.Vectors{}, parts...)
}

// requestRows are the rows that the requests of an OpenAI-batch file come to, each chunk of a text a row of its own. The
// vector tells text and chunk.
func requestRows(t *testing.T, shard, file string, chunks int) []export.Row {
	t.Helper()
	var rows []export.Row
	for _, it := range itemsOf(t, file) {
		row := export.Row{Job: "j", Shard: shard, RecordID: it.Record.ID, Task: "embed", Model: "m", Attributes: it.Record.Attributes}
		if it.Record.Err != nil {
			row.Error = it.Record.Err.String()
			rows = append(rows, row)
			continue
		}
		for c := range chunks {
			row.Chunk, row.NTokens = export.Some(int32(c)), export.Some(int32(len(it.Record.Text)))
			row.Embedding = []float32{float32(len(it.Record.Text)), float32(c)}
			rows = append(rows, row)
		}
	}
	return rows
}

// itemsOf are what the requests of an OpenAI-batch file come to.
func itemsOf(t *testing.T, file string) (items []input.Item) {
	t.Helper()
	r, err := input.NewReader(strings.NewReader(file), input.Options{Format: input.OpenAIBatch})
	if err != nil {
		t.Fatal(err)
	}
	for {
		var it input.Item
		err := r.Next(&it)
		if errors.Is(err, io.EOF) {
			return items
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
}

func requestLine(id string, texts ...string) string {
	list, err := json.Marshal(texts)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/embeddings","body":{"input":%s}}`+"\n", id, list)
}

type embeddingAnswer struct {
	ID       string
	CustomID string `json:"custom_id"`
	Response struct {
		StatusCode int `json:"status_code"`
		Body       struct {
			Data []struct {
				Index     int
				Embedding []float32
			}
			Usage struct {
				PromptTokens int `json:"prompt_tokens"`
				TotalTokens  int `json:"total_tokens"`
			}
			Error struct{ Message, Code string }
		}
	}
	Error *Failure
}

func embeddingAnswers(t *testing.T, dir string, budget int) []embeddingAnswer {
	t.Helper()
	var all []embeddingAnswer
	ids := map[string]bool{}
	err := Each(t.Context(), dir, Options{budget: budget, Scratch: t.TempDir()}, func(l Line) error {
		var a embeddingAnswer
		raw, err := json.Marshal(l)
		if err == nil {
			err = json.Unmarshal(raw, &a)
		}
		if ids[a.ID] {
			t.Errorf("two lines have the id %s", a.ID)
		}
		ids[a.ID] = true
		all = append(all, a)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b embeddingAnswer) int { return strings.Compare(a.CustomID, b.CustomID) })
	return all
}

// A request with a list of inputs has one answer, its data in the list's order, wherever in the table its rows lie and however
// little memory there is.
func TestExportJoinsListInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, chunks := range []int{1, 3} {
		var file strings.Builder
		for r := range 300 {
			texts := make([]string, r%5+1)
			for i := range texts {
				texts[i] = strings.Repeat("x", 10*r+i+1)
			}
			file.WriteString(requestLine(fmt.Sprintf("r%03d", r), texts...))
		}
		rows := requestRows(t, "0", file.String(), chunks)
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		dir := makeTable(t, rows[:100], rows[100:101], rows[101:])
		for _, budget := range []int{0, 100_000, 20_000} {
			answers := embeddingAnswers(t, dir, budget)
			if len(answers) != 300 {
				t.Fatalf("%d answers", len(answers))
			}
			for r, a := range answers {
				n, tokens := r%5+1, 0
				if a.CustomID != fmt.Sprintf("r%03d", r) || a.Error != nil || a.Response.StatusCode != http.StatusOK || len(a.Response.Body.Data) != n*chunks {
					t.Fatalf("budget %d, %d chunks: %+v", budget, chunks, a)
				}
				for k, d := range a.Response.Body.Data {
					i, c := k/chunks, k%chunks
					want := i
					if n == 1 {
						want = c
					}
					if d.Index != want || d.Embedding[0] != float32(10*r+i+1) || d.Embedding[1] != float32(c) {
						t.Errorf("budget %d, %s: data[%d] is %+v", budget, a.CustomID, k, d)
					}
					tokens += 10*r + i + 1
				}
				if a.Response.Body.Usage.PromptTokens != tokens || a.Response.Body.Usage.TotalTokens != tokens {
					t.Errorf("%s: usage %+v, want %d", a.CustomID, a.Response.Body.Usage, tokens)
				}
			}
		}
	}
}

// As with OpenAI, a request fails whole when one of its inputs does.
func TestExportOfAListThatFailedInPart(t *testing.T) {
	rows := requestRows(t, "0", requestLine("bad", "a", "bb", "ccc")+requestLine("good", "a", "bb")+requestLine("gone", "a", "bb", "c")+requestLine("first gone", "a", "bb")+requestLine("end gone", "a", "bb"), 1)
	rows[1] = export.Row{Job: "j", Shard: "0", RecordID: rows[1].RecordID, Attributes: rows[1].Attributes, Task: "embed", Model: "m", Error: "too_long: text: 9 tokens exceed"}
	kept := slices.Concat(rows[:6], rows[7:8], rows[9:11]) // without gone's second, the first of "first gone", and the second of "end gone"
	answers := embeddingAnswers(t, makeTable(t, kept), 0)
	want := map[string]string{"bad": "too_long 400 input[1]: text: 9 tokens exceed", "good": "", "gone": "incomplete 500 input[1] of 3 is not in the table",
		"first gone": "incomplete 500 input[0] of 2 is not in the table", "end gone": "incomplete 500 input[1] of 2 is not in the table"}
	if len(answers) != len(want) {
		t.Fatalf("%+v", answers)
	}
	for _, a := range answers {
		got := ""
		if a.Error != nil {
			got = fmt.Sprint(a.Error.Code, " ", a.Response.StatusCode, " ", a.Error.Message)
			if b := a.Response.Body; len(b.Data) > 0 || b.Error.Code != a.Error.Code || b.Error.Message != a.Error.Message {
				t.Errorf("%s: body %+v", a.CustomID, b)
			}
		}
		if got != want[a.CustomID] {
			t.Errorf("%s: %q, want %q", a.CustomID, got, want[a.CustomID])
		}
	}
}

// Two files may hold the same request at the same place, and a custom_id may look like the id of another one's input.
func TestExportKeepsRequestsApart(t *testing.T) {
	twice := requestLine("a", "x", "yy")
	rows := slices.Concat(requestRows(t, "0", twice+requestLine("a#input[1]", "zzz"), 1), requestRows(t, "1", twice, 1), requestRows(t, "2", requestLine("a", "xxxx", "yyyyy"), 1))
	plain := export.Row{Job: "j", Shard: "3", RecordID: "a#input[0]", Task: "embed", Model: "m", Embedding: []float32{7}, Chunk: export.Some[int32](0),
		Attributes: map[string]string{input.PartAttribute: `{"custom_id":"b","index":0,"inputs":2,"request":"r"}`}}
	answers := embeddingAnswers(t, makeTable(t, append(rows, plain)), 0)
	got := map[string][]int{}
	for _, a := range answers {
		got[a.CustomID] = append(got[a.CustomID], len(a.Response.Body.Data))
	}
	if len(answers) != 5 || fmt.Sprint(got) != "map[a:[2 2 2] a#input[0]:[1] a#input[1]:[1]]" {
		t.Errorf("got %v", got)
	}
}

func TestExportLeavesNoFiles(t *testing.T) {
	dir := makeTable(t, requestRows(t, "0", requestLine("a", "x", "yy")+requestLine("b", "x"), 2))
	scratch := t.TempDir()
	if err := Each(t.Context(), dir, Options{budget: 1, Scratch: scratch}, func(Line) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// Requests that continue texts are answered as such: the completions of each text in turn, under one index.
func TestTextsThatAreContinued(t *testing.T) {
	items := itemsOf(t, `{"custom_id":"one","method":"POST","url":"/v1/completions","body":{"model":"m","prompt":"a","n":2}}
{"custom_id":"two","method":"POST","url":"/v1/completions","body":{"model":"m","prompt":["a","b"],"n":2,"max_tokens":3}}
{"custom_id":"bad","method":"POST","url":"/v1/completions","body":{"model":"m","prompt":["a","b"],"n":2}}
{"custom_id":"streamed","method":"POST","url":"/v1/completions","body":{"model":"m","prompt":"a","stream":true}}
`)
	var rows []export.Row
	for _, it := range items {
		for n := range int32(2) {
			row := export.Row{Job: "j", Shard: "0", RecordID: it.Record.ID, Task: it.Task, Model: "m", Attributes: it.Record.Attributes, Chunk: export.Some(n),
				Output: export.Some(fmt.Sprint(it.Record.Text, n)), FinishReason: "eos", NTokens: export.Some[int32](5), NOutputTokens: export.Some[int32](7)}
			switch {
			case it.Record.Err != nil:
				row.Error, row.Chunk = it.Record.Err.String(), export.Null[int32]{}
			case it.Record.ID == "bad#input[1]":
				row.Error, row.Chunk = "no_room: no room", export.Null[int32]{}
			}
			if rows = append(rows, row); row.Error != "" {
				break
			}
		}
	}
	slices.Reverse(rows)
	got := map[string]string{}
	err := Each(t.Context(), makeTable(t, rows[:3], rows[3:]), Options{Scratch: t.TempDir()}, func(l Line) error {
		raw, err := json.Marshal(l.Response.Body)
		var a struct {
			Object  string
			Choices []struct {
				Index        int
				Text         string
				FinishReason string `json:"finish_reason"`
			}
			Usage struct {
				Prompt, Total int
			}
			Error struct{ Message string }
		}
		if err == nil {
			err = json.Unmarshal(bytes.NewBuffer(bytes.ReplaceAll(raw, []byte("_tokens"), nil)).Bytes(), &a)
		}
		got[l.CustomID] = fmt.Sprint(l.Response.StatusCode, a)
		return err
	})
	want := map[string]string{
		"one": "200 {text_completion [{0 a0 stop} {1 a1 stop}] {5 19} {}}", "two": "200 {text_completion [{0 a0 stop} {1 a1 stop} {2 b0 stop} {3 b1 stop}] {10 38} {}}",
		"bad": "400 { [] {0 0} {prompt[1]: no room}}", "streamed": "400 { [] {0 0} {line 4: body.stream true is not supported; leave it out}}"}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%v\nwant\n%v, %v", got, want, err)
	}
}
