package spec

import (
	"encoding/base64"

	"textmill/tokenize/internal/jsonread"
)

var behaviors = []string{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}

func normalizers(r *jsonread.Reader, list []Normalizer) []Normalizer {
	if list == nil && r.Null() {
		return nil
	}
	o := object(r)
	n := Normalizer{Type: o.typ(), Path: r.Path()}
	switch n.Type {
	case "Sequence":
		o.each("normalizers", func(r *jsonread.Reader) {
			if list == nil {
				list = []Normalizer{}
			}
			list = normalizers(r, list)
		})
		return list
	case "BertNormalizer", "Bert":
		n.Type = "BertNormalizer"
		n.CleanText, n.CJK, n.Lowercase = o.flag("clean_text"), o.flag("handle_chinese_chars"), o.flag("lowercase")
		n.StripAccents = n.Lowercase
		if o.has("strip_accents") {
			n.StripAccents = o.flag("strip_accents")
		}
	case "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel":
	case "Strip":
		n.Left, n.Right = o.flag("strip_left"), o.flag("strip_right")
	case "Replace":
		n.Pattern, n.Content = o.pattern(), o.str("content")
	case "Prepend":
		n.Content = o.str("prepend")
	case "Precompiled":
		o.read("precompiled_charsmap", func(r *jsonread.Reader) {
			if r.Null() {
				return
			}
			blob, err := base64.StdEncoding.DecodeString(r.String())
			if err != nil {
				r.Failf("read charsmap: %w", err)
			}
			n.Charsmap = blob
		})
	default:
		o.unknown("normalizer", n.Type)
	}
	return append(list, n)
}

func preTokenizers(r *jsonread.Reader, list []PreTokenizer) []PreTokenizer {
	if list == nil && r.Null() {
		return nil
	}
	o := object(r)
	p := PreTokenizer{Type: o.typ(), Path: r.Path()}
	switch p.Type {
	case "Sequence":
		o.each("pretokenizers", func(r *jsonread.Reader) {
			if list == nil {
				list = []PreTokenizer{}
			}
			list = preTokenizers(r, list)
		})
		return list
	case "BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts":
	case "ByteLevel":
		p.AddPrefixSpace, p.UseRegex = o.flag("add_prefix_space"), o.flagOr("use_regex", true)
		o.flag("trim_offsets")
	case "CharDelimiterSplit":
		p.Delimiter = o.char("delimiter")
	case "Metaspace":
		p.Delimiter, p.Scheme, p.Split = metaspace(o)
	case "Split":
		p.Pattern, p.Behavior, p.Invert = o.pattern(), o.word("behavior", "", behaviors...), o.flag("invert")
	case "Punctuation":
		p.Behavior = o.word("behavior", "Isolated", behaviors...)
	case "Digits":
		p.Individual = o.flag("individual_digits")
	case "FixedLength":
		p.Length = 5
		if _, ok := o.raw["length"]; ok {
			p.Length = o.count("length")
		}
		if p.Length == 0 {
			o.r.Failf("length must not be 0")
		}
	default:
		o.unknown("pre_tokenizer", p.Type)
	}
	return append(list, p)
}

func metaspace(o fields) (replacement rune, scheme string, split bool) {
	replacement = o.char("replacement")
	scheme = o.word("prepend_scheme", "always", "first", "never", "always")
	if o.has("add_prefix_space") && !o.flag("add_prefix_space") && scheme != "never" {
		o.r.Failf("add_prefix_space does not match prepend_scheme %q", scheme)
	}
	split = !o.has("split") || o.flag("split")
	return replacement, scheme, split
}

func postProcessors(r *jsonread.Reader, list []PostProcessor) []PostProcessor {
	if list == nil && r.Null() {
		return nil
	}
	o := object(r)
	p := PostProcessor{Type: o.typ()}
	switch p.Type {
	case "Sequence":
		o.each("processors", func(r *jsonread.Reader) {
			if list == nil {
				list = []PostProcessor{}
			}
			list = postProcessors(r, list)
		})
		return list
	case "TemplateProcessing":
		known := templateTokens(o)
		o.read("single", func(r *jsonread.Reader) { p.Single = template(r, known, 1) })
		o.read("pair", func(r *jsonread.Reader) { p.Pair = template(r, known, 2) })
	case "BertProcessing":
		p.Cls, p.Sep = o.special("cls"), o.special("sep")
	case "RobertaProcessing":
		p.Cls, p.Sep = o.special("cls"), o.special("sep")
		p.TrimOffsets, p.AddPrefixSpace = o.flag("trim_offsets"), o.flag("add_prefix_space")
	case "ByteLevel":
		p.TrimOffsets, p.AddPrefixSpace = o.flag("trim_offsets"), o.flag("add_prefix_space")
		o.flagOr("use_regex", true)
	default:
		o.unknown("post_processor", p.Type)
	}
	return append(list, p)
}

// special reads ["token", id].
func (o fields) special(name string) (s Special) {
	o.read(name, func(r *jsonread.Reader) {
		n := 0
		r.Array(func(i int) {
			n++
			switch i {
			case 0:
				s.Token = r.String()
			case 1:
				s.ID = r.ID()
			default:
				r.Failf("expected a token and its ID")
			}
		})
		if n != 2 {
			r.Failf("expected a token and its ID")
		}
	})
	return s
}

func templateTokens(o fields) map[string][]Special {
	known := map[string][]Special{}
	o.read("special_tokens", func(r *jsonread.Reader) {
		r.Object(func(key string) {
			t := object(r)
			var list []Special
			t.str("id")
			t.each("ids", func(r *jsonread.Reader) { list = append(list, Special{ID: r.ID()}) })
			n := 0
			t.each("tokens", func(r *jsonread.Reader) {
				if s := r.String(); n < len(list) {
					list[n].Token = s
				}
				n++
			})
			if n != len(list) {
				r.Failf("ids and tokens differ in length")
			}
			known[key] = list
		})
	})
	return known
}

func template(r *jsonread.Reader, known map[string][]Special, sequences int) []Piece {
	var list []Piece
	r.Array(func(int) {
		n := 0
		r.Object(func(kind string) {
			n++
			o := object(r)
			p := Piece{TypeID: o.id("type_id"), Sequence: -1}
			id := o.str("id")
			switch {
			case kind == "Sequence" && id == "A":
				p.Sequence = 0
			case kind == "Sequence" && id == "B":
				if p.Sequence = 1; sequences < 2 {
					r.Failf("sequence B in the template of a single sequence")
				}
			case kind == "SpecialToken":
				tokens, ok := known[id]
				if !ok {
					r.Failf("special token %q is not in special_tokens", id)
				}
				p.Tokens = tokens
			default:
				r.Failf("unknown piece %q of a template", id)
			}
			list = append(list, p)
		})
		if n != 1 {
			r.Failf("expected one piece of a template")
		}
	})
	return list
}

func decoders(r *jsonread.Reader, list []Decoder) []Decoder {
	if list == nil && r.Null() {
		return nil
	}
	o := object(r)
	d := Decoder{Type: o.typ(), Path: r.Path()}
	switch d.Type {
	case "Sequence":
		o.each("decoders", func(r *jsonread.Reader) {
			if list == nil {
				list = []Decoder{}
			}
			list = decoders(r, list)
		})
		return list
	case "BPEDecoder":
		d.Suffix = o.str("suffix")
	case "ByteLevel":
		o.flag("add_prefix_space")
		o.flag("trim_offsets")
		o.flagOr("use_regex", true)
	case "WordPiece":
		d.Suffix, d.Cleanup = o.str("prefix"), o.flag("cleanup")
	case "Metaspace":
		d.Replacement, d.Scheme, _ = metaspace(o)
	case "CTC":
		d.PadToken, d.Delimiter, d.Cleanup = o.str("pad_token"), o.str("word_delimiter_token"), o.flag("cleanup")
	case "Replace":
		d.Pattern, d.Content = o.pattern(), o.str("content")
	case "Strip":
		d.Replacement, d.Start, d.Stop = o.char("content"), o.count("start"), o.count("stop")
	case "Fuse", "ByteFallback":
	default:
		o.unknown("decoder", d.Type)
	}
	return append(list, d)
}
