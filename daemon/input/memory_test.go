package input

import (
	"bytes"
	"errors"
	"io"
	"runtime/metrics"
	"strings"
	"testing"
)

// endless repeats block until limit bytes were read.
type endless struct {
	block []byte
	left  int64
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), e.left)], e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	e.left -= int64(n)
	return n, nil
}

func heapNow() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestMemoryStaysFlat reads 200 MB of each kind, among them one line of 200 MB, and looks at the heap on the way.
func TestMemoryStaysFlat(t *testing.T) {
	const size, bound = 200 << 20, 24 << 20
	long := strings.Repeat("lorem ipsum ", 100)
	for name, tc := range map[string]struct {
		format string
		block  string
	}{
		"jsonl":     {JSONL, `{"id":"a","text":"` + long + `","lang":"en"}` + "\n"},
		"csv":       {CSV, "text,id\n\"" + long + "\n" + long + "\",1\n"},
		"text":      {Text, long + "\n"},
		"one line":  {Text, long},
		"one quote": {CSV, "text,\"id\n" + long},
	} {
		t.Run(name, func(t *testing.T) {
			src := io.Reader(&endless{block: []byte(tc.block), left: size})
			if name == "one quote" {
				src = io.MultiReader(strings.NewReader("text,id\n\""), &endless{block: bytes.Repeat([]byte("x\n"), 1000), left: size})
			}
			r, err := NewReader(src, Options{Format: tc.format, MaxRecordBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			before, peak, n := heapNow(), uint64(0), 0
			for {
				var it Item
				if err := r.Next(&it); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if n++; n%100 == 0 {
					peak = max(peak, heapNow())
				}
			}
			peak = max(peak, heapNow())
			if peak > before+bound {
				t.Errorf("the heap grew from %d to %d bytes while reading %d records", before, peak, n)
			}
			if r.BytesRead() < size {
				t.Errorf("read %d of %d bytes", r.BytesRead(), size)
			}
		})
	}
}
