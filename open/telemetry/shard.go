package telemetry

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Names are what is told of a shard beside times.
type Names struct{ Job, Shard, Dataset, Task, Model string }

func (n Names) attributes() trace.SpanStartEventOption {
	return trace.WithAttributes(attribute.String("textmill.job", n.Job), attribute.String("textmill.shard", n.Shard),
		attribute.String("textmill.dataset", n.Dataset), attribute.String("textmill.task", n.Task),
		attribute.String("textmill.model", n.Model))
}

// Publish tells of the publication of a shard, as a part of a trace or, where that is nil, if it is one of the sample:
// header is to go with its message, nil where there is no trace, and done is to be called when the server has it or
// never will. Whoever takes the message follows the trace's own choice, also where this process tells of none.
func (t *Tracer) Publish(n Names, of Trace) (header map[string][]string, done func(error)) {
	none := func(error) {}
	if t == nil || !t.others.take(of) {
		return of.header(), none
	}
	ctx, span := t.tracer.Start(of.context(), "publish", trace.WithSpanKind(trace.SpanKindProducer), n.attributes())
	if !span.SpanContext().IsSampled() {
		return of.header(), none
	}
	return traceOf(ctx).header(), func(err error) { end(span, err) }
}

// Shard is the way of one delivery through a daemon; nil where it is not told of.
type Shard struct {
	tracer trace.Tracer
	ctx    context.Context // of its span
	span   trace.Span

	mu     sync.Mutex
	stages []*stage
}

// stage is what many records or batches of a shard had done to them.
type stage struct {
	name        string
	first, last time.Time
	busy        time.Duration
	times       int
}

// Shard begins to tell of a delivery that was fetched at some time, as a part of the trace that its message's headers
// name; where they name none, it may be one of the sample itself. Of those that others chose more are passed over than
// the sample and a few a second.
func (t *Tracer) Shard(header func(name string) string, n Names, fetched time.Time) *Shard {
	if t == nil {
		return nil
	}
	of := read(header)
	if !t.others.take(of) {
		return nil
	}
	ctx, span := t.tracer.Start(of.context(), "shard", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(fetched), n.attributes())
	if !span.SpanContext().IsSampled() {
		return nil
	}
	return &Shard{tracer: t.tracer, ctx: ctx, span: span}
}

// ID is the trace's, for the log; "" where there is none.
func (s *Shard) ID() string {
	if s == nil {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// Told reports whether the shard is told of.
func (s *Shard) Told() bool { return s != nil }

// Span tells of something that was done once.
func (s *Shard) Span(name string, from, to time.Time) {
	if s == nil || from.IsZero() || to.Before(from) {
		return
	}
	_, span := s.tracer.Start(s.ctx, name, trace.WithTimestamp(from))
	span.End(trace.WithTimestamp(to))
}

// Part tells of a part of a stage, such as one record or one batch: all of a stage becomes one span, from the first of
// them to the last.
func (s *Shard) Part(name string, begun time.Time, took time.Duration) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var of *stage
	for _, one := range s.stages {
		if one.name == name {
			of = one
		}
	}
	if of == nil {
		of = &stage{name: name, first: begun}
		s.stages = append(s.stages, of)
	}
	if begun.Before(of.first) {
		of.first = begun
	}
	if ended := begun.Add(took); ended.After(of.last) {
		of.last = ended
	}
	of.busy += took
	of.times++
}

// End tells of the stages, and what became of the delivery.
func (s *Shard) End(verdict string, rows, errors int, err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.stages {
		_, span := s.tracer.Start(s.ctx, one.name, trace.WithTimestamp(one.first), trace.WithAttributes(
			attribute.Int("textmill.times", one.times), attribute.Float64("textmill.busy_seconds", one.busy.Seconds())))
		span.End(trace.WithTimestamp(one.last))
	}
	s.span.SetAttributes(attribute.String("textmill.verdict", verdict), attribute.Int("textmill.rows", rows),
		attribute.Int("textmill.error_rows", errors))
	end(s.span, err)
}

func end(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
