package lately

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Trouble is a warning or an error of the log.
type Trouble struct {
	At      time.Time // of the latest
	Serious bool      // an error
	Message string
	Why     string // its error or reason, else its cause
	Job     string // that it names
	Details string // the rest
	Times   int    // how often it came
}

// Log has a handler's warnings and errors remembered too.
func (m *Memory) Log(next slog.Handler) slog.Handler { return &handler{Handler: next, memory: m} }

type handler struct {
	slog.Handler
	memory *Memory
	with   []slog.Attr // that every record has
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		t := Trouble{At: r.Time, Serious: r.Level >= slog.LevelError, Message: cut(r.Message), Times: 1}
		var b strings.Builder
		var cause string
		takes := func(a slog.Attr) bool {
			if a.Key == "cause" {
				cause = cut(a.Value.Resolve().String())
			} else {
				t.takes(&b, a)
			}
			return true
		}
		for _, a := range h.with {
			takes(a)
		}
		r.Attrs(takes)
		if t.Why == "" {
			t.Why = cause
		} else {
			t.takes(&b, slog.String("cause", cause))
		}
		t.Details = cut(b.String())
		h.memory.trouble(t)
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// Enabled takes warnings though the log may leave them out.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || h.Handler.Enabled(ctx, l)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.memory, slices.Concat(h.with, attrs)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.memory, h.with}
}

// takes puts an attribute where it is looked for.
func (t *Trouble) takes(b *strings.Builder, a slog.Attr) {
	value := cut(a.Value.Resolve().String())
	switch {
	case a.Key == "" || value == "":
		return
	case (a.Key == "error" || a.Key == "reason") && t.Why == "":
		t.Why = value
		return
	case a.Key == "job":
		t.Job = value
	}
	if b.Len() >= exampleBytes {
		return
	}
	if b.Len() > 0 {
		b.WriteString(" · ")
	}
	b.WriteString(a.Key + " " + value)
}

// trouble takes one in; what came before is counted with it.
func (m *Memory) trouble(t Trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.troubles, func(o Trouble) bool {
		return o.Message == t.Message && o.Why == t.Why && o.Details == t.Details && o.Serious == t.Serious
	}); i >= 0 {
		t.Times += m.troubles[i].Times
		m.troubles = slices.Delete(m.troubles, i, i+1)
	}
	m.troubles = kept(m.troubles, t, troublesKept)
}

// Troubles are the latest warnings and errors, the newest first.
func (m *Memory) Troubles() []Trouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.troubles)
	slices.Reverse(all)
	return all
}
