package export

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// What is remembered of the rows before changes nothing of a row's values, and rows of unlike values are apart.
func TestPartitionsOfRowsInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	by := Partitioning{byDate, "task", byAttribute + "lang"}
	told := newTeller(by)
	keys := map[string]string{}
	for range 5000 {
		r := Row{Task: []string{"", "a", "ab"}[rng.IntN(3)], Attributes: map[string]string{"lang": []string{"", "b", "bb", hiveNull, "\x00"}[rng.IntN(5)]},
			CreatedAt: time.Unix(rng.Int64N(6)*86400/2-2*86400-rng.Int64N(2), 0)}
		want := ""
		if !r.CreatedAt.IsZero() {
			want = r.CreatedAt.UTC().Format(time.DateOnly)
		}
		if got := told.value(0, &r); got != want {
			t.Fatalf("%v is on %s, want %s", r.CreatedAt.UTC(), got, want)
		}
		values := fmt.Sprintf("%q %q %q", want, told.value(1, &r), told.value(2, &r))
		key := string(told.appendKey(nil, &r))
		if other, is := keys[key]; is && other != values {
			t.Fatalf("%s and %s have one key", values, other)
		}
		keys[key] = values
	}
	if len(keys) != 4*3*4 {
		t.Errorf("%d partitions, want those of 4 days, 3 tasks and 4 languages", len(keys))
	}
}

// BenchmarkApart parts a call's rows by a day and an attribute.
func BenchmarkApart(b *testing.B) {
	by := Partitioning{byDate, byAttribute + "lang"}
	rows := make([]Row, 256)
	for i := range rows {
		rows[i] = Row{CreatedAt: time.Unix(1_700_000_000, 0), Attributes: map[string]string{"lang": fmt.Sprint("l", i%8)}}
	}
	b.ReportAllocs()
	for b.Loop() {
		if all, err := by.apart(rows); err != nil || len(all) != 8 {
			b.Fatal(len(all), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/row")
}
