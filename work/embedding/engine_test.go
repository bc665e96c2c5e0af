package embedding

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/embed"
	"textmill/models/session"
	"textmill/tokenize"
	"textmill/work/rows"
)

// words is a tokenizer of one token a word, so that counts are plain to see.
type words struct{}

func (words) AppendBody(ids []int32, spans []tokenize.Span, text string) ([]int32, []tokenize.Span, error) {
	at := int32(0)
	for _, w := range strings.SplitAfter(text, " ") {
		n := int32(len([]rune(w)))
		if strings.TrimSpace(w) != "" {
			ids = append(ids, 1000+n)
			spans = append(spans, tokenize.Span{Start: at, End: at + int32(len([]rune(strings.TrimRight(w, " "))))})
		}
		at += n
	}
	return ids, spans, nil
}

func (words) AppendInput(ids, types, body []int32) ([]int32, []int32) {
	ids = append(append(append(ids, 1), body...), 2)
	return ids, append(types, make([]int32, len(body)+2)...)
}

func (words) NumSpecial() int { return 2 }

// flaky embeds a row as its length, and fails as its func says.
type flaky struct {
	fail func(rows []embed.Row) error
	nan  func(embed.Row) bool
	hang bool
}

func (f *flaky) Embed(ctx context.Context, rows []embed.Row) ([]embed.Vector, error) {
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if f.fail != nil {
		if err := f.fail(rows); err != nil {
			return nil, err
		}
	}
	out := make([]embed.Vector, len(rows))
	for i, r := range rows {
		if f.nan == nil || !f.nan(r) {
			out[i] = embed.Vector{float32(len(r.IDs)), 0}
		}
	}
	return out, nil
}

func (f *flaky) Ask(ctx context.Context, rows []embed.Row) ([]embed.Vector, error) {
	return f.Embed(ctx, rows)
}

func (*flaky) Workers() int     { return 2 }
func (*flaky) BatchTokens() int { return 64 }
func (*flaky) Packed() bool     { return false }

var testSpec = &models.Spec{Name: "m", Task: naming.TaskEmbed, MaxLength: 8, Dim: 2, Hidden: 2, Pooling: "mean", Normalize: true,
	SHA256: "abc", Prompts: map[string]string{"query": "find: "}}

// embedAll runs texts through an engine and returns each one's rows.
func embedAll(t *testing.T, f *flaky, timeout time.Duration, params string, texts ...string) [][]export.Row {
	t.Helper()
	return embedWith(t, words{}, f, timeout, params, texts...)
}

func embedWith(t *testing.T, tok Tokenizer, f *flaky, timeout time.Duration, params string, texts ...string) [][]export.Row {
	t.Helper()
	e := New(Options{Spec: testSpec, Embedder: f, Tokenizer: tok, RunTimeout: timeout})
	defer e.Close()
	return through(t, e, params, texts...)
}

// through has the engine embed texts, all at once, and gives each one's rows.
func through(t *testing.T, e *Engine, params string, texts ...string) [][]export.Row {
	t.Helper()
	p, err := jobs.ParseEmbedParams([]byte(params))
	if err != nil {
		t.Fatal(err)
	}
	plan := e.Resolve(p, rows.Origin{Job: "j", Shard: "0"})
	rows := make([][]export.Row, len(texts))
	var wg sync.WaitGroup
	for i, text := range texts {
		wg.Add(1)
		err := e.Do(t.Context(), Task{Record: jobs.Record{ID: fmt.Sprint(i), Text: text}, Plan: plan, Done: func(r []export.Row) {
			rows[i] = r
			wg.Done()
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	return rows
}

func TestOneBadRecordIsOneErrorRow(t *testing.T) {
	poisoned := func(rows []embed.Row) bool {
		for _, r := range rows {
			if len(r.IDs) == 5 {
				return true
			}
		}
		return false
	}
	for name, test := range map[string]struct {
		embedder *flaky
		timeout  time.Duration
		want     string
	}{
		"out of memory": {&flaky{fail: func(rows []embed.Row) error {
			if poisoned(rows) {
				return fmt.Errorf("run: %w", session.ErrOutOfMemory)
			}
			return nil
		}}, 0, "out_of_memory: "},
		"model failed": {&flaky{fail: func(rows []embed.Row) error {
			if poisoned(rows) {
				return errors.New("shape")
			}
			return nil
		}}, 0, "model_failed: "},
		"nan": {&flaky{nan: func(r embed.Row) bool { return len(r.IDs) == 5 }}, 0, "nan: "},
	} {
		t.Run(name, func(t *testing.T) {
			texts := []string{"a", "a b", "a b c", "a b c d", "", "x y"}
			for i, rows := range embedAll(t, test.embedder, test.timeout, `{}`, texts...) {
				if len(rows) != 1 {
					t.Fatalf("text %d has %d rows", i, len(rows))
				}
				switch bad := texts[i] == "a b c"; {
				case bad && !strings.HasPrefix(rows[0].Error, test.want):
					t.Errorf("error is %q, want %q…", rows[0].Error, test.want)
				case !bad && (rows[0].Error != "" || rows[0].Embedding == nil):
					t.Errorf("neighbour %q has error %q", texts[i], rows[0].Error)
				}
			}
		})
	}
}

func TestTextThatCannotBeTokenizedIsOneErrorRow(t *testing.T) {
	tok, err := tokenize.Parse([]byte(`{"pre_tokenizer":{"type":"Whitespace"},"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
		"max_input_chars_per_word":100,"vocab":{"hello":0,"there":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for params, texts := range map[string][]string{
		`{}`:                                   {"hello", "hello zzz", "", "there"},
		`{"chunk_size":4}`:                     {"hello", "hello hello hello hello zzz", "", "there"},
		`{"prompt":"hello "}`:                  {"hello", "zzz hello", "", "there"},
		`{"prompt":"zzz "}`:                    {"", "hello", "", ""},
		`{"max_length":1,"truncate":"right"}`:  {"hello", "hello zzz", "", "there"},
		`{"pooling":"none","prompt":"there "}`: {"hello", "\u200b", "", "there"},
	} {
		for i, rows := range embedWith(t, tok, &flaky{}, 0, params, texts...) {
			bad := i == 1 || params == `{"prompt":"zzz "}`
			if len(rows) != 1 || bad != (rows[0].Error != "") {
				t.Fatalf("%s, %q: rows %+v", params, texts[i], rows)
			}
			if bad && (!strings.Contains(rows[0].Error, "no token for unknown text") || !strings.Contains(rows[0].Error, "[UNK]") || rows[0].NDropped.Valid || rows[0].Truncated.Valid) {
				t.Errorf("%s, %q: %+v", params, texts[i], rows[0])
			}
		}
	}
}

func TestHangingRunIsATimeout(t *testing.T) {
	for _, rows := range embedAll(t, &flaky{hang: true}, time.Millisecond, `{}`, "a", "b") {
		if !strings.HasPrefix(rows[0].Error, "timeout: ") {
			t.Errorf("error is %q", rows[0].Error)
		}
	}
}

// A process that was stopped for long, by a signal or with its machine, finds every deadline over.
func TestRunThatWasStoppedOnceIsNoTimeout(t *testing.T) {
	var mu sync.Mutex
	stopped := map[int]bool{}
	f := &flaky{fail: func(rows []embed.Row) error {
		mu.Lock()
		defer mu.Unlock()
		if n := len(rows); !stopped[n] {
			stopped[n] = true
			return context.DeadlineExceeded
		}
		return nil
	}}
	for i, rows := range embedAll(t, f, time.Minute, `{}`, "a", "b") {
		if rows[0].Error != "" {
			t.Errorf("record %d: %s", i, rows[0].Error)
		}
	}
}

func TestTruncationIsSaid(t *testing.T) {
	long := "a b c d e f g h i j"
	for params, want := range map[string]struct {
		tokens, dropped int32
		first           int32
		err             string
	}{
		`{}`:                     {8, 4, 1002, ""},
		`{"truncate":"left"}`:    {8, 4, 1002, ""},
		`{"max_length":5}`:       {5, 7, 1002, ""},
		`{"truncate":"error"}`:   {0, 0, 0, "too_long: "},
		`{"max_length":9}`:       {0, 0, 0, "invalid_param: max_length"},
		`{"dimensions":3}`:       {0, 0, 0, "invalid_param: dimensions"},
		`{"prompt_name":"none"}`: {0, 0, 0, "invalid_param: prompt_name"},
	} {
		row := embedAll(t, &flaky{}, 0, params, long)[0][0]
		if !strings.HasPrefix(row.Error, want.err) || (want.err == "") != (row.Error == "") {
			t.Errorf("%s: error %q, want %q…", params, row.Error, want.err)
			continue
		}
		if want.err == "" && (row.NTokens.V != want.tokens || row.NDropped.V != want.dropped || !row.Truncated.V || row.InputIDs[1] != want.first) {
			t.Errorf("%s: %d tokens, %d dropped, ids %v", params, row.NTokens.V, row.NDropped.V, row.InputIDs)
		}
	}
	whole := embedAll(t, &flaky{}, 0, `{}`, "a b")[0][0]
	if whole.Truncated.V || whole.NDropped.V != 0 || whole.NTokens.V != 4 {
		t.Errorf("a short text is said to be truncated: %+v", whole)
	}
}

func TestChunksCoverTheTextAndOverlap(t *testing.T) {
	text := "aa b ccc d ee f g"
	rows := embedAll(t, &flaky{}, 0, `{"chunk_size":6,"chunk_overlap":1,"prompt_name":"query"}`, text)[0]
	// 7 words, prompt of one word: chunks of 3 words, each 2 further on.
	want := []string{"aa b ccc", "ccc d ee", "ee f g"}
	if len(rows) != len(want) {
		t.Fatalf("%d chunks, want %d", len(rows), len(want))
	}
	for i, r := range rows {
		if got := text[r.ChunkStart.V:r.ChunkEnd.V]; got != want[i] || r.Chunk.V != int32(i) || r.NDropped.V != 0 {
			t.Errorf("chunk %d is %q (%+v), want %q", i, got, r.Chunk, want[i])
		}
		if r.InputIDs[1] != 1006 {
			t.Errorf("chunk %d does not begin with the prompt: %v", i, r.InputIDs)
		}
	}
	short := embedAll(t, &flaky{}, 0, `{"chunk_size":3,"prompt":"a b c "}`, text)[0]
	if len(short) != 1 || !strings.HasPrefix(short[0].Error, "invalid_param: chunk_size") {
		t.Errorf("a chunk without room gives %+v", short[0].Error)
	}
}

// Each row's text is the chunk that chunk_start and chunk_end, in characters of the document, speak of, and nothing more.
func TestChunksHoldTheirOwnText(t *testing.T) {
	text := " Zoë ißt 漢字 😀 x́ und  İĳ end  "
	for _, params := range []string{`{"chunk_size":3}`, `{"chunk_size":5,"chunk_overlap":2}`, `{"chunk_size":6,"chunk_overlap":2,"prompt":"Zoë: "}`, `{"chunk_size":8}`} {
		rows := embedAll(t, &flaky{}, 0, params, text)[0]
		if len(rows) < 2 {
			t.Fatalf("%s: %d chunks", params, len(rows))
		}
		for i, r := range rows {
			if want := string([]rune(text)[r.ChunkStart.V:r.ChunkEnd.V]); r.Text.V != want || !r.Text.Valid || want == "" || strings.TrimSpace(want) != want {
				t.Errorf("%s: chunk %d at %d-%d has text %q, want %q", params, i, r.ChunkStart.V, r.ChunkEnd.V, r.Text.V, want)
			}
		}
		if last := rows[len(rows)-1].Text.V; !strings.HasSuffix(last, "end") {
			t.Errorf("%s: the last chunk is %q", params, last)
		}
	}
	if none := embedAll(t, &flaky{}, 0, `{"chunk_size":3,"store_text":false}`, text)[0]; none[1].Text.Valid {
		t.Errorf("text %q is stored", none[1].Text.V)
	}
	if blank := embedAll(t, &flaky{}, 0, `{"chunk_size":3}`, "  ")[0]; len(blank) != 1 || blank[0].Text.V != "" || blank[0].Error != "" {
		t.Errorf("a text without tokens gives %+v", blank)
	}
	if failed := embedAll(t, &flaky{nan: func(r embed.Row) bool { return r.IDs[1] == 1002 }}, 0, `{"chunk_size":3}`, text)[0]; len(failed) != 1 || failed[0].Text.V != text {
		t.Errorf("the one row of a document that failed is %+v", failed)
	}
	whole := embedAll(t, &flaky{}, 0, `{}`, text)[0][0]
	if whole.Text.V != text {
		t.Errorf("without chunks the text is %q", whole.Text.V)
	}
}

func TestVectorIsNormalizedAndItsNormKept(t *testing.T) {
	row := embedAll(t, &flaky{}, 0, `{}`, "a b")[0][0]
	if math.Abs(row.Norm.V-4) > 1e-6 || row.Embedding[0] != 1 || row.Dim.V != 2 {
		t.Errorf("norm %v, embedding %v", row.Norm.V, row.Embedding)
	}
	raw := embedAll(t, &flaky{}, 0, `{"normalize":false}`, "a b")[0][0]
	if raw.Embedding[0] != 4 {
		t.Errorf("not normalized: %v", raw.Embedding)
	}
}

func TestStopAnswersEveryTask(t *testing.T) {
	e := New(Options{Spec: testSpec, Embedder: &flaky{hang: true}, Tokenizer: words{}})
	plan := e.Resolve(jobs.EmbedParams{Precision: "float32", Truncate: "right"}, rows.Origin{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Add(1)
		if err := e.Do(t.Context(), Task{Record: jobs.Record{Text: "a"}, Plan: plan, Done: func(rows []export.Row) {
			if rows != nil {
				t.Error("a record that did not run has rows")
			}
			wg.Done()
		}}); err != nil {
			t.Fatal(err)
		}
	}
	e.Stop()
	e.Close()
	wg.Wait()
	if err := e.Do(t.Context(), Task{Record: jobs.Record{Text: "a"}, Plan: plan}); !errors.Is(err, ErrClosed) {
		t.Errorf("Do after Close: %v", err)
	}
}

// one is the rows of a record that is asked for.
func one(t *testing.T, e *Engine, text string) []export.Row {
	t.Helper()
	plan := e.Resolve(jobs.EmbedParams{Precision: "float32", Truncate: "right"}, rows.Origin{})
	made := make(chan []export.Row, 1)
	if err := e.Ask(Task{Record: jobs.Record{Text: text}, Plan: plan, Done: func(rows []export.Row) { made <- rows }}); err != nil {
		t.Fatal(err)
	}
	return <-made
}

// held embeds for Ask, and nothing else until it is let go.
type held struct {
	flaky
	began, free chan struct{}
}

func (h *held) Embed(ctx context.Context, rows []embed.Row) ([]embed.Vector, error) {
	h.began <- struct{}{}
	<-h.free
	return h.flaky.Embed(ctx, rows)
}

func (h *held) Ask(ctx context.Context, rows []embed.Row) ([]embed.Vector, error) {
	return h.flaky.Embed(ctx, rows)
}

// Whoever asks waits for none of what the queue brought, though all workers are busy with it and the window is full.
func TestAsksPassTheQueue(t *testing.T) {
	h := &held{began: make(chan struct{}, 100), free: make(chan struct{})}
	e := New(Options{Spec: testSpec, Embedder: h, Tokenizer: words{}, WindowTokens: 64})
	plan := e.Resolve(jobs.EmbedParams{Precision: "float32", Truncate: "right"}, rows.Origin{})
	var bulk, feeding sync.WaitGroup
	feeding.Go(func() {
		for range 100 {
			bulk.Add(1)
			if err := e.Do(t.Context(), Task{Record: jobs.Record{Text: "a b"}, Plan: plan, Done: func([]export.Row) { bulk.Done() }}); err != nil {
				t.Error(err)
			}
		}
	})
	for range h.Workers() {
		<-h.began
	}
	if got := one(t, e, "a b c"); len(got) != 1 || got[0].Error != "" || got[0].NTokens.V != 5 {
		t.Errorf("rows %+v", got)
	}
	close(h.free)
	feeding.Wait()
	bulk.Wait()
	e.Close()
	if err := e.Ask(Task{Plan: plan}); !errors.Is(err, ErrClosed) {
		t.Errorf("Ask after Close: %v", err)
	}
}

// absent is a tokenizer that cannot be asked.
type absent struct{ words }

func (absent) AppendBody([]int32, []tokenize.Span, string) ([]int32, []tokenize.Span, error) {
	return nil, nil, fmt.Errorf("asking: %w", ErrUnavailable)
}

// classed is one whose failures have a class of their own.
type classed struct{ words }

func (classed) AppendBody([]int32, []tokenize.Span, string) ([]int32, []tokenize.Span, error) {
	return nil, nil, &jobs.RecordError{Class: jobs.Timeout, Message: "too slow"}
}

func TestFailuresOfTheTokenizer(t *testing.T) {
	if got := embedWith(t, absent{}, &flaky{}, 0, `{}`, "one"); got[0] != nil {
		t.Errorf("no record is to blame, and yet its rows are %+v", got[0])
	}
	if got := embedWith(t, classed{}, &flaky{}, 0, `{}`, "one"); len(got[0]) != 1 || got[0][0].Error != "timeout: too slow" {
		t.Errorf("rows: %+v", got[0])
	}
}
