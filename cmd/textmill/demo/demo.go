// Package demo runs the main job end to end on the documentation of the machine's own Go standard library.
package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"textmill/client"
	"textmill/config"
	"textmill/daemon"
	"textmill/ground/places"
	"textmill/jobs"
	"textmill/open/bundle"
)

const (
	model   = "all-MiniLM-L6-v2"
	dataset = "go-docs"
)

var asked = []string{
	"read a file line by line",
	"wait until several goroutines have finished",
	"are two strings equal if case is ignored",
}

// Options describes one run.
type Options struct {
	Stdout   io.Writer // what was done, the answers, and how to query the table
	Stderr   io.Writer // progress
	Terminal bool      // Stderr is a terminal
	Version  string    // of the program
	Log      *slog.Logger
}

// Run embeds the corpus through an embedded server and a daemon in this process into a table of its own, which is made
// anew each time, asks the table questions, and has the best answers put into words.
func Run(ctx context.Context, cfg config.Config, o Options) error {
	root, err := goRoot(ctx)
	if err != nil {
		return err
	}
	if _, err := bundle.Open(cfg, writer); err != nil {
		return fmt.Errorf("%w; run textmill setup", err)
	}
	cfg, unlock, err := ownPlace(cfg)
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Fprintf(o.Stderr, "reading the documentation comments of %s\n", filepath.Join(root, "src"))
	done, err := fill(ctx, cfg, root, o)
	if err != nil {
		return err
	}
	table := filepath.Join(cfg.Export.URI, dataset)
	fmt.Fprintf(o.Stdout, "%d comments embedded with %s and committed in %.1f s (%.0f a second, from queue to table)\nTable: %s\n",
		done.rows, model, done.took.Seconds(), float64(done.rows)/done.took.Seconds(), table)
	answers, err := ask(ctx, cfg, table, o)
	if err != nil {
		return err
	}
	for i, q := range asked {
		fmt.Fprintf(o.Stdout, "\n%q\n", q)
		for _, m := range answers[i] {
			fmt.Fprintf(o.Stdout, "  %.3f  %-28s %s\n", m.Score, m.RecordID, firstSentence(m.Text.V))
		}
	}
	if err := explain(ctx, cfg, answers, o); err != nil {
		return err
	}
	for _, s := range Snippets(table) {
		fmt.Fprintf(o.Stdout, "\n# Query it from Python (pip install %s):\n%s\n", s.Tool, s.Code)
	}
	return nil
}

// ownPlace is a configuration apart from the user's own queue and tables, on ports that the kernel chooses.
func ownPlace(cfg config.Config) (config.Config, func(), error) {
	dir := filepath.Join(cfg.Data, "demo")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return cfg, nil, err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return cfg, nil, err
	}
	cfg.NATS = config.Default().NATS
	cfg.NATS.Embedded = config.Embedded{Addr: "127.0.0.1:0", Dir: places.Queue(dir)}
	cfg.HTTP = config.HTTP{Addr: "127.0.0.1:0"}
	cfg.Export.URI = places.Tables(dir)
	cfg.Models = map[string]config.Model{model: cfg.Models[model]}
	if err := errors.Join(os.RemoveAll(cfg.NATS.Embedded.Dir), os.RemoveAll(cfg.Export.URI)); err != nil {
		unlock()
		return cfg, nil, fmt.Errorf("remove the last demo: %w", err)
	}
	return cfg, unlock, nil
}

type filled struct {
	rows int64
	took time.Duration
}

// fill runs a daemon until the corpus is in the table.
func fill(ctx context.Context, cfg config.Config, root string, o Options) (done filled, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d, err := daemon.New(ctx, cfg, o.Log, o.Version)
	if err != nil {
		return done, err
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	cfg.NATS.URL = d.NATSURL()
	fmt.Fprintf(o.Stderr, "a NATS server in this process listens at %s\n", cfg.NATS.URL)
	q, err := client.Connect(ctx, cfg, o.Log)
	if err != nil {
		return done, err
	}
	defer q.Close()

	texts, write := io.Pipe()
	go func() { write.CloseWithError(writeCorpus(ctx, root, write)) }()
	defer texts.Close()
	submit := client.SubmitOptions{
		Model: model, Dataset: dataset, Job: "demo", Files: []string{"-"}, Stdin: texts,
		Stdout: io.Discard, Stderr: o.Stderr, Terminal: o.Terminal,
	}
	if err := submit.Configure(cfg, o.Version); err != nil {
		return done, err
	}
	submit.Input.Format = "jsonl"
	start := time.Now()
	summary, err := client.Submit(ctx, q, submit)
	if err == nil && summary.Errors > 0 {
		err = fmt.Errorf("%d of %d comments could not be embedded", summary.Errors, summary.Rows)
	}
	return filled{summary.Rows, time.Since(start)}, err
}

// writeCorpus writes the corpus as JSONL.
func writeCorpus(ctx context.Context, root string, to io.Writer) error {
	w := bufio.NewWriter(to)
	var line []byte
	err := corpus(ctx, root, func(r jobs.Record) error {
		line = append(r.AppendJSON(line[:0]), '\n')
		_, err := w.Write(line)
		return err
	})
	return errors.Join(err, w.Flush())
}
