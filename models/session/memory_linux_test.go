package session

import (
	"errors"
	"testing"

	"textmill/models/internal/cuda"
	"textmill/models/internal/cuda/fake"
)

// A card's memory is the driver's word, and what of it is promised here.
func TestMemoryOfCards(t *testing.T) {
	on(t, &fake.Driver{Cards: 2})
	budgets.cards = nil
	t.Cleanup(func() { budgets.cards = nil })
	if all, err := MemoryOf([]string{"cpu"}); err != nil || len(all) != 0 {
		t.Errorf("the processor alone: %+v, %v", all, err)
	}
	share, err := bookOf("cuda:0", cuda.Card{Memory: fake.Memory, Free: -1}).claim("cuda:0", "m", 0, Demand{Weights: 3 * gib})
	if err != nil {
		t.Fatal(err)
	}
	all, err := MemoryOf([]string{"cpu", "cuda:0", "cuda:1"})
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	// The second card is one of which NVML does not know.
	if all[0] != (CardMemory{"cuda:0", "Fake Card 0", fake.Memory, fake.Memory / 2, share.Bytes}) ||
		all[1] != (CardMemory{"cuda:1", "Fake Card 1", fake.Memory, -1, 0}) {
		t.Errorf("%+v", all)
	}
	if _, err := MemoryOf([]string{"cuda:2"}); !errors.Is(err, ErrDevice) {
		t.Errorf("a card that is gone: %v", err)
	}
}
