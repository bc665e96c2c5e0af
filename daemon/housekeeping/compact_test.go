package housekeeping

import (
	"testing"
	"time"
)

func TestTheWindowOfADay(t *testing.T) {
	k := New(Options{CompactFrom: 23 * time.Hour, CompactFor: 4 * time.Hour}) // to 3 in the morning
	day := func(clock string) time.Time {
		at, err := time.Parse("2006-01-02 15:04", "2026-11-28 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for clock, want := range map[string]time.Duration{
		"00:00": 0, "02:59": 0, "03:00": 20 * time.Hour, "12:30": 10*time.Hour + 30*time.Minute, "22:59": time.Minute, "23:00": 0,
	} {
		wait, end := k.until(day(clock))
		if left := end.Sub(day(clock)); wait != want || left <= wait || left-wait > 4*time.Hour {
			t.Errorf("at %s: it begins in %s and ends in %s", clock, wait, left)
		}
	}
}
