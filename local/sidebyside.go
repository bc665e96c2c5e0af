package local

import (
	"context"
	"runtime"
)

// SideBySide works on lines with all cores and writes the answers in the lines' order.
func SideBySide(ctx context.Context, texts Texts, recordBytes int, work func(Line) Answer, out *Answers) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type task struct {
		line Line
		slot *Slot[Answer]
	}
	tasks := make(chan task)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for t := range tasks {
				t.slot.Result <- work(t.line)
			}
		}()
	}
	results := NewOrdered[Answer]()
	go func() {
		defer close(tasks)
		results.Finish(texts.Each(ctx, recordBytes, func(l Line) error {
			// An answer is at most some thirty times its text: each byte may be a token with its numbers.
			s, err := results.Add(ctx, 32*int64(l.size())+512)
			if err != nil {
				return err
			}
			select {
			case tasks <- task{l, s}:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}))
	}()
	return results.Drain(ctx, out.Write, out.Flush)
}
