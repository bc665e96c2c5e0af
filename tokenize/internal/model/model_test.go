package model

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/vocab"
)

// learn makes a BPE over "ab" and a space with the given merges.
func learn(t *testing.T, merges ...string) *BPE {
	t.Helper()
	m := &spec.Model{Type: "BPE", Vocab: vocab.New(16, 64)}
	for i, token := range []string{"a", "b", " "} {
		m.Vocab.Add([]byte(token), int32(i))
	}
	for _, merge := range merges {
		left, right, _ := strings.Cut(merge, "+")
		a, okA := m.Vocab.IDOf(left)
		b, okB := m.Vocab.IDOf(right)
		if !okA || !okB {
			t.Fatalf("merge %q of unknown tokens", merge)
		}
		into, ok := m.Vocab.IDOf(left + right)
		if !ok {
			into = int32(m.Vocab.Len())
			m.Vocab.Add([]byte(left+right), into)
		}
		m.Merges = append(m.Merges, spec.Merge{Left: a, Right: b, Into: into})
	}
	m.Vocab.Index()
	return newBPE(m)
}

func TestHeapMergesAsScanningDoes(t *testing.T) {
	b := learn(t, "a+a", "a+b", "b+b", "aa+a", "ab+ab", "b+a", "aa+aa", "aa+b", "aab+b", "abab+a", " +a")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var word strings.Builder
		for range 1 + rng.IntN(linearLimit) {
			word.WriteByte("aaab b"[rng.IntN(6)])
		}
		var scan, heap Scratch
		for _, s := range []*Scratch{&scan, &heap} {
			if err := b.start(word.String(), s); err != nil {
				t.Fatal(err)
			}
		}
		scan.sym.mergeLinear(&b.pairs)
		heap.sym.mergeHeap(&b.pairs)
		if !slices.Equal(scan.sym.ids, heap.sym.ids) || !slices.Equal(scan.sym.lens, heap.sym.lens) {
			t.Fatalf("%q: scanning gave %v, the heap %v", word.String(), scan.sym.ids, heap.sym.ids)
		}
	}
}

func TestTheCacheStaysBoundedAndRight(t *testing.T) {
	b := learn(t, "a+b", "ab+ab")
	words := NewWords(b)
	var cached, fresh Scratch
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		word := strings.Repeat("ab ", rng.IntN(30)) + strings.Repeat("b", 1+rng.IntN(40)) + strings.Repeat("a", rng.IntN(40))
		got, err := words.Word(word, &cached)
		if err != nil {
			t.Fatal(err)
		}
		want, err := b.Append(nil, word, &fresh)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: %v from the cache, %v afresh, error %v", word, got, want, err)
		}
	}
	if c := &cached.cache; len(c.slots) != cacheSlots || len(c.keys) > cacheKeys || len(c.tokens) > cacheTokens {
		t.Errorf("the cache holds %d slots, %d bytes, %d tokens", len(c.slots), len(c.keys), len(c.tokens))
	}
}
