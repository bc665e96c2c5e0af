package spec

import (
	"bytes"

	"textmill/tokenize/internal/jsonread"
	"textmill/tokenize/internal/vocab"
)

// rawModel is a model before its type is known: older files leave the type out.
type rawModel struct {
	Model
	typ            string
	merges         []byte
	mergesRead     bool
	hasVocab, list bool
	seen           map[string]bool
	dropout        float64
}

func model(r *jsonread.Reader) Model {
	m := &rawModel{seen: map[string]bool{}}
	r.Object(func(key string) {
		m.seen[key] = true
		switch key {
		case "type":
			m.typ = r.String()
		case "vocab":
			m.vocab(r)
		case "merges":
			if m.mergesRead = m.hasVocab && m.seen["continuing_subword_prefix"]; m.mergesRead {
				m.readMerges(r)
			} else {
				m.merges = r.Raw()
			}
		case "unk_token":
			m.HasUnk = !r.Null()
			if m.HasUnk {
				m.UnkToken = r.String()
			}
		case "unk_id":
			if m.HasUnk = !r.Null(); m.HasUnk {
				m.UnkID = r.ID()
			}
		case "continuing_subword_prefix":
			m.Prefix = optional(r, r.String)
		case "end_of_word_suffix":
			m.Suffix = optional(r, r.String)
		case "max_input_chars_per_word":
			m.MaxChars = int(r.Uint(maxCount))
		case "fuse_unk":
			m.FuseUnk = optional(r, r.Bool)
		case "byte_fallback":
			m.Fallback = optional(r, r.Bool)
		case "ignore_merges":
			m.WholeWords = optional(r, r.Bool)
		case "dropout":
			if m.dropout = optional(r, r.Float); m.dropout != 0 {
				r.Failf("dropout %v is not supported: it makes tokens random", m.dropout)
			}
		default:
			r.Skip()
		}
	})
	m.finish(r)
	return m.Model
}

func optional[T any](r *jsonread.Reader, read func() T) (v T) {
	if r.Null() {
		return v
	}
	return read()
}

// vocab reads {"token": id, …}, or Unigram's [["token", score], …].
func (m *rawModel) vocab(r *jsonread.Reader) {
	m.Vocab = vocab.New(1<<15, 1<<18)
	m.hasVocab = true
	m.Scores, m.Pieces = nil, nil
	if m.list = r.Kind() == '['; !m.list {
		r.Members(func(key []byte) { m.Vocab.Add(key, r.ID()) })
		return
	}
	m.Scores = []float64{}
	r.Array(func(id int) {
		n := 0
		r.Array(func(i int) {
			n++
			switch i {
			case 0:
				piece := bytes.Clone(r.Bytes())
				m.Pieces = append(m.Pieces, piece)
				m.Vocab.Add(piece, int32(id))
			case 1:
				m.Scores = append(m.Scores, r.Float())
			}
		})
		if n != 2 {
			r.Failf("expected a token and its score")
		}
	})
}

func (m *rawModel) finish(r *jsonread.Reader) {
	if r.Err() != nil {
		return
	}
	if !m.hasVocab {
		r.Failf("vocab is missing")
		return
	}
	if m.Type = m.typ; m.Type == "" {
		m.Type = m.guess()
	}
	need := func(names ...string) {
		for _, name := range names {
			if !m.seen[name] {
				r.Failf("%s is missing", name)
			}
		}
	}
	switch m.Type {
	case "BPE":
		need("merges")
		if m.merges != nil && r.Err() == nil {
			r.Sub("merges", m.merges, m.readMerges)
		}
	case "WordPiece":
		need("unk_token", "continuing_subword_prefix", "max_input_chars_per_word")
	case "WordLevel":
		need("unk_token")
	case "Unigram":
	default:
		r.Failf("model %q is not supported", m.Type)
	}
	if m.list != (m.Type == "Unigram") {
		r.Failf("vocab has the wrong form for model %s", m.Type)
	}
	if m.Type == "Unigram" && m.HasUnk && int(m.UnkID) >= len(m.Scores) {
		r.Failf("unk_id %d is not in the vocab of %d", m.UnkID, len(m.Scores))
	}
	m.Vocab.Index()
}

// guess names the type of a model that has no type, in the order Hugging Face tries them.
func (m *rawModel) guess() string {
	switch {
	case m.list:
		return "Unigram"
	case m.seen["merges"]:
		return "BPE"
	case m.seen["max_input_chars_per_word"]:
		return "WordPiece"
	}
	return "WordLevel"
}

// readMerges resolves ["a b", …] or [["a","b"], …] against the vocabulary.
func (m *rawModel) readMerges(r *jsonread.Reader) {
	var left, word, store []byte
	r.Array(func(int) {
		var right []byte
		if r.Kind() == '"' {
			line := r.Bytes()
			if bytes.HasPrefix(line, []byte("#version")) {
				return
			}
			a, b, ok := bytes.Cut(line, []byte(" "))
			if !ok || bytes.IndexByte(b, ' ') >= 0 {
				r.Failf("merge %q is not two tokens", line)
				return
			}
			left, right = a, b
		} else {
			n := 0
			r.Array(func(i int) {
				n++
				switch i {
				case 0:
					left = append(store[:0], r.Bytes()...)
					store = left
				case 1:
					right = r.Bytes()
				}
			})
			if n != 2 {
				r.Failf("expected two tokens")
			}
		}
		if r.Err() == nil {
			word = m.merge(r, left, right, word[:0])
		}
	})
}

func (m *rawModel) merge(r *jsonread.Reader, left, right, word []byte) []byte {
	a, ok := m.Vocab.ID(left)
	if !ok {
		r.Failf("merge token %q is not in the vocab", left)
		return word
	}
	b, ok := m.Vocab.ID(right)
	if !ok {
		r.Failf("merge token %q is not in the vocab", right)
		return word
	}
	if len(right) < len(m.Prefix) {
		r.Failf("merge token %q is shorter than the prefix %q", right, m.Prefix)
		return word
	}
	word = append(append(word, left...), right[len(m.Prefix):]...)
	into, ok := m.Vocab.ID(word)
	if !ok {
		r.Failf("merged token %q is not in the vocab", word)
	}
	m.Merges = append(m.Merges, Merge{a, b, into})
	return word
}
