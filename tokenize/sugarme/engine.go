package sugarme

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// The ways in which the library fails.
var (
	ErrCrashed = errors.New("sugarme/tokenizer ended its process")
	ErrTimeout = errors.New("sugarme/tokenizer did not answer in time")
	ErrRefused = errors.New("sugarme/tokenizer returned an error")
)

// ErrUnavailable says that no process could be started to ask, which no text is to blame for.
var ErrUnavailable = errors.New("sugarme/tokenizer does not start")

// Encoding is what the library makes of a text.
type Encoding struct {
	IDs     []int32    `json:"ids"`
	TypeIDs []int32    `json:"type_ids"`
	Tokens  []string   `json:"tokens"`
	Offsets [][2]int32 `json:"offsets"` // in bytes
}

// Options are an engine's; the zero value is good.
type Options struct {
	Executable  string        // "" is the running one
	Timeout     time.Duration // of one text; 0 is 10 s
	LoadTimeout time.Duration // 0 is 2 min
}

// Engine asks a child process, and starts another when that has died. It is safe for concurrent use, one text at a
// time.
type Engine struct {
	path    string
	options Options
	mu      sync.Mutex
	child   *child
	lost    int // children in a row that were lost before they answered a text
}

// What restarts are bound by: a few that follow each other are at once, then each waits for twice as long as the one
// before.
const (
	restartsAtOnce = 4
	firstWait      = 20 * time.Millisecond
	longestWait    = time.Second
	mostStarts     = 4 // of one text; starts that fail are not its fault
)

type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *os.File
	replies *bufio.Reader
	stderr  *tail
}

// Open starts a child with a tokenizer.json. The error is of class ErrCrashed, ErrTimeout or ErrRefused when the
// library cannot load it.
func Open(ctx context.Context, path string, o Options) (*Engine, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = 2 * time.Minute
	}
	if o.Executable == "" {
		var err error
		if o.Executable, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the running executable: %w", err)
		}
	}
	e := &Engine{path: path, options: o}
	if err := e.start(ctx); err != nil {
		return nil, fmt.Errorf("load tokenizer %s: %w", path, err)
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context) error {
	cmd := exec.Command(e.options.Executable, ChildCommand, e.path) //nolint:noctx // stop ends it, after many calls
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return err
	}
	c := &child{cmd: cmd, in: in, out: out, replies: bufio.NewReader(out), stderr: &tail{}}
	cmd.ExtraFiles = []*os.File{childOut} // becomes descriptor 3
	cmd.Stderr = c.stderr
	err = cmd.Start()
	childOut.Close()
	if err != nil {
		return errors.Join(err, out.Close())
	}
	e.child = c
	_, err = e.await(ctx, e.options.LoadTimeout)
	if err != nil && e.child != nil {
		e.stop()
	}
	return err
}

// ready makes sure that there is a child.
func (e *Engine) ready(ctx context.Context) (err error) {
	for range mostStarts {
		if e.child != nil {
			return nil
		}
		if over := e.lost - restartsAtOnce; over >= 0 {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(min(firstWait<<min(over, 16), longestWait)):
			}
		}
		if err = e.start(ctx); err != nil {
			e.lost++
		}
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// Encode asks for the tokens of one text. A child that crashes or hangs is gone afterwards; the next call starts
// another.
func (e *Engine) Encode(ctx context.Context, text string, specials bool) (Encoding, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.ready(ctx); err != nil {
		return Encoding{}, err
	}
	line, err := json.Marshal(question{text, specials})
	if err != nil {
		return Encoding{}, err
	}
	written := make(chan struct{})
	go func(c *child) { // a child that does not read must not hold us up; its end releases the pipe
		defer close(written)
		_, _ = c.in.Write(append(line, '\n')) // a child that is gone is told by its answer's end
	}(e.child)
	enc, err := e.await(ctx, e.options.Timeout)
	if e.child == nil {
		<-written
		e.lost++
		return enc, err
	}
	e.lost = 0
	return enc, err
}

// await reads one answer. Unless there is one, the child is ended.
func (e *Engine) await(ctx context.Context, timeout time.Duration) (Encoding, error) {
	type result struct {
		line []byte
		err  error
	}
	got := make(chan result, 1)
	go func(c *child) {
		line, err := c.replies.ReadBytes('\n')
		got <- result{line, err}
	}(e.child)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case r := <-got:
		if r.err != nil {
			said := e.stop()
			return Encoding{}, fmt.Errorf("%w: %s", ErrCrashed, said)
		}
		var a answer
		if err := json.Unmarshal(r.line, &a); err != nil {
			e.stop()
			return Encoding{}, fmt.Errorf("%w: unreadable answer: %w", ErrCrashed, err)
		}
		if a.Error != "" {
			return Encoding{}, fmt.Errorf("%w: %s", ErrRefused, a.Error)
		}
		return a.Encoding, nil
	case <-timer.C:
		e.stop()
		return Encoding{}, fmt.Errorf("%w: %v", ErrTimeout, timeout)
	case <-ctx.Done():
		e.stop()
		return Encoding{}, context.Cause(ctx)
	}
}

// stop ends the child and returns what it last wrote to standard error.
func (e *Engine) stop() string {
	c := e.child
	e.child = nil
	_ = c.cmd.Process.Kill() // it may have gone by itself
	_ = c.cmd.Wait()         // the status says nothing that stderr does not
	c.in.Close()
	c.out.Close()
	return c.stderr.summary()
}

// Close ends the child.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.child != nil {
		e.stop()
	}
	return nil
}

// tail keeps the beginning of what a child last said: a panic's message comes first, its stack after it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 4096 - len(t.buf); room > 0 {
		t.buf = append(t.buf, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// summary is the line that tells most: the first of a panic or a fatal error, else the last.
func (t *tail) summary() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.buf)), "\n")
	for _, l := range lines {
		if strings.HasPrefix(l, "panic:") || strings.HasPrefix(l, "fatal error:") {
			return l
		}
	}
	return lines[len(lines)-1]
}
