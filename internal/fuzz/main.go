// Command fuzz runs every fuzz target of a module, some side by side, and fails where one crashes, hangs or outgrows
// its memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options bound each target's run.
type options struct {
	dir    string        // where the module is
	time   time.Duration // for each target
	jobs   int           // targets that run side by side, each in one worker
	memory int64         // bytes that a worker may have resident
	only   *regexp.Regexp
}

func main() {
	o := options{dir: "."}
	flag.DurationVar(&o.time, "time", 10*time.Minute, "how long each target runs")
	flag.IntVar(&o.jobs, "jobs", 4, "targets side by side")
	mib := flag.Int64("memory", 2048, "MiB that one may have resident")
	only := flag.String("only", "", "regular expression for PACKAGE.TARGET")
	flag.Parse()
	o.memory = *mib << 20
	var err error
	if o.only, err = regexp.Compile(*only); err != nil || flag.NArg() > 0 || o.jobs < 1 || o.time <= 0 || o.memory <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, os.Stdout, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run fuzzes all targets and prints a line for each when it ends, and what was wrong when it failed. The error names
// those.
func run(ctx context.Context, w io.Writer, o options) error {
	temp, err := tempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	targets, err := build(ctx, o, temp)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d targets, %s each, %d side by side, at most %d MiB resident\n", len(targets), o.time, o.jobs,
		o.memory>>20)
	fmt.Fprintf(w, "%-58s %7s %12s %9s %8s  %s\n", "target", "seconds", "executions", "new", "peak MiB", "")
	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		failed []string
		execs  int64
		peak   int64
	)
	slots := make(chan struct{}, o.jobs)
	for _, t := range targets {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			r := t.fuzz(ctx, o, temp)
			mu.Lock()
			defer mu.Unlock()
			outcome := "ok"
			if r.err != nil {
				outcome = "FAILED: " + r.err.Error()
				failed = append(failed, t.String())
			}
			execs, peak = execs+r.execs, max(peak, r.peak)
			fmt.Fprintf(w, "%-58s %7.0f %12d %9d %8d  %s\n", t, r.took.Seconds(), r.execs, r.interesting, r.peak>>20, outcome)
		})
	}
	all.Wait()
	fmt.Fprintf(w, "%-58s %7s %12d %9s %8d\n", fmt.Sprintf("all %d", len(targets)), "", execs, "", peak>>20)
	if len(failed) > 0 {
		return fmt.Errorf("%d targets failed: %s", len(failed), strings.Join(failed, ", "))
	}
	return nil
}

// tempDir prefers memory, since some targets write files for each input.
func tempDir() (string, error) {
	base := os.Getenv("TMPDIR")
	var shm syscall.Statfs_t
	if base == "" && syscall.Statfs("/dev/shm", &shm) == nil && shm.Bavail*uint64(shm.Bsize) > 4<<30 {
		base = "/dev/shm"
	}
	return os.MkdirTemp(base, "fuzz-")
}
