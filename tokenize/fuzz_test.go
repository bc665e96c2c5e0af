package tokenize

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"textmill/internal/golden"
	"textmill/tokenize/internal/jsonread"
)

// FuzzParse: whatever the file, an error or a tokenizer that works.
func FuzzParse(f *testing.F) {
	for _, data := range small {
		f.Add([]byte(data))
	}
	for _, c := range malformed {
		f.Add([]byte(c.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Parse(data)
		if err != nil {
			return
		}
		e, err := tok.Encode("a b\u0301 漢 <s>", Options{})
		if err != nil {
			if !errors.Is(err, ErrUnknown) {
				t.Fatalf("Encode: %v", err)
			}
			return
		}
		tok.Decode(e.IDs, true)
		tok.AppendInput(nil, nil, e.IDs)
	})
}

// FuzzEncode: whatever the text, every way through a tokenizer gives the same, spans lie in the text, and streaming
// gives what decoding gives.
func FuzzEncode(f *testing.F) {
	for _, text := range texts(5, 20) {
		f.Add(text)
	}
	f.Add("\xff\xc3\xe2\x82 \xf0\x9f")
	type pair struct{ used, general *Tokenizer }
	var all []pair
	for _, data := range small {
		used, general := both(f, []byte(data))
		all = append(all, pair{used, general})
	}
	used, general := both(f, golden.Bytes(f, "testdata/all-minilm-l6-v2.json.gz"))
	all = append(all, pair{used, general})
	f.Fuzz(func(t *testing.T, text string) {
		chars := int32(utf8.RuneCountInString(mend(text)))
		for _, p := range all {
			same(t, p.used, p.general, text)
			ids, spans, err := p.used.AppendBody(nil, nil, text)
			if err != nil {
				continue
			}
			for i, s := range spans {
				if s.Start < 0 || s.Start > s.End || s.End > chars {
					t.Fatalf("token %d of %q has span %v of %d characters", i, text, s, chars)
				}
			}
			var b strings.Builder
			s := p.used.NewStream(false)
			for _, id := range ids {
				b.WriteString(s.Add(id))
			}
			b.WriteString(s.Flush())
			if b.String() != p.used.Decode(ids, false) {
				t.Fatalf("%q: the stream gave %q, Decode %q", text, b.String(), p.used.Decode(ids, false))
			}
		}
	})
}

// malformed are files that must be refused, with the path that the error must name.
var malformed = []struct{ name, data, path string }{
	{"not JSON", `{"model":`, "model"},
	{"no model", `{}`, ""},
	{"unknown part", `{"version":"1.0","normaliser":null}`, "normaliser"},
	{"other version", `{"version":"2.0"}`, "version"},
	{"unknown normalizer", `{"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Magic"}]}}`, "normalizer.normalizers[1]"},
	{"unknown pre-tokenizer", `{"pre_tokenizer":{"type":"Magic"}}`, "pre_tokenizer"},
	{"pattern", `{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<"},"behavior":"Isolated","invert":false},"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}`, "pre_tokenizer"},
	{"unknown decoder", `{"decoder":{"type":"Magic"}}`, "decoder"},
	{"dropout", `{"model":{"type":"BPE","dropout":0.1,"vocab":{},"merges":[]}}`, "model.dropout"},
	{"merge out of vocab", `{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`, "model.merges[0]"},
	{"negative ID", `{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}`, "model.vocab.a"},
	{"lone surrogate", `{"model":{"type":"BPE","vocab":{"\ud800":1},"merges":[]}}`, "model.vocab"},
	{"unk_id", `{"model":{"type":"Unigram","unk_id":3,"vocab":[["a",0]]}}`, "model"},
	{"template token", `{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],"special_tokens":{}}}`, "post_processor.single[0].SpecialToken"},
	{"added token", `{"added_tokens":[{"id":0,"content":"a"}]}`, "added_tokens[0]"},
}

func TestMalformedFilesAreRefusedByPath(t *testing.T) {
	for _, c := range malformed {
		_, err := Parse([]byte(c.data))
		var where *jsonread.Error
		if !errors.As(err, &where) {
			t.Errorf("%s: error %v names no path", c.name, err)
		} else if where.Path != c.path {
			t.Errorf("%s: error %q names path %q, want %q", c.name, err, where.Path, c.path)
		}
	}
}
