package split

import (
	"testing"
	"unicode/utf8"
)

// FuzzPattern is a Split pattern out of a tokenizer.json: refused, or its matches are in order, in time that is linear in the text.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{`\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, `(?i:'s|'t)|[^\r\n]{1,3}`, `(a*)*b`, `(?>a+|ab)c`, `(?<=x)y|\bz\B`, `[[a-z]&&[^aeiou]]+`, `(a|a){1,9}$`, `(?:){0,1000}`, `(?:(?:a{1000}){1000}){1000}`, `(?:a|b|[cd]){0,900}$`, `\p{N}{1,3}+`, `\X+\R|\y`, `\G\w\Ks?`, `(?x) a (?#b) [c d] #e`, `(?:a*b?)*c{,2}+`, `(?<=a|b+c?)x|(?i)[é-я]`, `(?:(?:a|b*)*|c??)+{2}`, `[]a[:^alpha:]&&\h]`} {
		f.Add(p, "it's 'S aaab abc xy Zoë 漢字 123\r\n  ")
	}
	for p := range scanners {
		f.Add(p, "DON'T we'll 12345 a\u0301 \t\n x")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(text) || len(text) > 1<<10 {
			return
		}
		p, err := Compile(pattern)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		last := Range{0, 0}
		for _, r := range p.Matches(nil, text) {
			if r.Start < last.End || r.End < r.Start || r.End > len(text) {
				t.Fatalf("match %v of %q in %q after %v", r, pattern, text, last)
			}
			last = r
		}
		if p.Known() && text != "" && last.End != len(text) {
			t.Fatalf("%q ends at %d of %q", pattern, last.End, text)
		}
	})
}
