package tokenize

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/pipeline"
	"textmill/tokenize/internal/spec"
)

// decodeStep is one decoder: a list of tokens into another.
type decodeStep func(tokens []string) []string

// Decode turns IDs back into text. IDs that no token has are left out, and special tokens if skipSpecial.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.IDToToken(id)
		if ok && !(skipSpecial && t.added.Special(token)) {
			tokens = append(tokens, token)
		}
	}
	if !t.hasDecoder {
		return strings.Join(tokens, " ")
	}
	for _, step := range t.decoders {
		tokens = step(tokens)
	}
	return strings.Join(tokens, "")
}

func decodeSteps(list []spec.Decoder) ([]decodeStep, error) {
	var steps []decodeStep
	for _, d := range list {
		step, err := newDecodeStep(d)
		if err != nil {
			return nil, at(d.Path, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func newDecodeStep(d spec.Decoder) (decodeStep, error) {
	switch d.Type {
	case "BPEDecoder":
		return func(tokens []string) []string { return decodeBPE(tokens, d.Suffix) }, nil
	case "ByteLevel":
		return decodeBytes, nil
	case "WordPiece":
		return func(tokens []string) []string { return decodeWordPiece(tokens, d) }, nil
	case "Metaspace":
		return func(tokens []string) []string { return decodeMetaspace(tokens, d) }, nil
	case "CTC":
		return func(tokens []string) []string { return decodeCTC(tokens, d) }, nil
	case "ByteFallback":
		return decodeFallback, nil
	case "Fuse":
		return func(tokens []string) []string { return []string{strings.Join(tokens, "")} }, nil
	case "Strip":
		return each(func(token string) string { return stripChars(token, d) }), nil
	case "Replace":
		find, err := pipeline.Finder(d.Pattern)
		if err != nil {
			return nil, err
		}
		return each(func(token string) string { return replaceAll(token, find, d.Content) }), nil
	}
	return nil, fmt.Errorf("decoder %q is not supported", d.Type)
}

func each(change func(string) string) decodeStep {
	return func(tokens []string) []string {
		for i := range tokens {
			tokens[i] = change(tokens[i])
		}
		return tokens
	}
}

func decodeBPE(tokens []string, suffix string) []string {
	for i := range tokens {
		space := " "
		if i == len(tokens)-1 {
			space = ""
		}
		tokens[i] = strings.ReplaceAll(tokens[i], suffix, space)
	}
	return tokens
}

// charBytes are the bytes of byte-level characters, -1 for other characters below its length.
var charBytes = func() (table [512]int16) {
	for i := range table {
		table[i] = -1
	}
	for b, c := range pipeline.ByteChars {
		table[c] = int16(b)
	}
	return table
}()

// decodeBytes takes a token with any character that stands for no byte as it is.
func decodeBytes(tokens []string) []string {
	var out []byte
	for _, token := range tokens {
		from := len(out)
		for _, c := range token {
			if c >= rune(len(charBytes)) || charBytes[c] < 0 {
				out = append(out[:from], token...)
				break
			}
			out = append(out, byte(charBytes[c]))
		}
	}
	return []string{mend(string(out))}
}

func decodeWordPiece(tokens []string, d spec.Decoder) []string {
	for i, token := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(token, d.Suffix); ok {
				token = rest
			} else {
				token = " " + token
			}
		}
		if d.Cleanup {
			token = cleanup(token)
		}
		tokens[i] = token
	}
	return tokens
}

// cleanups are applied one after another, not at once.
var cleanups = [][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func cleanup(s string) string {
	for _, c := range cleanups {
		s = strings.ReplaceAll(s, c[0], c[1])
	}
	return s
}

func decodeMetaspace(tokens []string, d spec.Decoder) []string {
	replacement := string(d.Replacement)
	for i := range tokens {
		space := " "
		if i == 0 && d.Scheme != "never" {
			space = ""
		}
		tokens[i] = strings.ReplaceAll(tokens[i], replacement, space)
	}
	return tokens
}

func decodeCTC(tokens []string, d spec.Decoder) []string {
	var out []string
	for i, token := range tokens {
		if i > 0 && token == tokens[i-1] {
			continue
		}
		token = strings.ReplaceAll(token, d.PadToken, "")
		if d.Cleanup {
			token = strings.ReplaceAll(cleanup(token), d.Delimiter, " ")
		}
		if token != "" {
			out = append(out, token)
		}
	}
	return out
}

// decodeFallback turns runs of <0xNN> into text; a run that is no UTF-8 becomes one U+FFFD for each byte.
func decodeFallback(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			if len(run) > 0 {
				out = append(out, string(run))
			}
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := byteToken(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

func byteToken(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	high, low := hexDigit(token[3]), hexDigit(token[4])
	if token[3] == '+' { // a sign is part of a number
		high = 0
	}
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// stripChars takes up to Start leading and Stop trailing characters away.
func stripChars(token string, d spec.Decoder) string {
	content := string(d.Replacement)
	chars := utf8.RuneCountInString(token)
	cut := 0
	for ; cut < d.Start; cut++ {
		rest, ok := strings.CutPrefix(token, content)
		if !ok {
			break
		}
		token = rest
	}
	for n := 0; n < d.Stop && n < chars-cut; n++ {
		rest, ok := strings.CutSuffix(token, content)
		if !ok {
			break
		}
		token = rest
	}
	return token
}

func replaceAll(token string, find aligned.Finder, content string) string {
	var b strings.Builder
	for _, m := range aligned.Matches(token, find) {
		if m.Is {
			b.WriteString(content)
		} else {
			b.WriteString(token[m.Start:m.End])
		}
	}
	return b.String()
}
