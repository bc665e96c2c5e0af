package ucd

import "testing"

// The sizes were counted by an independent probe of the library.
func TestClassSizes(t *testing.T) {
	sizes := map[string]struct {
		class Class
		want  int
	}{
		"Letter": {Letter, 141028}, "Number": {Number, 1911}, "Mark": {Mark, 2501}, "Punct": {Punct, 855},
		"Symbol": {Symbol, 8514}, "Upper": {Upper, 1858}, "Lower": {Lower, 2258}, "Title": {Title, 31},
		"Space": {Space, 25}, "Word": {Word, 144671}, "Numeric": {Numeric, 1924}, "PunctOld": {PunctOld, 726},
		"ControlOld": {ControlOld, 137681}, "CJK": {CJK, 81264}, "MarkOld": {MarkOld, 1567},
		"Combining": {Combining, 2097}, "RustSpace": {RustSpace, 25}, "CleanSpace": {CleanSpace, 22},
	}
	for name, s := range sizes {
		n := 0
		for r := rune(0); r < 0x110000; r++ {
			if Is(r, s.class) {
				n++
			}
		}
		if n != s.want {
			t.Errorf("%s holds %d code points, want %d", name, n, s.want)
		}
	}
}

func TestClassOfNotableCodePoints(t *testing.T) {
	for _, c := range []struct {
		name string
		r    rune
		has  Class
		not  Class
	}{
		{"the CJK range that a typo upstream leaves out", 0x2B820, Letter, CJK},
		{"superscript two is a word character for patterns only", '²', Number | Numeric | Word, RustWord},
		{"zero width joiner is a word character for Rust only", 0x200D, RustWord, Word},
		{"vertical tab is control before it is space", '\v', ControlOld | Space, CleanSpace},
		{"NUL is removed", 0, ControlOld, 0},
		{"the replacement character is removed", 0xFFFD, ControlOld, Letter},
		{"out of range", 0x110000, 0, ^Class(0)},
		{"negative", -1, 0, ^Class(0)},
	} {
		if got := Of(c.r); got&c.has != c.has || got&c.not != 0 {
			t.Errorf("%s: U+%04X has %b", c.name, c.r, got)
		}
	}
}

func TestCategoryPartitionsTheMajors(t *testing.T) {
	for r := rune(0); r < 0x110000; r++ {
		c := Of(r)
		g := c.Category()
		if (c&Letter != 0) != (g >= Lu && g <= Lo) || (c&Mark != 0) != (g >= Mn && g <= Me) ||
			(c&Number != 0) != (g >= Nd && g <= No) || (c&Punct != 0) != (g >= Pc && g <= Po) ||
			(c&Symbol != 0) != (g >= Sm && g <= So) || (c&Upper != 0) != (g == Lu) {
			t.Fatalf("U+%04X: category %d, classes %b", r, g, c)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	var text []rune
	for _, r := range "The quick brown 狐 jumps über 12 lazy dogs. Привет мир" {
		text = append(text, r)
	}
	var sum Class
	for b.Loop() {
		for _, r := range text {
			sum |= Of(r)
		}
	}
	_ = sum
}
