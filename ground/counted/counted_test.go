package counted

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestBytesThatPassAreCounted(t *testing.T) {
	var out bytes.Buffer
	w := &Writer{W: &out, N: 3}
	if _, err := io.Copy(w, iotest.OneByteReader(strings.NewReader("seven b"))); err != nil || w.N != 10 || out.String() != "seven b" {
		t.Errorf("wrote %d %q: %v", w.N, &out, err)
	}
}

func TestOnlyWhatWasTakenCounts(t *testing.T) {
	read, wrote := io.Pipe()
	read.Close()
	w := &Writer{W: wrote}
	if n, err := w.Write([]byte("lost")); n != 0 || err == nil || w.N != 0 {
		t.Errorf("took %d, counted %d: %v", n, w.N, err)
	}
}
