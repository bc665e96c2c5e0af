package models

import (
	"context"
	"errors"
	"time"

	"textmill/models/internal/learned"
	"textmill/places"
)

// A Benchmark is what a model does on this machine, batch size by batch size.
type Benchmark struct {
	Model   string `json:"model"`
	SHA256  string `json:"sha256"`
	Device  string `json:"device"`
	Threads int    `json:"threads"`
	Workers int    `json:"workers"`
	// Rates go from small batches to large ones; those beyond a clear decline are left out.
	Rates []Rate `json:"rates"`
	// Best is the batch size that sessions will use from now on.
	Best int `json:"best"`
}

// Bench measures every batch size for about span and keeps the best one for later sessions on this machine.
func Bench(ctx context.Context, spec *Spec, o SessionOptions, span time.Duration) (Benchmark, error) {
	if o.Home == "" {
		home, err := places.Home()
		if err != nil {
			return Benchmark{}, err
		}
		o.Home = home
	}
	o.BatchTokens = budgets[0] // nothing to learn before measuring
	e, err := OpenEmbedder(ctx, spec, o)
	if err != nil {
		return Benchmark{}, err
	}
	rates, err := e.measure(ctx, span*time.Duration(len(budgets)))
	if err := errors.Join(err, e.Close()); err != nil {
		return Benchmark{}, err
	}
	b := Benchmark{
		Model: spec.Name, SHA256: spec.SHA256, Device: e.device, Threads: e.threads, Workers: e.Workers(),
		Rates: rates, Best: best(rates),
	}
	return b, learned.Write(places.BatchTokens(o.Home), spec.machineKey(e.device, e.threads), b.Best)
}
