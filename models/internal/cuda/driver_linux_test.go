package cuda_test

import (
	"errors"
	"strings"
	"testing"

	"textmill/models/internal/cuda"
	"textmill/models/internal/cuda/fake"
)

func TestCardsAsTheDriverTells(t *testing.T) {
	d, err := fake.System(t, &fake.Driver{Cards: 2}, true).Find()
	if err != nil {
		t.Fatal(err)
	}
	if d.String() != "580.82.07, CUDA 13.0" || len(d.Cards) != 2 {
		t.Fatalf("%v, %d cards", d, len(d.Cards))
	}
	for n, want := range map[int]string{
		0: "Fake Card 0, compute capability 9.0, 80.0 GiB, 40.0 GiB free",
		1: "Fake Card 1, compute capability 9.0, 80.0 GiB", // of which NVML does not know
	} {
		if c, err := d.Card(n); err != nil || c.String() != want || c.Index != n {
			t.Errorf("cuda:%d: %v, %v", n, c, err)
		}
	}
	_, err = d.Card(7)
	mended(t, "a card that is not there", err, "no card 7", "cuda:0 (Fake Card 0), cuda:1 (Fake Card 1)")
}

// mended checks that an error says what is missing, and what mends it.
func mended(t *testing.T, what string, err error, said, mend string) {
	t.Helper()
	var m *cuda.Missing
	if !errors.As(err, &m) || !strings.Contains(m.What, said) || !strings.Contains(m.Mend, mend) {
		t.Errorf("%s: %v; want %q and %q", what, err, said, mend)
	}
}

func TestWhatIsMissingIsNamedWithWhatMendsIt(t *testing.T) {
	for _, c := range []struct {
		name       string
		driver     *fake.Driver
		plugged    bool
		said, mend string // "" for a machine without a card
	}{
		{"nothing", nil, false, "", ""},
		{"a card without a driver", nil, true, "its driver is not", "driver, 580 or later"},
		{"a driver without a card", &fake.Driver{Init: cuda.NoDevice}, false, "", ""},
		{"a driver that shows none", &fake.Driver{}, false, "", ""},
		{"a card that its driver does not find", &fake.Driver{Init: cuda.NoDevice}, true, "error 100 as asked", "nvidia-smi"},
		{"an old driver", &fake.Driver{Version: "535.1", CUDA: 12020, Cards: 1}, true, "(535.1, CUDA 12.2) is too old", "driver 580"},
		{"a driver that was replaced", &fake.Driver{Init: 803, Cards: 1}, true, "error 803", "restart the machine"},
		{"a driver with an error nobody foresaw", &fake.Driver{Init: 77, Cards: 1}, true, "error 77", "nvidia-smi"},
	} {
		_, err := fake.System(t, c.driver, c.plugged).Find()
		if c.said == "" {
			if !errors.Is(err, cuda.ErrNoCard) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		mended(t, c.name, err, c.said, c.mend)
	}
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
	_, err := fake.System(t, &fake.Driver{Init: cuda.NoDevice}, true).Find()
	mended(t, "cards that are hidden", err, `CUDA_VISIBLE_DEVICES="" hides`, "unset")
}

// Machine code of a card's own major number runs on it, of a minor one no higher than its own.
func TestCardsWithoutMachineCodeAreNamed(t *testing.T) {
	for _, c := range []struct {
		major, minor int
		runs         bool
	}{{7, 0, false}, {7, 5, true}, {8, 7, true}, {9, 0, true}, {10, 0, false}, {12, 1, true}} {
		d, err := fake.System(t, &fake.Driver{Cards: 1, Major: c.major, Minor: c.minor}, true).Find()
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Card(0)
		if c.runs && err != nil {
			t.Errorf("%d.%d: %v", c.major, c.minor, err)
		} else if !c.runs {
			mended(t, "too old or too new a card", err, "no machine code", "choose another card")
		}
	}
}
