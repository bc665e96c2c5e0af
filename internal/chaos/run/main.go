// Command run breaks textmill until enough faults have fallen into enough records; `make chaos` calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"textmill/internal/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		seed     = flag.Uint64("seed", rand.Uint64(), "of everything that is drawn")
		records  = flag.Int("records", 500_000, "publish at least so many")
		faults   = flag.Int("faults", 2_000, "inject at least so many")
		limit    = flag.Duration("time", 0, "begin no cell after so long; 0 = no limit")
		perCell  = flag.Int("per-cell", 24, "faults in one cell")
		parallel = flag.Int("parallel", 4, "cells side by side")
		only     = flag.String("only", "", "kinds of cells, with commas; all when empty")
		results  = flag.String("results", "", "file to which the results are added")
		dir      = flag.String("dir", "", "where to work; a new directory when empty")
		root     = flag.String("root", ".", "the source tree")
	)
	recovery := flag.Bool("recovery", false,
		"instead, measure how long after each kind of fault one daemon works at its full rate again; -only names kinds of faults")
	repeats := flag.Int("repeats", 2, "faults of a kind that -recovery lets fall")
	show := flag.Bool("show", false, "only print the table of -results")
	flag.Parse()
	if *show {
		all, err := chaos.Load(*results)
		if err != nil {
			return err
		}
		return all.Print(os.Stdout)
	}
	kinds := chaos.RecoveryKinds()
	if !*recovery {
		kinds = nil
		for _, s := range chaos.Specs() {
			kinds = append(kinds, s.Name)
		}
	}
	kinds, err := chosen(*only, kinds)
	if err != nil {
		return err
	}
	work := *dir
	if work == "" {
		var err error
		if work, err = os.MkdirTemp("", "textmill-chaos-"); err != nil {
			return err
		}
	}
	abs, err := filepath.Abs(*root)
	if err != nil {
		return err
	}
	c, err := chaos.Build(ctx, abs, work, "")
	if err != nil {
		return err
	}
	defer c.Close()
	c.Seed, c.Records, c.Faults, c.Time, c.PerCell, c.Parallel, c.Progress = *seed, *records, *faults, *limit, *perCell,
		*parallel, os.Stderr
	if *recovery {
		return measure(ctx, c, work, kinds, *repeats)
	}
	for _, s := range chaos.Specs() {
		if slices.Contains(kinds, s.Name) {
			c.Specs = append(c.Specs, s)
		}
	}
	fmt.Fprintf(os.Stderr, "seed %d, working in %s\n", *seed, work)
	begun := time.Now()
	r, err := c.Run(ctx)
	if r == nil || err != nil {
		return err
	}
	r.Runs = []chaos.Run{{Command: strings.Join(os.Args[1:], " "), Seed: *seed, Took: time.Since(begun)}}
	if err := r.Print(os.Stdout); err != nil {
		return err
	}
	if *results != "" {
		all, err := chaos.Load(*results)
		if err != nil {
			return err
		}
		all.Add(r)
		if err := all.Save(*results); err != nil {
			return err
		}
	}
	if !r.Sound() {
		return errors.New("a promise was broken; the worlds in which it was are kept")
	}
	return os.RemoveAll(work)
}

// chosen are those that only names, with commas, or all.
func chosen(only string, all []string) ([]string, error) {
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("-only: there is no %q among %s", name, strings.Join(all, ", "))
		}
	}
	return names, nil
}

// measure tells how soon each kind of fault is over, and is content when every kind of fault keeps the bound.
func measure(ctx context.Context, c *chaos.Campaign, work string, kinds []string, repeats int) error {
	all, err := c.Recover(ctx, kinds, repeats)
	if err := errors.Join(err, chaos.PrintRecovery(os.Stdout, all)); err != nil {
		return err
	}
	if slices.ContainsFunc(all, chaos.Recovery.Late) {
		return fmt.Errorf("not every fault was over within %v; what was not sound is kept in %s", chaos.RecoveryBound, work)
	}
	return os.RemoveAll(work)
}
