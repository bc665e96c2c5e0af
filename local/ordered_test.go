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
	w := NewAnswers(&out)
	err := SideBySide(t.Context(), Texts{In: strings.NewReader(in.String())}, 1<<10, func(l Line) Answer {
		for range rand.N(50) {
			runtime.Gosched()
		}
		return Answer{Line: l.Raw, Failed: l.Index%10 == 0}
	}, w)
	if err := errors.Join(err, w.Flush()); err != nil {
		t.Fatal(err)
	}
	if out.String() != in.String() || w.Lines != lines || w.Failed != lines/10 {
		t.Errorf("%d lines and %d errors came out of order, want %d and %d", w.Lines, w.Failed, lines, lines/10)
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
		done <- SideBySide(ctx, Texts{In: never}, 1<<10, func(l Line) Answer { return Answer{Line: l.Raw} }, NewAnswers(io.Discard))
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
		w := NewAnswers(outW)
		_ = SideBySide(t.Context(), Texts{In: inR}, 1<<10, func(l Line) Answer { return Answer{Line: l.Raw} }, w)
		_ = outW.CloseWithError(w.Flush())
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
		o := NewOrdered[int]()
		for range 4 {
			if _, err := o.Add(ctx, maxWaitingBytes/4); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := o.Add(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a place beyond the bound: %v", err)
		}
	})
}

func TestLinesAreCutWhereTheyEnd(t *testing.T) {
	long := strings.Repeat("x", 6*1024+4096+1)
	in := "a\r\n\n" + long + "\n" + strings.Repeat("y", 6*1024+4096) + "\nlast"
	var got []string
	err := Texts{In: strings.NewReader(in)}.Each(t.Context(), 1024, func(l Line) error {
		got = append(got, fmt.Sprintf("%d:%d:%t", l.Index, len(l.Raw), l.TooLong))
		return nil
	})
	want := "0:1:false 1:0:false 2:0:true 3:10240:false 4:4:false"
	if strings.Join(got, " ") != want || err != nil {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}
