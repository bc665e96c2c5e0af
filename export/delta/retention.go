package delta

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// RetentionKey is the property of a table that says how long files are kept that it no longer names.
const RetentionKey = "delta.deletedFileRetentionDuration"

// defaultRetention is Delta's.
const defaultRetention = 7 * 24 * time.Hour

// ErrInterval is the class of properties that should be a length of time and are none.
var ErrInterval = errors.New("no length of time")

// units are those of intervals whose length is the same every day.
var units = map[string]time.Duration{
	"microsecond": time.Microsecond, "millisecond": time.Millisecond, "second": time.Second, "minute": time.Minute,
	"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour,
}

// Retention is how long files are kept that the table no longer names. What cannot be understood keeps them for ever,
// with an error.
func (m *Metadata) Retention() (time.Duration, error) {
	text, ok := m.Configuration[RetentionKey]
	if !ok {
		return defaultRetention, nil
	}
	d, err := parseInterval(text)
	if err != nil {
		return math.MaxInt64, fmt.Errorf("%s is %q: %w", RetentionKey, text, err)
	}
	return d, nil
}

// parseInterval reads `interval 1 week` or `7 days 12 hours`.
func parseInterval(text string) (time.Duration, error) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) > 0 && words[0] == "interval" {
		words = words[1:]
	}
	if len(words) == 0 || len(words)%2 != 0 {
		return 0, fmt.Errorf("%w: want one such as %q", ErrInterval, "interval 7 days")
	}
	var sum time.Duration
	for i := 0; i < len(words); i += 2 {
		n, err := strconv.ParseInt(words[i], 10, 64)
		unit, known := units[strings.TrimSuffix(words[i+1], "s")]
		if err != nil || !known || n < 0 || n > math.MaxInt64/int64(unit)-1 || sum > math.MaxInt64-time.Duration(n)*unit {
			return 0, fmt.Errorf("%w: %s %s", ErrInterval, words[i], words[i+1])
		}
		sum += time.Duration(n) * unit
	}
	return sum, nil
}

// Interval writes a length of time as a property of a table has it.
func Interval(d time.Duration) string {
	for _, u := range []string{"week", "day", "hour", "minute", "second", "millisecond"} {
		if n := d / units[u]; d%units[u] == 0 && (n > 0 || u == "second") {
			return fmt.Sprintf("interval %d %ss", n, u)
		}
	}
	return fmt.Sprintf("interval %d microseconds", d.Microseconds())
}
