// Package following runs a command for each commit of a table.
package following

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"textmill/crash"
	"textmill/export"
	"textmill/jobs"
	described "textmill/work/commits"
)

// Options say what is followed, and what is run.
type Options struct {
	Table    string        // path or URI
	Exec     string        // a command line of sh
	From     int64         // the first version, where no position says otherwise
	Position string        // the position's file; "" is one of its own for table and command in Dir
	Dir      string        // of positions
	Every    time.Duration // how often the log is looked at
	Once     bool          // end at the newest version
	Out      io.Writer
	About    io.Writer
}

// How long a command that failed waits to be run again: from firstPause on twice as long each time.
const (
	firstPause = time.Second
	mostPause  = time.Minute
	// toEnd is how long a command may take to end when it is asked to.
	toEnd = 10 * time.Second
)

// Follow runs the command for each commit in the order of their versions, the next when the one before has succeeded,
// until ctx ends. The position is written after each: a process that is killed in between runs that command again.
func Follow(ctx context.Context, o Options) error {
	commits, err := export.OpenCommits(ctx, o.Table)
	if err != nil {
		return err
	}
	defer commits.Close()
	path := o.Position
	if path == "" {
		hash := sha256.Sum256([]byte(commits.Path() + "\x00" + o.Exec))
		path = filepath.Join(o.Dir, hex.EncodeToString(hash[:12])+".json")
	}
	p, err := openPosition(path, commits.Path(), commits.TableID(), o.From)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.About, "following %s from version %d, position %s\n", commits.Path(), p.said.Version+1, path)
	err = follow(ctx, o, commits, p)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // it goes on there the next time
		if o.Once {
			err = fmt.Errorf("version %d is not done: %w; the next follow begins with it", p.said.Version+1, context.Cause(ctx))
		}
	}
	return errors.Join(err, p.close())
}

func follow(ctx context.Context, o Options, commits *export.Commits, p *position) error {
	for {
		c, err := commits.Read(p.said.Version + 1)
		switch {
		case errors.Is(err, export.ErrForgotten):
			return fmt.Errorf("%w; say --from %d with another --position, and load the table whole", err, commits.Newest())
		case err != nil:
			return err
		case c == nil && o.Once:
			return nil
		case c == nil:
			if err := wait(ctx, o.Every); err != nil {
				return err
			}
			continue
		}
		if err := untilDone(ctx, o, described.Describe(datasetOf(commits.Path()), commits.Path(), c)); err != nil {
			return err
		}
		crash.Point("before-position")
		if err := p.done(c.Version); err != nil {
			return err
		}
	}
}

// untilDone runs the command until it succeeds.
func untilDone(ctx context.Context, o Options, c jobs.TableCommit) error {
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := run(ctx, o, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			return nil
		}
		fmt.Fprintf(o.About, "version %d: %v; again in %s\n", c.Version, err, pause)
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// run runs the command once. When ctx ends it gets SIGTERM, and is killed if it does not end.
func run(ctx context.Context, o Options, c jobs.TableCommit) error {
	input, err := json.Marshal(c)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", o.Exec)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = toEnd
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(input, '\n')), o.Out, o.About
	cmd.Env = append(os.Environ(),
		"TEXTMILL_COMMIT_DATASET="+c.Dataset, "TEXTMILL_COMMIT_TABLE="+c.Table,
		"TEXTMILL_COMMIT_VERSION="+strconv.FormatInt(c.Version, 10),
		"TEXTMILL_COMMIT_SINCE="+strconv.FormatInt(c.Version-1, 10),
		"TEXTMILL_COMMIT_ROWS="+strconv.FormatInt(c.Rows, 10),
		"TEXTMILL_COMMIT_ERRORS="+strconv.FormatInt(c.Errors, 10),
		"TEXTMILL_COMMIT_ADDED="+strconv.Itoa(c.NAdded), "TEXTMILL_COMMIT_REMOVED="+strconv.Itoa(c.NRemoved))
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("the command failed: %w", err)
	}
	return nil
}

// datasetOf is the last part of a table's path.
func datasetOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
