package generation

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/generate"
	"textmill/tokenize"
	"textmill/work/rows"
)

// idle is a generator that must not be asked.
type idle struct{ asked int }

func (i *idle) Do(context.Context, generate.Request) error { i.asked++; return generate.ErrClosed }
func (i *idle) Check(int) error                            { return nil }
func (i *idle) Slots() int                                 { return 2 }
func (i *idle) Stop()                                      {}

func limited(t *testing.T, l *Limits) (*Engine, *idle) {
	t.Helper()
	tok, err := tokenize.Load("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	g := &idle{}
	return New(Options{Spec: &models.Spec{Name: "m", MaxLength: 100, Decoder: &models.Decoder{VocabSize: 64}}, Generator: g, Tokenizer: tok, Limits: l}), g
}

// outcomes are the errors of a message's records, "" of one that went to the generator.
func outcomes(t *testing.T, e *Engine, g *idle, params string, records ...string) (list []string) {
	t.Helper()
	shard, err := jobs.Decode(jobs.Message{Subject: jobs.Subject{Task: naming.TaskGenerate, Model: "m", Job: "j"}.String(), Header: jobs.Header{},
		Data: []byte(`{"job":"j","shard":0,"params":` + params + `,"records":[` + strings.Join(records, ",") + `]}`)}, jobs.Limits{RecordsPerShard: 1000, RecordBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	work := e.Work(shard, rows.Origin{})
	for _, r := range shard.Records {
		said, before := "", g.asked
		err := work.Do(t.Context(), r, func(rows []export.Row) { said = rows[0].Error })
		if asked := g.asked > before; asked != (err != nil) || asked != (said == "") {
			t.Errorf("asked %v, %v, %q", asked, err, said)
		}
		list = append(list, said)
	}
	return list
}

func TestLimitsAreCheckedBeforeWork(t *testing.T) {
	e, g := limited(t, &Limits{MaxNewTokens: 50, N: 4, TopLogprobs: 2, Stop: 1, TokensPerShard: 1 << 40})
	for params, want := range map[string]string{
		`{"max_new_tokens":50,"n":4,"top_logprobs":2,"stop":["a"]}`: "",
		`{"max_new_tokens":51}`:      "invalid_param: max_new_tokens: 51 is above 50, which this daemon allows (limits.max_new_tokens)",
		`{"n":5}`:                    "invalid_param: n: 5 is above 4, which this daemon allows (limits.n)",
		`{"top_logprobs":3}`:         "invalid_param: top_logprobs: 3 is above 2, which this daemon allows (limits.top_logprobs)",
		`{"stop":["a","b"]}`:         "invalid_param: stop: 2 strings, this daemon allows 1 (limits.stop)",
		`{"max_new_tokens":1000000}`: "limits.max_new_tokens",
	} {
		if got := outcomes(t, e, g, params, `{"id":"a","text":"x"}`)[0]; !strings.HasPrefix(got, want) && !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", params, got, want)
		}
	}
	// A record's own params count, and its neighbours are none the worse.
	got := outcomes(t, e, g, `{}`, `{"id":"a","text":"x","params":{"n":5}}`, `{"id":"b","text":"x"}`)
	if !strings.Contains(got[0], "limits.n") || got[1] != "" {
		t.Errorf("%q", got)
	}
	e, g = limited(t, &Limits{N: 128, TopLogprobs: 20, Stop: 64, TokensPerShard: 1 << 40})
	if got := outcomes(t, e, g, `{"max_new_tokens":1000000000}`, `{"id":"a","text":"x"}`); got[0] != "" {
		t.Errorf("without a limit the context bounds a text, but: %q", got)
	}
}

// What a message may come to counts completions, and at most the context of each; a message beyond it is refused whole, whichever
// way its records are taken.
func TestAMessageMayNotAskForTooMuch(t *testing.T) {
	e, g := limited(t, &Limits{N: 128, TopLogprobs: 20, Stop: 64, TokensPerShard: 1000})
	record := func(i int, params string) string { return fmt.Sprintf(`{"id":"%d","text":"x","params":%s}`, i, params) }
	fits := outcomes(t, e, g, `{"max_new_tokens":1000000000}`, record(0, `{"n":9}`), record(1, `{"max_new_tokens":100}`))
	if fits[0] != "" || fits[1] != "" {
		t.Errorf("10 texts of a context of 100: %q", fits)
	}
	for _, said := range outcomes(t, e, g, `{"max_new_tokens":1000000000}`, record(0, `{"n":9}`), record(1, `{"max_new_tokens":100}`), record(2, `{"max_new_tokens":1}`)) {
		if !strings.Contains(said, "invalid_param: the message's 3 records may come to more than 1000 new tokens together") || !strings.Contains(said, "limits.tokens_per_shard") {
			t.Errorf("%q", said)
		}
	}
	// Records that are error rows anyhow ask for nothing.
	got := outcomes(t, e, g, `{"max_new_tokens":100}`, record(0, `{"n":9}`), record(1, `{"n":129}`), record(2, `{"n":"x"}`), record(3, `{}`))
	if got[0] != "" || !strings.Contains(got[1], "n: 129") || !strings.Contains(got[2], "n: want") || got[3] != "" {
		t.Errorf("%q", got)
	}
}

// Of a message that points to its records those are refused that go beyond, and the same ones when it comes again.
func TestAMessageThatPointsElsewhereMayNotAskForTooMuch(t *testing.T) {
	e, g := limited(t, &Limits{N: 128, TopLogprobs: 20, Stop: 64, TokensPerShard: 250})
	params, err := jobs.ParseGenerateParams([]byte(`{"max_new_tokens":1000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		work := e.Work(&jobs.Shard{Generate: params, Input: &jobs.Input{}}, rows.Origin{})
		for i, want := range []string{"", "", "limits.tokens_per_shard", "limits.tokens_per_shard"} {
			said, before := "", g.asked
			_ = work.Do(t.Context(), jobs.Record{ID: fmt.Sprint(i), Text: "x"}, func(rows []export.Row) { said = rows[0].Error })
			if !strings.Contains(said, want) || (want == "") != (g.asked > before) {
				t.Errorf("record %d: %q", i, said)
			}
		}
	}
}
