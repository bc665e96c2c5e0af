package model

import (
	"fmt"
	"math"
	"unicode/utf8"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/trie"
	"textmill/tokenize/internal/vocab"
)

// Unigram takes the pieces whose scores add up to the most.
type Unigram struct {
	vocab    *vocab.Vocab
	trie     *trie.Trie
	scores   []float64
	unk      int32
	hasUnk   bool
	unkScore float64
	fallback bool
	bytes    [256]int32 // tokens of single bytes, -1 where there is none
}

// bestNode is the best way to get to an end.
type bestNode struct {
	score float64
	start int32 // -1: not reached yet
	id    int32
}

// unkPenalty is how much worse than the worst piece an unknown character is.
const unkPenalty = 10

func newUnigram(m *spec.Model) *Unigram {
	u := &Unigram{vocab: m.Vocab, scores: m.Scores, unk: m.UnkID, hasUnk: m.HasUnk, fallback: m.Fallback}
	lowest := math.Inf(1)
	keys := make([]trie.Key, 0, m.Vocab.Len())
	for _, score := range m.Scores {
		lowest = min(lowest, score)
	}
	for token, id := range m.Vocab.All {
		keys = append(keys, trie.Key{Key: token, Value: id})
	}
	u.unkScore = lowest - unkPenalty
	u.trie = trie.New(keys)
	u.bytes = byteTokens(m.Vocab)
	return u
}

// byteTokens are the IDs of <0x00> to <0xFF>.
func byteTokens(v *vocab.Vocab) (ids [256]int32) {
	for b := range ids {
		id, ok := v.IDOf(fmt.Sprintf("<0x%02X>", b))
		if !ok {
			id = -1
		}
		ids[b] = id
	}
	return ids
}

// Unknown reports the ID that unknown text gets.
func (u *Unigram) Unknown() (int32, bool) { return u.unk, u.hasUnk }

// Append implements Model.
func (u *Unigram) Append(dst []Token, word string, s *Scratch) ([]Token, error) {
	if err := u.viterbi(word, s); err != nil {
		return dst, err
	}
	from := len(dst)
	for end := int32(len(word)); end > 0; { // backwards; unknown pieces side by side are one
		n := s.best[end]
		start := n.start
		if u.hasUnk && n.id == u.unk {
			for start > 0 && s.best[start].id == u.unk {
				start = s.best[start].start
			}
			id, known := u.vocab.IDOf(word[start:end])
			if !known {
				dst = u.appendUnknown(dst, word, start, end)
				end = start
				continue
			}
			n.id = id
		}
		dst = append(dst, Token{n.id, start, end})
		end = start
	}
	for i, j := from, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst, nil
}

// appendUnknown adds, last byte first, the bytes' own tokens, or else the unknown token.
func (u *Unigram) appendUnknown(dst []Token, word string, start, end int32) []Token {
	if u.fallback {
		all := true
		for i := start; i < end && all; i++ {
			all = u.bytes[word[i]] >= 0
		}
		if all {
			for i := end - 1; i >= start; i-- {
				dst = append(dst, Token{u.bytes[word[i]], start, end})
			}
			return dst
		}
	}
	return append(dst, Token{u.unk, start, end})
}

// viterbi fills s.best[i] with the best piece that ends at i.
func (u *Unigram) viterbi(word string, s *Scratch) error {
	n := len(word)
	if cap(s.best) < n+1 {
		s.best = make([]bestNode, n+1+n/2)
	}
	best := s.best[:n+1]
	s.best = best
	for i := range best {
		best[i] = bestNode{start: -1}
	}
	units := u.trie.Units
	for start := 0; start < n; {
		here := best[start].score
		size := 1
		if word[start] >= utf8.RuneSelf {
			_, size = utf8.DecodeRuneInString(word[start:])
		}
		single := false
		node := uint32(0)
		for i := start; i < n; i++ {
			next := units[node].Base ^ uint32(word[i])
			if int(next) >= len(units) || units[next].Parent != node+1 {
				break
			}
			node = next
			id := units[node].Value
			if id < 0 {
				continue
			}
			b := &best[i+1]
			if score := u.scores[id] + here; b.start < 0 || score > b.score {
				*b = bestNode{score, int32(start), id}
			}
			if i+1-start == size {
				single = true
			}
		}
		if b := &best[min(start+size, n)]; !single && (b.start < 0 || u.unkScore+here > b.score) {
			if !u.hasUnk {
				return fmt.Errorf("%w: %q, and the model has no unk_id", ErrUnknown, word[start:start+size])
			}
			*b = bestNode{u.unkScore + here, int32(start), u.unk}
		}
		start += size
	}
	return nil
}
