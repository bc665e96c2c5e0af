package sugarme

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/tokenize"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == ChildCommand {
		os.Exit(Serve(os.Args[2]))
	}
	os.Exit(m.Run())
}

// wordPiece writes a small BERT tokenizer.
func wordPiece(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	const file = `{"version":"1.0","truncation":null,"padding":null,
"added_tokens":[{"id":0,"content":"[UNK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
 {"id":1,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
 {"id":2,"content":"[SEP]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
"pre_tokenizer":{"type":"BertPreTokenizer"},
"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}],
 "pair":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}},{"Sequence":{"id":"B","type_id":1}},{"SpecialToken":{"id":"[SEP]","type_id":1}}],
 "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[1],"tokens":["[CLS]"]},"[SEP]":{"id":"[SEP]","ids":[2],"tokens":["[SEP]"]}}},
"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
 "vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"hello":3,"world":4,"##s":5,",":6,"!":7}}}`
	if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCompareCountsWhatTheLibraryDoes(t *testing.T) {
	path := wordPiece(t)
	ours, err := tokenize.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(t.Context(), ours, path, true, 3, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"hello worlds", "Hello, world!"} {
		if err := c.Add(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	r, err := c.Close()
	if err != nil || r.LoadError != nil {
		t.Fatal(err, r.LoadError)
	}
	if r.Texts != 2 || r.Identical != 2 {
		t.Errorf("report is %+v", r)
	}
	var b strings.Builder
	if _, err := r.WriteTo(&b); err != nil || !strings.HasPrefix(b.String(), "2 texts: 2 identical") {
		t.Errorf("report reads %q, %v", b.String(), err)
	}
}

func TestLibraryThatDiesIsAFinding(t *testing.T) {
	path := wordPiece(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The library panics on a look-ahead pattern, which ours matches.
	ahead := strings.Replace(string(data), `{"type":"BertPreTokenizer"}`,
		`{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|\\S+"},"behavior":"Isolated","invert":false}`, 1)
	if err := os.WriteFile(path, []byte(ahead), 0o644); err != nil {
		t.Fatal(err)
	}
	ours, err := tokenize.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(t.Context(), ours, path, true, 3, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	r, err := c.Close()
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(r.LoadError, ErrCrashed) || !strings.Contains(r.LoadError.Error(), "panic: ") {
		t.Errorf("load error is %v", r.LoadError)
	}
}

func TestChildThatHangsIsEnded(t *testing.T) {
	e, err := Open(t.Context(), wordPiece(t), Options{Timeout: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Encode(t.Context(), strings.Repeat("hello ", 100000), true); !errors.Is(err, ErrTimeout) {
		t.Fatalf("want a time-out, have %v", err)
	}
	e.options.Timeout = time.Minute
	got, err := e.Encode(t.Context(), "hello", false)
	if err != nil || len(got.IDs) != 1 || got.IDs[0] != 3 {
		t.Errorf("after a time-out: %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Encode(ctx, strings.Repeat("hello ", 100000), true); !errors.Is(err, context.Canceled) {
		t.Errorf("want the context's error, have %v", err)
	}
}
