package page

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"textmill/daemon/page/chart"
	"textmill/work/trace"
)

// functions are those of templates, for numbers and times as people read them.
var functions = template.FuncMap{
	"count": count, "rate": rate, "percent": percent, "bytes": size, "took": took, "when": when, "seconds": seconds,
	"start": beginning, "plural": plural, "line": chart.Line, "bar": chart.Bar,
	"figure": figure, "listed": listed, "plain": plain, "why": trace.Why,
	"values": chart.Values[trace.Number], "whole": chart.Values[float32], "heat": chart.Heat[trace.Number],
	"shares": chart.Shares, "share": share100[trace.Number], "chance": share100[float64],
	"minus": func(a, b int) int { return a - b }, "chips": chipsOf,
	"integer": func(f float64) int64 { return int64(f) }, "int64": func(n int) int64 { return int64(n) },
	"len64":   func(l []Letter) uint64 { return uint64(len(l)) },
	"of":      func(part, all int64) float64 { return ratio(float64(part), float64(all)) },
	"sql":     func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" },
	"portion": known, "since": func(t time.Time) string { return took(time.Since(t).Truncate(time.Second)) },
}

// count groups a number's digits.
func count(n any) string {
	s := fmt.Sprint(n)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// plural is a number of something.
func plural(n any, one, several string) string {
	if s := count(n); s != "1" {
		return s + " " + several
	}
	return "1 " + one
}

// rate is a number of which three digits say enough.
func rate(perSecond float64) string {
	switch {
	case perSecond == 0:
		return "0"
	case perSecond < 10:
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	case perSecond < 10_000:
		return count(int64(perSecond + 0.5))
	case perSecond < 1e6:
		return digits(perSecond/1e3) + " k"
	case perSecond < 1e9:
		return digits(perSecond/1e6) + " M"
	}
	return digits(perSecond/1e9) + " G"
}

func digits(f float64) string {
	switch {
	case f < 10:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 100:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }

// known is a share that may not be.
func known(share float64) string {
	if math.IsNaN(share) {
		return "–"
	}
	return percent(share)
}

// size is a number of bytes.
func size(n int64) string {
	if n < 1<<10 {
		return plural(n, "byte", "bytes")
	}
	f := float64(n) / (1 << 10)
	for _, unit := range []string{"KiB", "MiB", "GiB"} {
		if f < 1<<10 {
			return digits(f) + " " + unit
		}
		f /= 1 << 10
	}
	return digits(f) + " TiB"
}

// took is a duration in one unit, or two next to each other.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// seconds is a number of them that may not be known.
func seconds(s *float64) string {
	if s == nil {
		return "–"
	}
	return took(time.Duration(*s * float64(time.Second)).Round(time.Second))
}

// when is how long ago something was, with the time itself for whoever points at it.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	at, ago := t.UTC().Format(time.RFC3339), time.Since(t)
	said := took(ago) + " ago"
	switch {
	case ago < time.Second:
		said = "now"
	case ago < 10*time.Second: // without what changes ten times a second
		said = fmt.Sprintf("%d s ago", int(ago.Seconds()))
	}
	return template.HTML(`<time datetime="` + at + `" title="` + at + `">` + said + `</time>`) //nolint:gosec // all of it is ours
}

// beginning is as much of a text as tells it apart.
func beginning(n int, s string) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimSpace(string(r[:n])) + "…"
}
