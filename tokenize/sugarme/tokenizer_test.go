package sugarme

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"textmill/tokenize"
)

// deadly ends the library's process: it panics in a goroutine of its own.
const deadly = "\ufffd[C\x00"

func openTokenizer(t *testing.T) *Tokenizer {
	t.Helper()
	path := wordPiece(t)
	ours, err := tokenize.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := OpenTokenizer(t.Context(), ours, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tok.Close(); err != nil {
			t.Error(err)
		}
	})
	return tok
}

func TestADeadlyTextCostsItselfAlone(t *testing.T) {
	tok := openTokenizer(t)
	for range 2 * restartsAtOnce {
		if _, _, err := tok.AppendBody(nil, nil, deadly); !errors.Is(err, ErrCrashed) || errors.Is(err, ErrUnavailable) {
			t.Fatalf("the deadly text: %v", err)
		}
		ids, spans, err := tok.AppendBody([]int32{9}, nil, "hello, worlds")
		if err != nil || !slices.Equal(ids, []int32{9, 3, 6, 4, 5}) {
			t.Fatalf("its neighbour: %v, %v", ids, err)
		}
		if want := []tokenize.Span{{Start: 0, End: 5}, {Start: 5, End: 6}, {Start: 7, End: 12}, {Start: 12, End: 13}}; !slices.Equal(spans, want) {
			t.Fatalf("its neighbour lies at %v", spans)
		}
	}
	if ids, _ := tok.AppendInput(nil, nil, []int32{3}); !slices.Equal(ids, []int32{1, 3, 2}) {
		t.Errorf("with specials: %v", ids)
	}
	if e := (&Encoding{IDs: []int32{1, 2, 3}, Offsets: [][2]int32{{0, 2}, {2, 5}, {0, 99}}}); !slices.Equal(e.Spans("ü漢"), []tokenize.Span{{Start: 0, End: 1}, {Start: 1, End: 2}, {Start: 0, End: 2}}) {
		t.Errorf("spans in characters: %v", e.Spans("ü漢"))
	}
	if differ, of, err := tok.Sample(); err != nil || of != len(samples) || differ > of {
		t.Errorf("%d of %d samples differ, %v", differ, of, err)
	}
}

// TestAChildThatIsEndedFromOutsideCostsNothing sends what a terminal and a supervisor send to a whole group, and what ends it.
func TestAChildThatIsEndedFromOutsideCostsNothing(t *testing.T) {
	tok := openTokenizer(t)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		child := tok.library.child
		if err := child.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if ids, _, err := tok.AppendBody(nil, nil, "hello"); err != nil || !slices.Equal(ids, []int32{3}) || tok.library.child != child {
			t.Errorf("after %v: %v, %v", s, ids, err)
		}
	}
	if err := tok.library.child.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if ids, _, err := tok.AppendBody(nil, nil, "hello"); err != nil || !slices.Equal(ids, []int32{3}) {
		t.Errorf("after a kill: %v, %v", ids, err)
	}
}

func TestNoTextIsToBlameForAProcessThatDoesNotStart(t *testing.T) {
	tok := openTokenizer(t)
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	works := tok.library.options.Executable
	tok.library.options.Executable = "/nowhere/textmill"
	if _, _, err := tok.AppendBody(nil, nil, "hello"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a program: %v", err)
	}
	tok.library.options.Executable = works
	if ids, _, err := tok.AppendBody(nil, nil, "hello"); err != nil || len(ids) != 1 {
		t.Errorf("with the program again: %v, %v", ids, err)
	}
}
