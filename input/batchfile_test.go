package input

import (
	"strings"
	"testing"
)

// TestALineThatIsNoRequestIsToldInOneLine, with the place at which it breaks, and in no library's words.
func TestALineThatIsNoRequestIsToldInOneLine(t *testing.T) {
	for line, want := range map[string]string{
		`{"custom_id": "a", "method" "POST"}`: "byte",
		`[]`:                                  "array",
		`{`:                                   "ends too early",
		"\x89PNG":                             "UTF-8",
		`{"custom_id":"a"} {}`:                "more follows",
	} {
		one, err := NewBatchReader(strings.NewReader(line), EmbeddingsPath, 1<<20).Next()
		if err != nil || one.Problem == nil || one.Problem.Code != BadJSONLine {
			t.Fatalf("%q: %+v, %v", line, one.Problem, err)
		}
		said := one.Problem.Message
		if !strings.Contains(said, want) || strings.Contains(said, "jsontext") || strings.Contains(said, "\n") {
			t.Errorf("%q: %q, want %q", line, said, want)
		}
	}
}
