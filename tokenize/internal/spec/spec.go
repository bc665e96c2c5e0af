// Package spec is tokenizer.json as Go values, read strictly.
package spec

import (
	"textmill/tokenize/internal/jsonread"
	"textmill/tokenize/internal/vocab"
)

// File is a tokenizer.json. Sequences are flattened, which changes nothing in what they do.
type File struct {
	Truncation     *Truncation
	Padding        *Padding
	Added          []AddedToken
	Normalizers    []Normalizer
	PreTokenizers  []PreTokenizer
	PostProcessors []PostProcessor
	Decoders       []Decoder
	HasDecoder     bool // false: tokens are joined by spaces
	Model          Model
}

// AddedToken is a token that is found in the text before the model sees it.
type AddedToken struct {
	ID                         int32
	Content                    string
	SingleWord, LStrip, RStrip bool
	Normalized, Special        bool
}

// Truncation is how a text is cut to MaxLength tokens.
type Truncation struct {
	MaxLength, Stride int
	Strategy          string // LongestFirst, OnlyFirst, OnlySecond
	Left              bool
}

// Padding is how a text is filled up. Fixed < 0 means the longest of the batch.
type Padding struct {
	Fixed, MultipleOf int
	Left              bool
	ID, TypeID        int32
	Token             string
}

// Model is the vocabulary and what turns a word into its tokens.
type Model struct {
	Type   string // BPE, WordPiece, WordLevel, Unigram
	Vocab  *vocab.Vocab
	Scores []float64 // Unigram: by ID
	Pieces [][]byte  // Unigram: by ID, as two IDs may have one token

	Merges []Merge

	UnkToken   string
	HasUnk     bool
	UnkID      int32 // Unigram, when HasUnk
	Prefix     string
	Suffix     string
	MaxChars   int // WordPiece
	FuseUnk    bool
	Fallback   bool
	WholeWords bool // ignore_merges
}

// Merge is a pair of tokens that become one; its rank is its place in the list.
type Merge struct{ Left, Right, Into int32 }

// Pattern is the text or the regular expression of a Split or a Replace.
type Pattern struct {
	Text  string
	Regex bool
}

// Normalizer is one step that changes the text. Fields beyond Type are those of the type.
type Normalizer struct {
	Type                      string
	CleanText, CJK, Lowercase bool // BertNormalizer
	StripAccents              bool
	Left, Right               bool    // Strip
	Pattern                   Pattern // Replace
	Content                   string  // Replace, Prepend
	Charsmap                  []byte  // Precompiled
	Path                      string
}

// PreTokenizer is one step that cuts the text into words.
type PreTokenizer struct {
	Type           string
	AddPrefixSpace bool // ByteLevel
	UseRegex       bool
	Delimiter      rune // CharDelimiterSplit; the replacement of Metaspace
	Scheme         string
	Split          bool // Metaspace
	Pattern        Pattern
	Behavior       string
	Invert         bool
	Individual     bool // Digits
	Length         int  // FixedLength
	Path           string
}

// PostProcessor is one step that puts special tokens around the text's own.
type PostProcessor struct {
	Type           string
	Single, Pair   []Piece // TemplateProcessing
	Cls, Sep       Special
	TrimOffsets    bool
	AddPrefixSpace bool
}

// Piece is a sequence or the special tokens of a template.
type Piece struct {
	Sequence int // 0 or 1; -1: Tokens
	TypeID   int32
	Tokens   []Special
}

// Special is a token with its ID.
type Special struct {
	Token string
	ID    int32
}

// Decoder is one step from tokens back to text.
type Decoder struct {
	Type        string
	Suffix      string // BPEDecoder; the prefix of WordPiece
	Cleanup     bool
	Replacement rune // Metaspace; the character of Strip
	Scheme      string
	PadToken    string // CTC
	Delimiter   string
	Pattern     Pattern
	Content     string
	Start, Stop int // Strip
	Path        string
}

// Parse reads a tokenizer.json. Errors are *jsonread.Error.
func Parse(data []byte) (*File, error) {
	r := jsonread.New(data)
	f := &File{}
	hasModel := false
	r.Object(func(key string) {
		switch key {
		case "version":
			if v := r.String(); v != "1.0" {
				r.Failf("version %q is not supported; 1.0 is", v)
			}
		case "truncation":
			f.Truncation = truncation(r)
		case "padding":
			f.Padding = padding(r)
		case "added_tokens":
			f.Added = addedTokens(r)
		case "normalizer":
			f.Normalizers = normalizers(r, nil)
		case "pre_tokenizer":
			f.PreTokenizers = preTokenizers(r, nil)
		case "post_processor":
			f.PostProcessors = postProcessors(r, nil)
		case "decoder":
			f.HasDecoder = r.Kind() != 'n'
			f.Decoders = decoders(r, nil)
		case "model":
			hasModel = true
			f.Model = model(r)
		default:
			r.Failf("no part of a tokenizer.json has this name")
		}
	})
	if err := r.End(); err != nil {
		return nil, err
	}
	if !hasModel {
		r.Failf("model is missing")
	}
	return f, r.Err()
}

func addedTokens(r *jsonread.Reader) []AddedToken {
	var list []AddedToken
	r.Array(func(int) {
		o := object(r)
		list = append(list, AddedToken{
			ID: o.id("id"), Content: o.str("content"), SingleWord: o.flag("single_word"),
			LStrip: o.flag("lstrip"), RStrip: o.flag("rstrip"),
			Normalized: o.flag("normalized"), Special: o.flag("special"),
		})
	})
	return list
}

func truncation(r *jsonread.Reader) *Truncation {
	if r.Null() {
		return nil
	}
	o := object(r)
	t := &Truncation{MaxLength: o.count("max_length"), Stride: o.count("stride"),
		Strategy: o.word("strategy", "", "LongestFirst", "OnlyFirst", "OnlySecond")}
	t.Left = o.word("direction", "Right", "Left", "Right") == "Left"
	return t
}

func padding(r *jsonread.Reader) *Padding {
	if r.Null() {
		return nil
	}
	o := object(r)
	p := &Padding{Fixed: -1, ID: o.id("pad_id"), TypeID: o.id("pad_type_id"), Token: o.str("pad_token")}
	p.Left = o.word("direction", "", "Left", "Right") == "Left"
	if o.has("pad_to_multiple_of") {
		p.MultipleOf = o.count("pad_to_multiple_of")
	}
	o.read("strategy", func(r *jsonread.Reader) {
		if r.Kind() == '"' {
			if s := r.String(); s != "BatchLongest" {
				r.Failf("unknown padding strategy %q", s)
			}
			return
		}
		s := object(r)
		p.Fixed = s.count("Fixed")
	})
	return p
}
