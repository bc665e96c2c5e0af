package daemon

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dialPages connects to the daemon's pages.
func (r *running) dialPages() net.Conn {
	r.t.Helper()
	conn, err := new(net.Dialer).DialContext(r.t.Context(), "tcp", r.daemon.web.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// say sends a request as it is written here, and returns the status and what comes until the daemon ends the connection.
func (r *running) say(request string) (status string, rest string) {
	r.t.Helper()
	conn := r.dialPages()
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		r.t.Fatalf("%v after %q", err, all)
	}
	status, rest, _ = strings.Cut(string(all), "\r\n")
	return strings.TrimPrefix(status, "HTTP/1.1 "), rest
}

// do sends a request, with headers whose names and values take turns, and returns the status and all of the answer.
func (r *running) do(method, path string, body io.Reader, headers ...string) (int, []byte) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.daemon.web.Addr()+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, all
}

// get asks a page of the daemon.
func (r *running) get(path string) string {
	r.t.Helper()
	_, body := r.do(http.MethodGet, path, nil)
	return string(body)
}

func TestPagesAnswerOnlyToTheirOwn(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.AllowedHosts = []string{"mill.example"}
	r := start(t, cfg)
	_, port, err := net.SplitHostPort(r.daemon.web.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, headers, want string }{
		{"its address", "Host: 127.0.0.1:" + port, "200"},
		{"without a port", "Host: 127.0.0.1", "200"},
		{"localhost", "Host: LocalHost.:" + port, "200"},
		{"loopback of IPv6", "Host: [::1]:" + port, "200"},
		{"another loopback address", "Host: 127.9.9.9", "200"},
		{"a name of the configuration", "Host: mill.example:443", "200"},
		{"its own page", "Host: mill.example\r\nOrigin: https://mill.example", "200"},
		{"a name that was made to lead here", "Host: evil.example:" + port, "421"},
		{"a name that begins like an allowed one", "Host: localhost.evil.example", "421"},
		{"another machine's address", "Host: 203.0.113.7:" + port, "421"},
		{"another site's page", "Host: 127.0.0.1:" + port + "\r\nOrigin: http://evil.example", "403"},
		{"a page of another port", "Host: 127.0.0.1:" + port + "\r\nOrigin: http://127.0.0.1:1", "403"},
		{"a page without an origin", "Host: 127.0.0.1:" + port + "\r\nOrigin: null", "403"},
		{"two origins", "Host: mill.example\r\nOrigin: https://mill.example\r\nOrigin: http://evil.example", "403"},
		{"an image on another site's page", "Host: 127.0.0.1:" + port + "\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors", "403"},
		{"an image on a page of another port", "Host: localhost:" + port + "\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors", "403"},
		{"a link on another site's page", "Host: 127.0.0.1:" + port + "\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate", "200"},
		{"a link that is opened in a frame", "Host: localhost:" + port + "\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe", "403"},
		{"a link with the origin of another site", "Host: localhost:" + port + "\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate", "403"},
	} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/status", "/trace", "/nothing"} {
			want := tc.want
			if path == "/nothing" && want == "200" {
				want = "404"
			}
			status, rest := r.say("GET " + path + " HTTP/1.1\r\nConnection: close\r\n" + tc.headers + "\r\n\r\n")
			if !strings.HasPrefix(status, want) {
				t.Errorf("%s, %s: %s, want %s\n%.300s", tc.name, path, status, want, rest)
			}
		}
	}
}

// No page takes a body, and none is waited for, be there five hundred of them.
func TestBodiesAreRefused(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	r := start(t, testConfig(t))
	before := openFiles(t)
	const clients = 500
	begun := time.Now()
	for n := range clients {
		conn := r.dialPages()
		length := []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"}[n%2]
		paths := []string{"GET /trace?model=" + model + "&text=x", "POST /trace", "GET /healthz", "PUT /nothing"}
		path, want := paths[n/2%4], []string{" 413 ", " 405 ", " 413 ", " 404 "}[n/2%4]
		if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n5\r\nab", path, length); err != nil {
			t.Fatal(err)
		}
		if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(answer, want) {
			t.Fatalf("client %d, %s: %q, %v, want %s", n, path, answer, err, want)
		}
	}
	if took := time.Since(begun); took > time.Minute { // waiting for each would take an hour
		t.Errorf("to turn away %d clients took %v", clients, took)
	}
	for deadline := time.Now().Add(time.Minute); openFiles(t) > before+clients+5; { // our ends are open still
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors are open, %d before %d clients came", openFiles(t), before, clients)
		}
	}

	const size = 400 << 20
	conn := r.dialPages()
	head := "GET /trace?model=" + model + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"text\"; filename=\"t\"\r\n\r\n"
	if _, err := fmt.Fprintf(conn, head, size); err != nil {
		t.Fatal(err)
	}
	sent, block := 0, make([]byte, 1<<20)
	for sent < size {
		n, err := conn.Write(block)
		sent += n
		if err != nil {
			break
		}
	}
	if sent == size {
		t.Errorf("all of %d bytes were taken", size)
	}
	left, err := filepath.Glob(filepath.Join(temporary, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
