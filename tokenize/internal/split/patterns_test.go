package split

import (
	"encoding/json"
	"strings"
	"testing"

	"textmill/internal/golden"
)

// patternLine is a line of testdata/patterns.jsonl.gz, which patterns.py makes of Hugging Face's answers.
type patternLine struct {
	pattern string
	cases   [][2]string
}

func (l *patternLine) UnmarshalJSON(raw []byte) error {
	return json.Unmarshal(raw, &[2]any{&l.pattern, &l.cases})
}

// limits are what docs/reference/limits.md says that patterns may not hold.
var limits = []string{"back-references", "calls of groups", "conditions are", "absence operators", "callouts", "look-behind of varying length with", `\K in`,
	"also one ligature or letter", "several letters, such as", "one with its neighbours", "single byte of UTF-8", "is not supported here",
	"before && or", "then .* under (?m)", "captures in negative look-behind", "property", "options", "too large once"}

// known tells whether a refusal is one that the limits list.
func known(err error) bool {
	for _, l := range limits {
		if strings.Contains(err.Error(), l) {
			return true
		}
	}
	return false
}

func marked(p *Pattern, text string) string {
	var b strings.Builder
	last := 0
	for _, r := range p.Matches(nil, text) {
		b.WriteString(text[last:r.Start])
		b.WriteString("\uf8ff")
		last = r.End
	}
	return b.String() + text[last:]
}

// Whatever pattern Hugging Face's library takes is matched as it does it, or refused for a reason that the limits list.
func TestPatternsAsOniguruma(t *testing.T) {
	refused, matched := 0, 0
	for _, l := range golden.Values[patternLine](t, "testdata/patterns.jsonl.gz") {
		p, err := CompileGeneral(l.pattern)
		switch {
		case l.cases == nil && err == nil:
			t.Errorf("%q is refused by Oniguruma", l.pattern)
		case l.cases == nil:
		case err != nil:
			if refused++; !known(err) {
				t.Errorf("%v", err)
			}
		default:
			for _, c := range l.cases {
				if got := marked(p, c[0]); got != c[1] {
					t.Errorf("pattern %q, text %q:\n got %q\nwant %q", l.pattern, c[0], got, c[1])
				}
				matched++
			}
		}
	}
	if matched < 10_000 || refused > matched/8 {
		t.Errorf("%d texts matched, %d patterns refused", matched, refused)
	}
}
