package page

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"textmill/daemon/catalog"
	"textmill/daemon/lately"
	"textmill/daemon/session"
)

// piped serves a site to connections in memory, so that a bubble's clock is that of both ends: nothing is waited for in
// earnest, and what comes late shows. What is sent and not read holds its sender, as a full window does.
func piped(t *testing.T, o Options) (dial func(path string) net.Conn, site *Site) {
	t.Helper()
	o.Sessions, o.Log = session.New(""), slog.New(slog.DiscardHandler)
	o.Tables = catalog.New(catalog.Options{URI: t.TempDir()})
	site = New(o)
	mux := http.NewServeMux()
	for _, r := range site.Routes() {
		mux.HandleFunc(r.Method+" "+r.Path, r.Answer)
	}
	l := make(inMemory)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		site.End()
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return func(path string) net.Conn {
		ours, theirs := net.Pipe()
		l <- theirs
		t.Cleanup(func() { ours.Close() })
		if _, err := io.WriteString(ours, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return ours
	}, site
}

// inMemory are connections that somebody dialled.
type inMemory chan net.Conn

func (l inMemory) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l inMemory) Close() error   { close(l); return nil }
func (l inMemory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// come are the lines of a stream that begin with a word, as they come.
func come(t *testing.T, conn net.Conn, begin string) <-chan string {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // who reads it does
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("a stream is answered %s", answer.Status)
	}
	all := make(chan string)
	go func() {
		defer close(all)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), begin) {
				all <- lines.Text()
			}
		}
	}()
	return all
}

// clock is a world that changes with each second.
type clock struct {
	world
	begun time.Time
}

func (c *clock) Now() Now {
	n := int64(time.Since(c.begun) / time.Second)
	return Now{Since: c.begun, Commits: []lately.Commit{{At: c.begun, Dataset: "docs", Version: n}}}
}

// A stream in which nothing happens is heard of every quarter of a minute, and lasts a quarter of an hour.
func TestStreamsAreHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, site := piped(t, Options{Watchers: 1, Work: &world{}, Jobs: &world{}, Letters: &world{}})
		begun := time.Now()
		beats := 0
		for range come(t, dial("/events/dead"), ": still here") {
			beats++
			if at := time.Since(begun); at != time.Duration(beats)*heartbeat {
				t.Fatalf("heard of for the %d. time after %v", beats, at)
			}
		}
		if took := time.Since(begun); took != streamLife || beats < int(streamLife/heartbeat)-1 { // one may be due as it ends
			t.Errorf("a stream of %v was heard of %d times", took, beats)
		}
		synctest.Wait()
		if n := len(site.watching); n != 0 {
			t.Errorf("%d places are held after its end", n)
		}
	})
}

// A browser that reads nothing costs who looks at the same page not a moment, and is cut off; its place is free again.
func TestStuckReadersCostNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &clock{begun: time.Now()}
		dial, site := piped(t, Options{Watchers: 2, Work: w, Jobs: w, Letters: w})
		stuck := dial("/events/")
		synctest.Wait() // until it is held by what nobody reads
		if len(site.watching) != 1 || len(site.looks.open) != 1 {
			t.Fatalf("%d watch %d pages", len(site.watching), len(site.looks.open))
		}
		begun := time.Now()
		reads := come(t, dial("/events/"), "data: ")
		for n := range int(slowest/time.Second) * 3 {
			<-reads
			if at := time.Since(begun); at != time.Duration(n)*time.Second {
				t.Fatalf("what is of second %d comes after %v", n, at)
			}
			if at := time.Since(begun); at > slowest && len(site.watching) != 1 {
				t.Fatalf("who read nothing for %v holds a place", at)
			}
		}
		// The other end hung up, though headers and all that followed were never read.
		if _, err := io.Copy(io.Discard, stuck); err != nil {
			t.Errorf("the stuck connection: %v", err)
		}
		if status := statusOf(t, dial("/events/")); status != http.StatusOK {
			t.Errorf("the place of who was cut off: %d", status)
		}
	})
}

// Who leaves is noticed at once, not at the next event: his place is another's, and his page is made no more.
func TestWhoLeavesFreesHisPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, site := piped(t, Options{Watchers: 1, Work: &world{}, Jobs: &world{}, Letters: &world{}})
		begun := time.Now()
		conn := dial("/events/jobs")
		<-come(t, conn, "data: ")
		if status := statusOf(t, dial("/events/jobs")); status != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", status)
		}
		conn.Close()
		synctest.Wait()
		if len(site.watching) != 0 || len(site.looks.open) != 0 || time.Since(begun) != 0 {
			t.Errorf("%v after it was left, %d places are held and %d pages made", time.Since(begun), len(site.watching), len(site.looks.open))
		}
		if status := statusOf(t, dial("/events/jobs")); status != http.StatusOK {
			t.Errorf("who comes after him: %d", status)
		}
	})
}

func statusOf(t *testing.T, conn net.Conn) int {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // it ends with the connection
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	synctest.Wait()
	return answer.StatusCode
}
