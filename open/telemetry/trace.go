package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A Trace is one that somebody else has begun, as the headers of a request name it (W3C's traceparent and tracestate);
// nil is none.
type Trace map[string]string

// longestState is as much of a tracestate as everybody must hand on; a longer one is left out.
const longestState = 512

// TraceOf is the trace that headers name, nil where they name none that can be read.
func TraceOf(header func(name string) string) Trace { return traceOf(read(header).context()) }

func traceOf(ctx context.Context) Trace {
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	if len(carrier) == 0 {
		return nil
	}
	if len(carrier["tracestate"]) > longestState {
		delete(carrier, "tracestate")
	}
	return Trace(carrier)
}

// read takes what headers say of a trace, which may be anything.
func read(header func(name string) string) Trace {
	t := Trace{}
	for _, name := range w3c.Fields() {
		if value := header(name); value != "" {
			t[name] = value
		}
	}
	return t
}

func (t Trace) context() context.Context {
	return w3c.Extract(context.Background(), propagation.MapCarrier(t))
}

func (t Trace) header() map[string][]string {
	if len(t) == 0 {
		return nil
	}
	header := map[string][]string{}
	for name, value := range t {
		header[name] = []string{value}
	}
	return header
}

// Step tells of something that was done until now for a trace, if that is told of, with what is said of it.
func (t *Tracer) Step(of Trace, name string, begun time.Time, says map[string]string) {
	if t == nil || of == nil {
		return
	}
	_, span := t.tracer.Start(of.context(), name, trace.WithTimestamp(begun))
	for key, value := range says {
		span.SetAttributes(attribute.String(key, value))
	}
	span.End()
}
