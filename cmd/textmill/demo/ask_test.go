package demo

import "testing"

func TestFirstSentence(t *testing.T) {
	for text, want := range map[string]string{
		"Scan advances.\nMore follows. And more.": "Scan advances.", "no end": "no end", "": "", "e.g. x": "e.g.",
	} {
		if got := firstSentence(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
