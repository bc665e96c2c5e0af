package queue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"textmill/jobs"
	"textmill/jobs/embedded"
)

const subjectM = "textmill.jobs.embed.m"

// buildDir holds the nats-server that tests run as a child.
var buildDir string

func TestMain(m *testing.M) {
	code := 1
	defer func() { os.Exit(code) }()
	var err error
	if buildDir, err = os.MkdirTemp("", "textmill-queue"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer os.RemoveAll(buildDir)
	code = m.Run()
}

var serverBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "nats-server")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build nats-server: %w: %s", err, out)
	}
	return path, nil
})

// child is a nats-server of its own, with JetStream on disk.
type child struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
}

func startChild(t *testing.T) *child {
	c := &child{t: t, dir: t.TempDir(), port: -1}
	c.start()
	t.Cleanup(c.kill)
	return c
}

// start runs the server, on the same port as before if there was one.
func (c *child) start() {
	c.t.Helper()
	path, err := serverBinary()
	if err != nil {
		c.t.Fatal(err)
	}
	conf := filepath.Join(c.dir, "nats.conf")
	text := fmt.Sprintf("listen: 127.0.0.1:%d\njetstream { store_dir: %q, sync_interval: always }\n", c.port, c.dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.cmd = exec.CommandContext(context.Background(), path, "-c", conf)
	logs, err := c.cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if _, at, ok := strings.Cut(lines.Text(), "Listening for client connections on 127.0.0.1:"); ok {
			if c.port, err = strconv.Atoi(at); err != nil {
				c.t.Fatal(err)
			}
		}
		if strings.Contains(lines.Text(), "Server is ready") {
			go func() {
				for lines.Scan() { // so that the server never blocks on its log
				}
			}()
			return
		}
	}
	c.t.Fatal("nats-server ended before it was ready")
}

func (c *child) kill() {
	if c.cmd == nil {
		return
	}
	err := errors.Join(c.cmd.Process.Kill(), c.cmd.Wait())
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.t.Errorf("end nats-server: %v", err)
	}
	c.cmd = nil
}

func (c *child) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", c.port) }

// inProcess runs a server with other options than the embedded one has.
func inProcess(t *testing.T, o *server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	ns, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	return ns.ClientURL()
}

func embeddedURL(t *testing.T) string {
	t.Helper()
	s, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: t.TempDir(), MaxPayload: 1 << 20, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// dial connects and makes the streams.
func dial(t *testing.T, o Options) *Queue {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet()
	}
	q, err := Connect(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	if err := q.EnsureStreams(within(t), StreamOptions{MaxBytes: 1 << 30, DeadMaxBytes: 1 << 30, EventsMaxBytes: 1 << 28}); err != nil {
		t.Fatal(err)
	}
	return q
}

// put publishes messages on one subject.
func put(t *testing.T, q *Queue, subject string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if err := q.PublishJob(within(t), JobMessage{Subject: subject, Data: []byte(b)}); err != nil {
			t.Fatal(err)
		}
		if err := q.Flush(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func consumer(t *testing.T, q *Queue, subject string) *Consumer {
	t.Helper()
	c, err := q.Consumer(within(t), subject, "sha")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fetch(t *testing.T, c *Consumer, messages, bytes int) []*Delivery {
	t.Helper()
	got, err := c.Fetch(within(t), messages, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// waiting returns when a consumer has learnt of n messages, which it does a
// little later than the stream.
func waiting(t *testing.T, c *Consumer, n uint64) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); ; {
		have, _, err := c.Pending(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if have == n {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d messages wait, want %d", have, n)
		case <-tick.C:
		}
	}
}

// fetchSoon waits for a message.
func fetchSoon(t *testing.T, c *Consumer) *Delivery {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); ; {
		if got := fetch(t, c, 1, 0); len(got) == 1 {
			return got[0]
		}
		select {
		case <-ctx.Done():
			t.Fatal("nothing was delivered")
		case <-tick.C:
		}
	}
}

func committed(job, shard string, rows int64) jobs.Event {
	return jobs.Event{Type: jobs.EventCommitted, Job: job, Shard: shard, Rows: rows, Table: "/t", Version: 1, Time: time.Now()}
}
