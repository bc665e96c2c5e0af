package tokenize

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"textmill/internal/golden"
)

// TestEveryCharacterAsHuggingFace holds each normalizer, each pre-tokenizer and many patterns to what Hugging Face made of every
// character; tokenize/conformance/characters.py says how.
func TestEveryCharacterAsHuggingFace(t *testing.T) {
	type characters struct {
		Texts   []string
		Entries []struct {
			Blocks                []rune
			JSON, Pattern, Hashes string
			Normalized, Refused   bool
		}
	}
	file := golden.Values[characters](t, "testdata/golden-characters.json.gz")[0]
	blocks, rest := map[rune]string{}, strings.Join(file.Texts, "\n")
	for _, entry := range file.Entries {
		tok, err := Parse([]byte(entry.JSON))
		if (err != nil) != entry.Refused {
			t.Errorf("%s: error %v, want one: %v", entry.JSON, err, entry.Refused)
		}
		if err != nil {
			if !strings.Contains(err.Error(), fmt.Sprintf("%q", entry.Pattern)) {
				t.Errorf("%v does not name the pattern %q", err, entry.Pattern)
			}
			continue
		}
		for i, start := range append(entry.Blocks, -1) {
			input, where := rest, "the texts"
			if start >= 0 {
				if blocks[start] == "" {
					blocks[start] = characterBlock(start)
				}
				input, where = blocks[start], fmt.Sprintf("the block at U+%04X", start)
			}
			got := ""
			if entry.Normalized {
				got = tok.normalForm(input)
			} else {
				got = pieces(t, tok, input)
			}
			sum := sha256.Sum256([]byte(got))
			if got, want := hex.EncodeToString(sum[:3]), entry.Hashes[6*i:6*i+6]; got != want {
				t.Errorf("%s: %s has hash %s, want %s", entry.JSON, where, got, want)
			}
		}
	}
}

// characterBlock puts each of 4,096 characters beside letters, digits, marks and itself.
func characterBlock(start rune) string {
	var b strings.Builder
	for c := start; c < start+0x1000; c++ {
		if c < 0xD800 || c >= 0xE000 {
			fmt.Fprintf(&b, "x%c1%c%c .%cA%c\u0301 ", c, c, c, c, c)
		}
	}
	return b.String()
}

func pieces(t *testing.T, tok *Tokenizer, text string) string {
	e, err := tok.Encode(text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, s := range e.Offsets {
		b = strconv.AppendInt(b, int64(s.Start), 10)
		b = strconv.AppendInt(append(b, ','), int64(s.End), 10)
		b = append(b, ';')
	}
	return string(b)
}
