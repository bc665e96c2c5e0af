package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/internal/foreign"
	"textmill/internal/golden"
)

const writer = "SmolLM2-135M-Instruct"

// written is a line of `textmill generate`, or a row of a table.
type written struct {
	ID            string    `json:"id"`
	Output        string    `json:"output"`
	OutputIDs     []int32   `json:"output_ids"`
	FinishReason  string    `json:"finish_reason"`
	NTokens       int       `json:"n_tokens"`
	NOutputTokens int       `json:"n_output_tokens"`
	Seed          *int64    `json:"seed"`
	Logprobs      []float64 `json:"logprobs"`
	TopLogprobs   [][]struct {
		ID      int32   `json:"id"`
		Token   string  `json:"token"`
		Logprob float64 `json:"logprob"`
	} `json:"top_logprobs"`
	Completions []written `json:"completions"`
	Error       string    `json:"error"`
	InputIDs    []int32   `json:"input_ids"`
}

// said is what transformers makes of a conversation in fp32, greedily. Of the first six no decision is closer than 0.0126, and
// logits are within 2e-4 of transformers' on every processor, so that these texts are the same everywhere.
type said struct {
	ID        int             `json:"id"`
	Messages  json.RawMessage `json:"messages"`
	Prompt    string          `json:"chat_prompt"`
	PromptIDs []int32         `json:"prompt_ids"`
	IDs       []int32         `json:"generated_ids"`
	Text      string          `json:"text"`
}

func conversations(t testing.TB, n int) []said {
	t.Helper()
	return golden.Values[said](t, filepath.Join("..", "models", "generate", "testdata", "greedy.jsonl.gz"))[:n]
}

func asRecords(all []said) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, `{"id":"g%d","messages":%s}`+"\n", s.ID, s.Messages)
	}
	return b.String()
}

// TestGenerateAnswersInOrder has good and bad records in one run: each line gets its answer, and bad ones cost no others anything.
func TestGenerateAnswersInOrder(t *testing.T) {
	good := conversations(t, 6)
	bad := []struct{ record, want string }{
		{`{"id":"b0","text":"` + strings.Repeat("word ", 9000) + `"}`, "too_long: "},
		{`{"id":"b1","text":"` + strings.Repeat("a ", 8191) + `a"}`, "no_room: "},
		{`{"id":"b2","messages":[{"role":"","content":"x"}]}`, "invalid_record: "},
		{`{"id":"b3","messages":[]}`, "invalid_record: "},
		{`{"id":"b4","text":"x","params":{"stop":[""]}}`, "invalid_param: stop"},
		{`{"id":"b5","text":"x","params":{"temperature":-1}}`, "invalid_param: temperature"},
		{`{"id":"b6","text":"x","params":{"top_p":0}}`, "invalid_param: top_p"},
		{`{"id":"b7","text":"x","params":{"seed":99999999999999999999}}`, "invalid_param: seed"},
		{`{"id":"b8","text":"x","params":{"logit_bias":{"49152":1}}}`, "invalid_param: logit_bias"},
		{`{"id":"b9","text":""}`, "invalid_record: "},
		{`{"id":"b10","text":"x","params":{"no_such":1}}`, "invalid_param: "},
	}
	in := asRecords(good[:3])
	for _, b := range bad {
		in += b.record + "\n"
	}
	in += asRecords(good[3:])
	r := call{home: newHome(t), stdin: in}.ok(t, "generate", "--model", writer, "--param", "max_new_tokens=64")
	answers := lines[written](t, r.stdout)
	if len(answers) != len(good)+len(bad) {
		t.Fatalf("%d answers\n%s", len(answers), r.stderr)
	}
	for i, b := range bad {
		if got := answers[3+i]; !strings.HasPrefix(got.Error, b.want) {
			t.Errorf("%.80s: %+v, want %s…", b.record, got, b.want)
		}
	}
	answers = slices.Delete(answers, 3, 3+len(bad))
	for i, want := range good {
		got := answers[i]
		if got.ID != fmt.Sprintf("g%d", want.ID) || got.Output != want.Text || !slices.Equal(got.OutputIDs, want.IDs) || got.NTokens != len(want.PromptIDs) {
			t.Errorf("%+v, transformers has %q %v", got, want.Text, want.IDs)
		}
	}
	if !strings.Contains(r.stderr, "errors=11") {
		t.Errorf("standard error does not count the bad records:\n%s", r.stderr)
	}
}

func TestGenerateParams(t *testing.T) {
	home := newHome(t)
	one := conversations(t, 1)[0]
	run := func(record string) written {
		t.Helper()
		return lines[written](t, call{home: home, stdin: record}.ok(t, "generate", "--model", writer, "--param", "max_new_tokens=8").stdout)[0]
	}
	prompt, err := json.Marshal(one.Prompt)
	if err != nil {
		t.Fatal(err)
	}
	text := run(`{"id":"a","text":` + string(prompt) + `,"params":{"top_logprobs":3}}`)
	if text.Output != one.Text || len(text.Logprobs) != len(one.IDs) || len(text.TopLogprobs) != len(one.IDs) || text.Seed != nil {
		t.Errorf("the conversation as a text: %+v", text)
	}
	for i, step := range text.TopLogprobs {
		if len(step) != 3 || step[0].ID != one.IDs[i] || step[0].Logprob != text.Logprobs[i] || step[1].Logprob > step[0].Logprob {
			t.Errorf("step %d: %+v", i, step)
		}
	}
	sampled := `{"id":"b","text":` + string(prompt) + `,"params":{"temperature":1.2,"n":3,"seed":7}}`
	three := run(sampled)
	if again := run(sampled); len(three.Completions) != 3 || fmt.Sprint(again) == "" || three.Completions[1].Output != again.Completions[1].Output ||
		three.Completions[0].Seed == nil || *three.Completions[2].Seed != 9 {
		t.Errorf("three completions, twice: %+v", three)
	}
	alone := run(`{"id":"b","text":` + string(prompt) + `,"params":{"temperature":1.2,"seed":8}}`)
	if alone.Output != three.Completions[1].Output {
		t.Errorf("seed 8 alone gives %q, as a second completion %q", alone.Output, three.Completions[1].Output)
	}
	argument := call{home: home}.ok(t, "generate", "--model", writer, "--param", "chat=true", "--param", "stop=is Paris", "What is the capital of France?")
	if got := lines[written](t, argument.stdout)[0]; got.Output != "The capital of France " || got.FinishReason != "stop" {
		t.Errorf("%+v", got)
	}
	for _, args := range [][]string{{"--param", "temperature=-1"}, {"--param", "nonsense=1"}} {
		if r := (call{home: home}).run(t, append([]string{"generate", "--model", writer, "x"}, args...)...); r.code != 2 {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.stderr)
		}
	}
	if r := (call{home: home}).run(t, "generate", "--model", model, "x"); r.code != 1 || !strings.Contains(r.stderr, "embed") {
		t.Errorf("an embedding model: exit %d\n%s", r.code, r.stderr)
	}
}

func TestBenchOfAGenerationModel(t *testing.T) {
	home, good := newHome(t), conversations(t, 3)
	prompts := filepath.Join(t.TempDir(), "prompts.jsonl")
	if err := os.WriteFile(prompts, []byte(asRecords(good)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"--alone=false", "--alone"} {
		r := call{home: home}.ok(t, "models", "bench", writer, "--prompts", prompts, "--param", "max_new_tokens=8", "--json", more)
		got := lines[struct {
			Records, Slots, Threads, Tokens int
			PromptTokens                    int `json:"prompt_tokens"`
			Seconds                         float64
			Rate                            float64 `json:"tokens_per_s"`
			Prefill, Decode                 struct {
				Runs, Tokens int
				Seconds      float64
			}
			Texts []struct {
				ID           string
				PromptIDs    []int32 `json:"prompt_ids"`
				OutputIDs    []int32 `json:"output_ids"`
				FinishReason string  `json:"finish_reason"`
			}
		}](t, r.stdout)[0]
		tokens, prompted := 0, 0
		for i, want := range good {
			ids := want.IDs[:min(8, len(want.IDs))]
			if !slices.Equal(got.Texts[i].OutputIDs, ids) || !slices.Equal(got.Texts[i].PromptIDs, want.PromptIDs) {
				t.Errorf("%s: text %d is %+v, transformers has %v", more, i, got.Texts[i], ids)
			}
			tokens, prompted = tokens+len(ids), prompted+len(want.PromptIDs)
		}
		if got.Records != 3 || got.Tokens != tokens || got.PromptTokens != prompted || got.Decode.Tokens != tokens-3 || got.Prefill.Tokens < 3 || got.Prefill.Tokens > prompted ||
			!(got.Seconds > 0) || got.Rate != float64(tokens)/got.Seconds {
			t.Errorf("%s: %s", more, r.stdout)
		}
	}
	for _, args := range [][]string{{writer}, {writer, "--alone"}, {model, "--prompts", prompts}} {
		if r := (call{home: home}).run(t, append([]string{"models", "bench"}, args...)...); r.code != 2 || !strings.Contains(r.stderr, "--prompts") {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.stderr)
		}
	}
}

// readCompletions is how a client of OpenAI's batches reads chat completions with their log-probabilities.
const readCompletions = `
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
for l in lines:
    assert l["error"] is None and set(l) == {"id", "custom_id", "response", "error"}, l
    for choice in l["response"]["body"]["choices"]:
        assert set(choice) == {"index", "message", "logprobs", "finish_reason", "seed"}, choice
        print(json.dumps({"id": l["custom_id"], **choice}))
`

// TestGeneratedTableAsOpenAIBatch: the exported completions tell the same tokens as the model, with the texts of the likeliest.
func TestGeneratedTableAsOpenAIBatch(t *testing.T) {
	home, dir := newHome(t), filepath.Join(t.TempDir(), "texts")
	answers := filepath.Join(t.TempDir(), "answers.jsonl")
	params := []string{"--model", writer, "--param", "max_new_tokens=6", "--param", "n=2", "--param", "top_logprobs=2", "--param", "temperature=0.9", "--param", "seed=3"}
	c := call{home: home, stdin: asRecords(conversations(t, 2))}
	want := lines[written](t, c.ok(t, append([]string{"generate"}, params...)...).stdout)
	c.ok(t, append([]string{"generate", "--out", dir}, params...)...)
	call{}.ok(t, "table", "export", "--format", "openai-batch", "-o", answers, dir)
	type token struct {
		Token   string
		Logprob float64
		Bytes   []int
	}
	type choice struct {
		ID       string
		Index    int
		Message  struct{ Role, Content, Refusal string }
		Logprobs struct {
			Content []struct {
				Token       string
				Logprob     float64
				Bytes       []int
				TopLogprobs []token `json:"top_logprobs"`
			}
			Refusal []token
		}
		FinishReason string `json:"finish_reason"`
		Seed         *int64
	}
	got := lines[choice](t, foreign.Python(t, readCompletions, answers))
	if len(got) != 4 {
		t.Fatalf("%d choices of 2 records: %+v", len(got), got)
	}
	known, unknown := 0, 0
	for _, g := range got {
		i := slices.IndexFunc(want, func(w written) bool { return w.ID == g.ID })
		if i < 0 || g.Index > 1 {
			t.Fatalf("no such completion: %+v", g)
		}
		w := want[i].Completions[g.Index]
		if g.Seed == nil || w.Seed == nil || *g.Seed != *w.Seed {
			t.Errorf("%s, completion %d: drawn with the seed %v, want %v", g.ID, g.Index, g.Seed, w.Seed)
		}
		if g.Message.Content != w.Output || len(g.Logprobs.Content) != len(w.OutputIDs) {
			t.Fatalf("got %+v, want %+v", g, w)
		}
		for j, c := range g.Logprobs.Content {
			text := fmt.Sprintf("token_id:%d", w.OutputIDs[j])
			var top []token
			for _, likely := range w.TopLogprobs[j] {
				if likely.ID == w.OutputIDs[j] {
					text = likely.Token
				}
				top = append(top, token{Token: likely.Token, Logprob: likely.Logprob})
			}
			if strings.HasPrefix(text, "token_id:") {
				unknown++
			} else {
				known++
			}
			if c.Token != text || c.Logprob != w.Logprobs[j] || len(top) != 2 || fmt.Sprint(c.TopLogprobs) != fmt.Sprint(top) {
				t.Errorf("%s, completion %d, token %d: got %+v, want %q and %v", g.ID, g.Index, j, c, text, top)
			}
		}
	}
	if known == 0 {
		t.Error("no token's text is known")
	}
	t.Logf("%d texts known, %d not", known, unknown)
}

const writtenRows = `
import json, sys
from deltalake import DeltaTable
cols = ["record_id", "output", "output_ids", "finish_reason", "n_tokens", "n_output_tokens", "error", "input_ids"]
for r in DeltaTable(sys.argv[1]).to_pyarrow_table(columns=cols).to_pylist():
    r["id"] = r.pop("record_id")
    print(json.dumps(r))
`

// TestGenerationJob publishes conversations, stops the daemon in mid-job, and finds each text once in the table.
func TestGenerationJob(t *testing.T) {
	good := conversations(t, 10)
	home := newHome(t)
	env := []string{"TEXTMILL_MODELS_SMOLLM2_135M_INSTRUCT_SLOTS=4", "TEXTMILL_LIMITS_RECORDS_PER_SHARD=2", "TEXTMILL_DRAIN_TIMEOUT=3s"}
	d := startDaemon(t, home, append(env, "TEXTMILL_NATS_EMBEDDED_DIR="+filepath.Join(home, "nats"))...)
	c := d.client()
	c.stdin = asRecords(good) + `{"id":"bad","messages":[{"role":"user","content":"x"}],"params":{"top_p":0}}` + "\n"
	c.env = append(c.env, env[1])
	c.ok(t, "submit", "--task", "generate", "--model", writer, "--dataset", "texts", "--job", "texts", "--param", "max_new_tokens=64", "--no-wait", "-")
	d.await(logged("committed"), 1)
	d.signal(os.Interrupt)
	if code := d.wait(); code != 0 {
		t.Fatalf("the daemon ended with %d:\n%s", code, d.text())
	}
	d = startDaemon(t, home, append(env, "TEXTMILL_NATS_EMBEDDED_DIR="+filepath.Join(home, "nats"))...)
	d.client().ok(t, "watch", "texts")
	got := map[string]written{}
	for _, r := range lines[written](t, foreign.Python(t, writtenRows, d.table("texts"))) {
		if _, twice := got[r.ID]; twice {
			t.Errorf("%s is there twice", r.ID)
		}
		got[r.ID] = r
	}
	if len(got) != len(good)+1 || !strings.HasPrefix(got["bad"].Error, "invalid_param: top_p") || got["bad"].FinishReason != "error" {
		t.Errorf("%d rows, the bad one is %+v", len(got), got["bad"])
	}
	for _, want := range good {
		r := got[fmt.Sprintf("g%d", want.ID)]
		if r.Output != want.Text || !slices.Equal(r.OutputIDs, want.IDs) || !slices.Equal(r.InputIDs, want.PromptIDs) || r.NOutputTokens != len(want.IDs) {
			t.Errorf("%+v, transformers has %q %v", r, want.Text, want.IDs)
		}
	}
	code, metrics := get(t, d.http+"/metrics", "")
	if code != 200 || !strings.Contains(metrics, `textmill_output_tokens_total{model="`+writer+`"}`) {
		t.Errorf("/metrics does not count new tokens: %d", code)
	}
}
