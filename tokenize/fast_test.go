package tokenize

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/internal/golden"
)

// small are tokenizers small enough to live in a test, one for each way through the package and its odd corners.
var small = map[string]string{
	"wordpiece": `{"added_tokens":[{"id":0,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
		{"id":1,"content":"[SEP]","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":true}],
		"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
		"pre_tokenizer":{"type":"BertPreTokenizer"},
		"post_processor":{"type":"BertProcessing","cls":["[CLS]",0],"sep":["[SEP]",1]},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
		"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":8,
		"vocab":{"[CLS]":0,"[SEP]":1,"[UNK]":2,"a":3,"b":4,"##a":5,"##b":6,"ab":7,"##ab":8,"é":9,"!":10,"漢":11,"e":12,"##e":13}}}`,
	"spaced": `{"added_tokens":[{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":true}],
		"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
		"pre_tokenizer":null,"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
		"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":false,
		"vocab":{"<s>":0,"<unk>":1,"▁":2,"a":3,"b":4,"ab":5,"▁a":6,"▁▁":7,"▁ab":8,"b▁":9,"é":10},"merges":["a b","▁ a","▁ ▁","▁ ab","b ▁"]}}`,
	"metaspace": `{"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false},"decoder":{"type":"Fuse"},
		"added_tokens":[{"id":0,"content":"  ","single_word":true,"lstrip":true,"rstrip":false,"normalized":true,"special":true}],
		"model":{"type":"BPE","unk_token":"<unk>","vocab":{"<unk>":0,"▁":1,"a":2,"b":3,"ab":4,"▁a":5},"merges":["a b","▁ a"]}}`,
	"unigram": `{"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"},
		"decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"},
		"added_tokens":[{"id":0,"content":"<m>","single_word":true,"lstrip":true,"rstrip":false,"normalized":true,"special":false}],
		"model":{"type":"Unigram","unk_id":1,"vocab":[["<m>",0],["<unk>",0],["▁",-2.5],["a",-2],["b",-3.25],["ab",-4],["▁a",-3],["ba",-4.5],["1",-5]]}}`,
}

// texts makes strings that visit every branch: spaces, accents, CJK, controls, added tokens, emoji.
func texts(seed uint64, n int) []string {
	rng := rand.New(rand.NewPCG(seed, 1))
	parts := []string{"a", "b", "ab", "ba", " ", "  ", "\n", "é", "e\u0301", "É", "漢字", "\x00", "\u200b", "!", "<s>", "<m>", "[SEP]", " [SEP] ",
		"▁", "１", "ﬁ", "👩‍👩‍👧", "한국", "İ", "ß", "123", "don't", "\t", "\u0300", "\ufffd", "aaaaaaaaaaaaaaaaaaaa", strings.Repeat("ab", 40), "x", "\U0001D165\u0327", "\r\n", "<|endoftext|>"}
	out := []string{"", " ", "\u0301"}
	for range n {
		var b strings.Builder
		for range rng.IntN(12) {
			b.WriteString(parts[rng.IntN(len(parts))])
		}
		out = append(out, b.String())
	}
	return out
}

// both parses a tokenizer.json twice: as it is used, and with the general way alone.
func both(t testing.TB, data []byte) (used, general *Tokenizer) {
	t.Helper()
	used, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if general, _, err = parse(data); err != nil {
		t.Fatal(err)
	}
	return used, general
}

// same holds Encode, AppendBody and the general way to each other.
func same(t testing.TB, used, general *Tokenizer, text string) {
	t.Helper()
	got, err := used.Encode(text, Options{NoSpecialTokens: true})
	want, wantErr := general.Encode(text, Options{NoSpecialTokens: true})
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: error %v, the general way's %v", text, err, wantErr)
	}
	ids, spans, bodyErr := used.AppendBody(nil, nil, text)
	if (err == nil) != (bodyErr == nil) {
		t.Fatalf("%q: AppendBody's error is %v, Encode's %v", text, bodyErr, err)
	}
	if err != nil {
		return
	}
	if !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Offsets, want.Offsets) ||
		!slices.Equal(got.ByteOffsets, want.ByteOffsets) || !slices.Equal(got.Tokens, want.Tokens) {
		t.Fatalf("%q: the short way gave\n%v %v %q, the general way\n%v %v %q", text, got.IDs, got.Offsets, got.Tokens,
			want.IDs, want.Offsets, want.Tokens)
	}
	if !slices.Equal(ids, got.IDs) || !slices.Equal(spans, got.Offsets) {
		t.Fatalf("%q: AppendBody gave %v %v, Encode %v %v", text, ids, spans, got.IDs, got.Offsets)
	}
}

func TestShortWaysAreTheGeneralWay(t *testing.T) {
	for name, data := range small {
		used, general := both(t, []byte(data))
		if used.fast == nil {
			t.Errorf("%s has no short way", name)
		}
		for _, text := range texts(1, 3000) {
			same(t, used, general, text)
		}
	}
	used, general := both(t, golden.Bytes(t, "testdata/all-minilm-l6-v2.json.gz"))
	for _, text := range texts(2, 2000) {
		same(t, used, general, text)
	}
}

// TestFetchedTokenizers does the same for the tokenizers that `make conformance` fetches, where it has.
func TestFetchedTokenizers(t *testing.T) {
	files, err := filepath.Glob("../.cache/tokenizers/*/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		used, general := both(t, data)
		if used.fast == nil {
			t.Errorf("%s has no short way", file)
		}
		for _, text := range texts(3, 300) {
			same(t, used, general, text)
		}
	}
}

func TestStreamGivesWhatDecodeGives(t *testing.T) {
	for name, data := range small {
		tok, err := Parse([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts(4, 300) {
			e, err := tok.Encode(text, Options{NoSpecialTokens: true})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			s := tok.NewStream(false)
			for _, id := range e.IDs {
				b.WriteString(s.Add(id))
			}
			b.WriteString(s.Flush())
			if got, want := b.String(), tok.Decode(e.IDs, false); got != want {
				t.Fatalf("%s: %q: the stream gave %q, Decode %q", name, text, got, want)
			}
		}
	}
}
