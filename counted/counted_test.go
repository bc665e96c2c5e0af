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
	r := &Reader{R: iotest.OneByteReader(strings.NewReader("seven b"))}
	w := &Writer{W: &out, N: 3}
	if _, err := io.Copy(w, r); err != nil || r.N != 7 || w.N != 10 || out.String() != "seven b" {
		t.Errorf("read %d, wrote %d %q: %v", r.N, w.N, &out, err)
	}
}

func TestOnlyWhatWasTakenCounts(t *testing.T) {
	read, wrote := io.Pipe()
	read.Close()
	w := &Writer{W: wrote}
	if n, err := w.Write([]byte("lost")); n != 0 || err == nil || w.N != 0 {
		t.Errorf("took %d, counted %d: %v", n, w.N, err)
	}
	r := &Reader{R: iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("ab")))}
	if _, err := io.ReadAll(r); err == nil || r.N != 1 {
		t.Errorf("counted %d: %v", r.N, err)
	}
}
