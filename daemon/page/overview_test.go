package page

import (
	"math"
	"testing"
	"time"

	"textmill/daemon/lately"
)

// TestOverviewAddsUp holds figures to sums that were made up: 100 rows and 1,000 tokens a second, a fifth of padding.
func TestOverviewAddsUp(t *testing.T) {
	w := &world{}
	begun := time.Now()
	for n := range 20 {
		f := float64(n)
		w.now.Samples = append(w.now.Samples, lately.Sample{At: begun.Add(time.Duration(n) * lately.Every), Sums: lately.Sums{
			Rows: 500 * f, Texts: 50 * f, Processor: 7.5 * f, Tokens: 5000 * f, Padded: 6250 * f, InFlight: 2, Letters: 1,
			Models: map[string]lately.Model{"m": {Tokens: 5000 * f, Padded: 6250 * f, Busy: 5 * f, Waiting: 7, Oldest: 90}},
			Stages: []lately.Stage{{Name: "wait", Count: 10 * f, Seconds: 30 * f}, {Name: "run", Count: 10 * f, Seconds: 10 * f}, {Name: "commit"}}}})
	}
	b := open(t, Options{Work: w, Jobs: w, Letters: w, Models: []Model{{Name: "m", Workers: 2}}})
	v, err := b.site.overview(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := v.Data.(overview)
	if o.Rows.Now != 100 || o.Texts.Now != 10 || o.Processor != 1.5 || o.Age.Past[19] != 90 || o.Age.Most != 90 || o.Rows.Most != 100 || len(o.Rows.Past) != 19 || o.Tokens.Now != 1000 || math.Abs(o.Padding.Now-0.2) > 1e-9 ||
		o.Waiting.Now != 7 || o.Oldest != 90*time.Second || o.InFlight != 2 || o.Letters != 1 {
		t.Errorf("%+v", o)
	}
	if m := o.Models[0]; m.Tokens != 1000 || math.Abs(m.Padding-0.2) > 1e-9 || m.Busy != 0.5 || m.Waiting != 7 || m.Oldest != 90*time.Second {
		t.Errorf("%+v", m)
	}
	if s := o.Stages; len(s) != 3 || s[0].Mean != 3*time.Second || s[0].Share != 1 || s[0].Times != 130 || s[1].Mean != time.Second || s[2].Known || o.StagesOf != "1 min 05 s" {
		t.Errorf("%+v of %s", s, o.StagesOf)
	}
	w.now.Samples = w.now.Samples[:1]
	if v, err = b.site.overview(nil); err != nil || v.Data.(overview).Rows.Now != 0 || !math.IsNaN(v.Data.(overview).Padding.Now) {
		t.Errorf("after one sample: %+v, %v", v.Data, err)
	}
	w.now.Samples = nil
	if got := b.get("/"); got.status != 200 {
		t.Errorf("before the first sample: %d", got.status)
	}
}

func TestNumbersAsPeopleReadThem(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1,000", count(-1234567): "-1,234,567", rate(0): "0", rate(1.25): "1.2", rate(9_999.6): "10,000",
		rate(12_345): "12.3 k", rate(1_234_567): "1.23 M", size(1): "1 byte", size(1023): "1,023 bytes", size(1536): "1.50 KiB", size(24 << 30): "24.0 GiB",
		took(1500 * time.Microsecond): "1 ms", took(90 * time.Second): "1 min 30 s", took(49 * time.Hour): "2 days", seconds(nil): "–",
		beginning(3, "äöüß"): "äöü…", percent(0.1234): "12.3 %", known(math.NaN()): "–", plural(1, "row", "rows"): "1 row", plural(1234, "row", "rows"): "1,234 rows",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
