package input

import (
	"errors"
	"io"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
)

// endless repeats block until left bytes were read, and notes the live heap on the way.
type endless struct {
	block []byte
	left  int64
	at    int
	noted int64
	peak  uint64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), e.left)], e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	e.left -= int64(n)
	if e.noted-e.left > 10<<20 || e.noted == 0 {
		e.noted = e.left
		e.peak = max(e.peak, liveHeap())
	}
	return n, nil
}

func liveHeap() uint64 {
	runtime.GC()
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestMemoryStaysFlat reads much of each kind, among them as much in one line, and looks at the live heap.
func TestMemoryStaysFlat(t *testing.T) {
	const size, bound = streamBytes, 8 << 20
	long := strings.Repeat("lorem ipsum ", 100)
	for name, tc := range map[string]struct{ format, head, block string }{
		"jsonl":     {JSONL, "", `{"id":"a","text":"` + long + `","lang":"en"}` + "\n"},
		"csv":       {CSV, "text,id\n", "\"" + long + "\n" + long + "\",1\n"},
		"text":      {Text, "", long + "\n"},
		"one line":  {Text, "", long},
		"one value": {JSONL, `{"id":"a","text":"`, long},
		"one quote": {CSV, "text,id\n\"", long + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			before := liveHeap()
			src := &endless{block: []byte(tc.block), left: size}
			r, err := NewReader(io.MultiReader(strings.NewReader(tc.head), src), Options{Format: tc.format, MaxRecordBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			for n := 0; ; n++ {
				var it Item
				if err := r.Next(&it); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("record %d: %v", n, err)
				}
			}
			if src.peak > before+bound {
				t.Errorf("the live heap grew from %d to %d bytes", before, src.peak)
			}
			if src.left > 0 {
				t.Errorf("read %d of %d bytes", size-src.left, int64(size))
			}
		})
	}
}
