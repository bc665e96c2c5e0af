package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOrderedKeepsTheOrderOfLines(t *testing.T) {
	const lines = 20_000
	var in strings.Builder
	for i := range lines {
		fmt.Fprintf(&in, "%d\n", i)
	}
	var out strings.Builder
	w := newAnswerWriter(&out)
	err := sideBySide(t.Context(), Texts{In: strings.NewReader(in.String())}, 1<<10, func(l line) answer {
		for range rand.N(50) {
			runtime.Gosched()
		}
		return answer{line: l.raw, failed: l.index%10 == 0}
	}, w)
	if err := errors.Join(err, w.flush()); err != nil {
		t.Fatal(err)
	}
	if out.String() != in.String() || w.lines != lines || w.failed != lines/10 {
		t.Errorf("%d lines and %d errors came out of order, want %d and %d", w.lines, w.failed, lines, lines/10)
	}
}

// TestOrderedEndsWhileTheInputBlocks is Ctrl-C at a terminal: nothing more arrives, and the command ends all the same.
func TestOrderedEndsWhileTheInputBlocks(t *testing.T) {
	never, end := io.Pipe()
	defer end.Close()
	cause := errors.New("ctrl-c")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- sideBySide(ctx, Texts{In: never}, 1<<10, func(l line) answer { return answer{line: l.raw} }, newAnswerWriter(io.Discard))
	}()
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("ended with %v", err)
	}
}

// TestOrderedAnswersWhileTheInputIsOpen is a program that waits for each answer before it writes the next line.
func TestOrderedAnswersWhileTheInputIsOpen(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	go func() {
		w := newAnswerWriter(outW)
		_ = sideBySide(t.Context(), Texts{In: inR}, 1<<10, func(l line) answer { return answer{line: l.raw} }, w)
		_ = outW.CloseWithError(w.flush())
	}()
	buf := make([]byte, 64)
	for i := range 3 {
		want := fmt.Sprintf("line %d\n", i)
		if _, err := io.WriteString(inW, want); err != nil {
			t.Fatal(err)
		}
		n, err := outR.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Fatalf("answered %q, %v; want %q", buf[:n], err, want)
		}
	}
	if err := inW.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := outR.Read(buf); !errors.Is(err, io.EOF) {
		t.Errorf("after the last line: %v", err)
	}
}

func TestOrderedBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		o := newOrdered[int](ctx)
		for range 4 {
			if _, err := o.add(maxWaitingBytes / 4); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := o.add(1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a place beyond the bound: %v", err)
		}
	})
}

func TestLinesAreCutWhereTheyEnd(t *testing.T) {
	long := strings.Repeat("x", 6*1024+4096+1)
	in := "a\r\n\n" + long + "\n" + strings.Repeat("y", 6*1024+4096) + "\nlast"
	var got []string
	err := Texts{In: strings.NewReader(in)}.each(t.Context(), 1024, func(l line) error {
		got = append(got, fmt.Sprintf("%d:%d:%t", l.index, len(l.raw), l.tooLong))
		return nil
	})
	want := "0:1:false 1:0:false 2:0:true 3:10240:false 4:4:false"
	if strings.Join(got, " ") != want || err != nil {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}
