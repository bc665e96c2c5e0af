package rotary

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestSincosIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		x := math.Exp(r.Float64()*30 - 15)
		s, c := sincos(x)
		wantS, wantC := math.Sincos(x)
		if math.Abs(s-wantS) > 4e-16 || math.Abs(c-wantC) > 4e-16 {
			t.Fatalf("at %v: %v and %v, want %v and %v", x, s, c, wantS, wantC)
		}
	}
}

func TestPowersAreExact(t *testing.T) {
	for _, base := range []float64{10000, 500000, 1e6, 160000, 1.5} {
		power := powers(base)
		for i := range 96 {
			e := float32(i) / 96
			if got, want := power(e), math.Pow(base, float64(e)); math.Abs(got/want-1) > 1e-15 {
				t.Errorf("%v to %v is %v, want %v", base, e, got, want)
			}
		}
	}
}

// The hash is the one on linux/amd64; the test is for all other machines.
func TestTablesAreTheSameEverywhere(t *testing.T) {
	table, h := Table{Frequencies(10000, 96), 8192, 1.25}, sha256.New()
	if err := errors.Join(table.Cosines(t.Context())(h), table.Sines(t.Context())(h)); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != tableHash {
		t.Errorf("the tables hash to %s, want %s", got, tableHash)
	}
}

const tableHash = "0359b0046e3420ab0473a6c05b5fe2659944550f98b841efe9c1bc96d6672773"
