package test

import (
	"encoding/json"
	"strings"
	"testing"
)

type traced struct {
	Type   string   `json:"type"`
	ID     int      `json:"id"`
	Piece  string   `json:"piece"`
	Span   [2]int   `json:"span"`
	Norm   float64  `json:"norm"`
	Shape  []int    `json:"shape"`
	Finish string   `json:"finish_reason"`
	Kept   int      `json:"n_kept"`
	Found  []traced `json:"candidates"`
	Row    *struct {
		Shape  []int     `json:"shape"`
		Norm   float64   `json:"norm"`
		Values []float64 `json:"values"`
	} `json:"embedding"`
}

// events reads a trace's lines, of which the tests look at a part.
func events(t *testing.T, text string) (all []traced) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e traced
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %.300s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// types is the order of a trace's lines, repetitions left out.
func types(all []traced) string {
	var order []string
	for _, e := range all {
		if len(order) == 0 || order[len(order)-1] != e.Type {
			order = append(order, e.Type)
		}
	}
	return strings.Join(order, " ")
}

func TestTraceOfAnEmbedding(t *testing.T) {
	home := newHome(t)
	got := events(t, call{home: home}.ok(t, "trace", "--model", model, "--json", "--values", "3", "Tokenizers are fun").stdout)
	if order := types(got); order != "start token hidden vector" || len(got) != 1+7+7+1 {
		t.Fatalf("%d lines: %s", len(got), order)
	}
	if e := got[3]; e.ID != 17629 || e.Piece != "##izer" || e.Span != [2]int{5, 9} || e.Row.Shape[0] != 384 || len(e.Row.Values) != 3 {
		t.Errorf("third token: %+v", e)
	}
	text := call{home: home}.ok(t, "trace", "--model", model, "--param", "pooling=cls", "Tokenizers are fun")
	for _, want := range []string{"7 tokens", "embeddings.word_embeddings.weight [30522 384], stored as float32", "  17629  ##izer       5-9 ", "pooling cls over 7 tokens", "vector [384], norm "} {
		if !strings.Contains(text.stdout, want) {
			t.Errorf("no %q in\n%s", want, text.stdout)
		}
	}
	if strings.Contains(text.stdout, "\x1b") || text.stderr != "" {
		t.Errorf("colour where there is no terminal, or standard error: %q", text.stderr)
	}
	empty := events(t, call{home: home}.ok(t, "trace", "--model", model, "--json", "").stdout)
	if types(empty) != "start token hidden vector" || len(empty) != 1+2+2+1 {
		t.Errorf("an empty text has its special tokens, not %+v", empty)
	}
	nul := events(t, call{home: home, stdin: "a\x00b"}.ok(t, "trace", "--model", model, "--json", "-").stdout)
	if types(nul) != "start token hidden vector" {
		t.Errorf("a text with a NUL: %+v", nul)
	}
}

func TestTraceOfAGeneration(t *testing.T) {
	home := newHome(t)
	args := []string{"trace", "--model", writer, "--param", "chat=true", "--param", "max_new_tokens=12", "--top", "3"}
	got := events(t, call{home: home}.ok(t, append(args, "--json", "What is the capital of France?")...).stdout)
	if order := types(got); order != "start token step end" {
		t.Fatal(order)
	}
	last := got[len(got)-2]
	if last.ID != 2 || last.Piece != "<|im_end|>" || last.Finish != "eos" || len(last.Found) != 3 || last.Kept != 1 || last.Row.Shape[0] != 576 || got[len(got)-1].Finish != "eos" {
		t.Errorf("the last step is %+v", last)
	}
	text := call{home: home}.ok(t, append(args, "What is the capital of France?")...).stdout
	for _, want := range []string{"model.embed_tokens.weight [49152 576]", "ended by EOS after 8 tokens", `"The capital of France is Paris."`, "logit", "100.00%"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestTraceOfBadInput(t *testing.T) {
	home := newHome(t)
	for _, tc := range []struct {
		code  int
		stdin string
		args  []string
		want  string
	}{
		{1, "", []string{"--model", "no-such", "x"}, `there is no model "no-such"`},
		{1, "", []string{"--model", writer, ""}, "no tokens"},
		{1, "a\xffb", []string{"--model", model, "-"}, "bad_utf8"},
		{1, strings.Repeat("x", 17<<20), []string{"--model", model, "-"}, "too_long"},
		{1, "", []string{"--model", model, "--param", "chunk_size=16", "x"}, "chunk_size"},
		{1, "", []string{"--model", model, "--param", "max_length=9000", "x"}, "max_length"},
		{2, "", []string{"--model", model, "--param", "temperature=1", "x"}, "temperature"},
		{2, "", []string{"--model", writer, "--param", "top_p=0", "x"}, "top_p"},
		{2, "", []string{"--model", model, "--top", "-1", "x"}, "--top"},
		{2, "", []string{"--model", model}, "accepts 1 arg"},
		{2, "", []string{"x"}, "--model is needed"},
	} {
		r := call{home: home, stdin: tc.stdin}.run(t, append([]string{"trace"}, tc.args...)...)
		if r.code != tc.code || !strings.Contains(r.stderr, tc.want) || r.stdout != "" {
			t.Errorf("trace %.80q: exit %d, want %d and %q\nstdout: %.300s\nstderr: %.600s", tc.args, r.code, tc.code, tc.want, r.stdout, r.stderr)
		}
	}
}
