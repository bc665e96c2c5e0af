package textmill_test

import (
	"go/scanner"
	"go/token"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// longestLine is how many characters a line has at the most. A text counts as nothing, since nobody finds one that is cut; nor
// do the lines of a drawing or table in a comment.
const longestLine = 119

// TestLinesFitBesideEachOther holds the product's code to the width of half a screen.
func TestLinesFitBesideEachOther(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() {
			continue
		}
		src, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		texts := textsOf(src)
		for i, line := range strings.Split(string(src), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "//\t") {
				continue
			}
			if n := utf8.RuneCountInString(line) - texts[i+1]; n > longestLine {
				t.Errorf("%s:%d: %d characters beside its texts, more than %d", s.path, i+1, n, longestLine)
			}
		}
	}
}

// textsOf counts for each line the characters of the string literals in it.
func textsOf(src []byte) map[int]int {
	counts := map[int]int{}
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", -1, len(src)), src, nil, 0)
	for {
		pos, t, literal := s.Scan()
		if t == token.EOF {
			return counts
		}
		if t != token.STRING {
			continue
		}
		at := fset.Position(pos).Line
		for i, part := range strings.Split(literal, "\n") {
			counts[at+i] += utf8.RuneCountInString(part)
		}
	}
}
