// Package telemetry tells OpenTelemetry of the way of a sample of shards, from their publication to their ack, where
// the configuration asks for it.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"textmill/config"
)

// endpoints are the variables of OpenTelemetry that say where traces go.
var endpoints = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}

// endWait is how long the end of a process waits until what was told has been sent.
const endWait = 3 * time.Second

// Tracer tells of shards. A nil one tells of none, and sends nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	others   *others
}

// w3c is how a trace is named in headers.
var w3c propagation.TraceContext

// Open makes a Tracer, nil where no shard is to be told of. Standard variables of OpenTelemetry hold beside the
// configuration (OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, …).
func Open(ctx context.Context, c config.Telemetry, version string, log *slog.Logger) (*Tracer, error) {
	if c.TracesSample <= 0 {
		return nil, nil
	}
	options, err := whereTo(c.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("telemetry.endpoint: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "textmill"),
		attribute.String("service.version", version)), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	tellSeldom(log)
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.TracesSample))))
	return &Tracer{provider, provider.Tracer("textmill"), newOthers(c.TracesSample)}, nil
}

func whereTo(endpoint string) ([]otlptracehttp.Option, error) {
	if endpoint == "" {
		for _, name := range endpoints {
			if os.Getenv(name) != "" {
				return nil, nil
			}
		}
		return nil, fmt.Errorf("telemetry.traces_sample is above 0: set telemetry.endpoint or %s too", endpoints[1])
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("telemetry.endpoint: %w", err)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return []otlptracehttp.Option{otlptracehttp.WithEndpointURL(u.String())}, nil
}

// tellSeldom logs once a minute at most that something could not be sent: work goes on without it.
func tellSeldom(log *slog.Logger) {
	var told atomic.Int64
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		now, last := time.Now().Unix(), told.Load()
		if now-last >= 60 && told.CompareAndSwap(last, now) {
			log.Warn("traces are not sent", "error", err)
		}
	}))
}

// Close sends what was told, for a while.
func (t *Tracer) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWait)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send traces: %w", err)
	}
	return nil
}
