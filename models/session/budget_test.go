package session

import (
	"errors"
	"strings"
	"testing"

	"textmill/models/internal/cuda"
)

const gib = 1 << 30

func card(memory, free int64) *budget {
	budgets.cards = nil
	return bookOf("cuda:0", cuda.Card{Memory: memory + overhead, Free: free})
}

func TestTwoModelsShareACardAsPromised(t *testing.T) {
	b := card(80*gib, -1)
	first, err := b.claim("cuda:0", "big", 0, Demand{Weights: 40 * gib, Least: gib, Wanted: 20 * gib})
	if err != nil || first.Bytes != 60*gib {
		t.Fatalf("first: %+v, %v", first, err)
	}
	// What it wants is not there, but what the smallest work needs is.
	second, err := b.claim("cuda:0", "small", 0, Demand{Weights: 10 * gib, Least: gib, Wanted: 30 * gib})
	if err != nil || second.Bytes != 20*gib {
		t.Fatalf("second: %+v, %v", second, err)
	}
	_, err = b.claim("cuda:0", "late", 0, Demand{Weights: 12 * gib, Least: gib / 2})
	want := "model late needs 12.5 GiB, cuda:0 has 80.0 GiB, of which are promised 60.0 GiB to model big, 20.0 GiB to model small"
	if !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), want) {
		t.Errorf("a third: %v", err)
	}
	first.Release()
	first.Release()
	if late, err := b.claim("cuda:0", "late", 0, Demand{Weights: 12 * gib, Least: gib / 2}); err != nil || late.Bytes != 12*gib+gib/2 {
		t.Errorf("after one went: %+v, %v", late, err)
	}
}

func TestABudgetThatIsSetIsKept(t *testing.T) {
	b := card(24*gib, -1)
	d := Demand{Weights: 2 * gib, Least: gib, Wanted: 10 * gib}
	if s, err := b.claim("cuda:0", "m", 4*gib, d); err != nil || s.Bytes != 4*gib {
		t.Errorf("%+v, %v", s, err)
	}
	_, err := b.claim("cuda:0", "n", 2*gib, d)
	if want := "models.n.device_memory is 2048 MiB, and it needs 3072 MiB on cuda:0: 2048 MiB of weights, 1024 MiB for"; !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), want) {
		t.Errorf("too small a budget: %v", err)
	}
	if _, err := b.claim("cuda:0", "n", 21*gib, d); !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), "needs 21.0 GiB") {
		t.Errorf("too large a budget: %v", err)
	}
	if s, err := b.claim("cuda:0", "m", 4*gib, d); err != nil || s.Bytes != 4*gib {
		t.Errorf("the same model once more: %+v, %v", s, err) // as a second graph, or opened again
	}
}

// What other processes hold of a card is nobody's to promise.
func TestACardHasWhatIsFree(t *testing.T) {
	b := card(80*gib, 10*gib)
	if _, err := b.claim("cuda:0", "m", 0, Demand{Weights: 10 * gib}); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("%v", err)
	}
	if s, err := b.claim("cuda:0", "m", 0, Demand{Weights: 9 * gib}); err != nil || s.Bytes != 9*gib {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTheProcessorPromisesNothing(t *testing.T) {
	s, err := Options{Device: "cpu", DeviceMemory: 1}.Claim("m", Demand{Weights: gib})
	if err != nil || s.Bytes != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	s.Release()
}
