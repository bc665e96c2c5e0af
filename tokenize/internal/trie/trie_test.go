package trie

import (
	"math/rand/v2"
	"testing"
)

func TestEveryKeyAndNoOther(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	want := map[string]int32{"": 7}
	for i := range int32(20_000) {
		key := make([]byte, 1+rng.IntN(6))
		for j := range key {
			key[j] = byte(rng.IntN(1 + rng.IntN(256)))
		}
		want[string(key)] = i
	}
	var keys []Key
	for key, value := range want {
		keys = append(keys, Key{[]byte(key), value})
	}
	tr := New(keys)
	look := func(key []byte) int32 {
		node := 0
		for _, c := range key {
			if node = tr.Step(node, c); node < 0 {
				return -1
			}
		}
		return tr.Units[node].Value
	}
	for key, value := range want {
		if got := look([]byte(key)); got != value {
			t.Fatalf("key %q has value %d, want %d", key, got, value)
		}
	}
	for range 100_000 {
		key := make([]byte, rng.IntN(5))
		for j := range key {
			key[j] = byte(rng.IntN(256))
		}
		if value, ok := want[string(key)]; !ok && look(key) >= 0 {
			t.Fatalf("key %q was never put in, value %d", key, value)
		}
	}
}
