package embedded

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(Options{Addr: "127.0.0.1:0", Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t *testing.T, s *Server) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func TestMessagesOutliveTheServer(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	first := start(t, dir)
	nc, js := client(t, first)
	if nc.MaxPayload() != 8<<20 {
		t.Errorf("max_payload %d", nc.MaxPayload())
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(ctx, "s", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	_, js = client(t, start(t, dir))
	s, err := js.Stream(ctx, "S")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.GetMsg(ctx, 1); err != nil || string(m.Data) != "kept" {
		t.Errorf("%v, %v", m, err)
	}
}

func TestEveryAcknowledgedMessageIsSynced(t *testing.T) {
	opts, err := (&Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}).serverOptions()
	if err != nil || !opts.SyncAlways || !opts.NoSigs {
		t.Errorf("options %+v, %v", opts, err)
	}
}

// It listens where it is told to, and nowhere else: no monitoring, no profiler, no cluster, no other protocol. Nor does it tell of
// itself by messages, except to whoever may publish which clients there are (CONNZ).
func TestNoMonitoring(t *testing.T) {
	s := start(t, t.TempDir())
	nc, _ := client(t, s)
	if s.ns.MonitorAddr() != nil || s.ns.ProfilerAddr() != nil || s.ns.ClusterAddr() != nil {
		t.Errorf("it listens at %v, %v, %v", s.ns.MonitorAddr(), s.ns.ProfilerAddr(), s.ns.ClusterAddr())
	}
	opts, err := (&Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}).serverOptions()
	if err != nil || opts.HTTPPort != 0 || opts.HTTPSPort != 0 || opts.Websocket.Port != 0 || opts.MQTT.Port != 0 || opts.LeafNode.Port != 0 || opts.Gateway.Port != 0 {
		t.Errorf("options %+v, %v", opts, err)
	}
	for _, ask := range []string{"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.SERVER.PING.HEALTHZ"} {
		if m, err := nc.Request(ask, nil, time.Minute); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: %v, %v", ask, m, err)
		}
	}
}

func TestStoreIsServedOnce(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	_, err := Start(Options{Addr: "127.0.0.1:0", Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "set nats.url") || !strings.Contains(err.Error(), s.URL()) {
		t.Errorf("a second server: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

func TestAddressInUse(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	_, err = Start(Options{Addr: l.Addr().String(), Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
	start(t, dir) // the failure has let go of the store
}

func TestOptionsThatCannotWork(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"is not host:port":           {Addr: "here", Dir: t.TempDir()},
		"port":                       {Addr: "127.0.0.1:70000", Dir: t.TempDir()},
		"nats.embedded.dir is empty": {Addr: "127.0.0.1:0"},
		"nats.embedded.dir:":         {Addr: "127.0.0.1:0", Dir: file},
		"loopback addresses only":    {Addr: "0.0.0.0:0", Dir: t.TempDir()},
		`addr: "": without`:          {Addr: ":0", Dir: t.TempDir()},
		`addr: "::": without`:        {Addr: "[::]:0", Dir: t.TempDir()},
	} {
		if s, err := Start(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", want, s, err)
		}
	}
}

// TestSignalsStayWithTheProcess runs itself as a child that serves, and ends it
// by a signal that the child alone handles.
func TestSignalsStayWithTheProcess(t *testing.T) {
	if dir := os.Getenv("TEXTMILL_EMBEDDED_CHILD"); dir != "" {
		serveUntilSignal(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSignalsStayWithTheProcess$")
	cmd.Env = append(os.Environ(), "TEXTMILL_EMBEDDED_CHILD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1024)
	seen := ""
	for !strings.Contains(seen, "SERVING") {
		n, err := out.Read(buf)
		if seen += string(buf[:n]); err != nil {
			t.Fatalf("the child says %q, %v", seen, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(seen, "STILL SERVING") {
		n, err := out.Read(buf)
		if seen += string(buf[:n]); err != nil {
			t.Fatalf("the server took the signal: %q, %v", seen, err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child ends with %v", err)
	}
}

func serveUntilSignal(t *testing.T, dir string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	s := start(t, dir)
	os.Stdout.WriteString("SERVING\n")
	select {
	case <-signals:
	case <-time.After(30 * time.Second):
		t.Fatal("no signal came")
	}
	nc, _ := client(t, s)
	if err := nc.FlushTimeout(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("STILL SERVING\n")
}
