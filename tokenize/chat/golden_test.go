package chat

import (
	"testing"
	"time"

	"textmill/internal/golden"
)

var goldenTime = time.Date(2026, 3, 7, 9, 5, 2, 0, time.UTC)

// golden.py makes the file with jinja2 itself.
func TestTemplatesRenderAsInPython(t *testing.T) {
	for _, row := range golden.Values[goldenRow](t, "testdata/golden.jsonl.gz") {
		row.compare(t)
	}
}
