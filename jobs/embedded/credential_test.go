package embedded

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func credentialFile(dir string) string { return filepath.Join(dir, "clients.nk") }

func startGuarded(t *testing.T, addr, dir string) *Server {
	t.Helper()
	s, err := Start(Options{Addr: addr, Dir: dir, Credential: true, CredentialFile: credentialFile(dir), Logger: slog.New(slog.DiscardHandler)})
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

// byFile logs in as any NATS client does that is given a seed's file.
func byFile(t *testing.T, s *Server, file string) error {
	t.Helper()
	login, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.URL(), login)
	if err == nil {
		err = nc.Flush()
		nc.Close()
	}
	return err
}

func TestCredentialLetsInWhoHasIt(t *testing.T) {
	dir := t.TempDir()
	s := startGuarded(t, "127.0.0.1:0", dir)
	file := credentialFile(dir)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v; want mode 0600", file, info, err)
	}
	if err := byFile(t, s, file); err != nil {
		t.Errorf("with the credential: %v", err)
	}
	for name, option := range map[string]nats.Option{
		"nothing": nats.Name("stranger"), "a token": nats.Token("guess"), "a password": nats.UserInfo("textmill", "textmill"),
	} {
		if nc, err := nats.Connect(s.URL(), option); !errors.Is(err, nats.ErrAuthorization) {
			nc.Close()
			t.Errorf("with %s: %v", name, err)
		}
	}
	other, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := other.Seed()
	if err != nil {
		t.Fatal(err)
	}
	forged := t.TempDir() + "/other.nk"
	if err := os.WriteFile(forged, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := byFile(t, s, forged); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with another nkey: %v", err)
	}
	public, err := other.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = nats.Connect(s.URL(), nats.Nkey(public, func([]byte) ([]byte, error) { return make([]byte, 64), nil }))
	if !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with a signature that is none: %v", err)
	}
}

// What clients were given stays good over restarts, and does no harm where none is asked for any more.
func TestCredentialOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	first := startGuarded(t, "127.0.0.1:0", dir)
	given, err := os.ReadFile(credentialFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := startGuarded(t, "0.0.0.0:0", dir)
	if again, err := os.ReadFile(credentialFile(dir)); err != nil || string(again) != string(given) {
		t.Errorf("another credential was made: %v", err)
	}
	if err := byFile(t, second, credentialFile(dir)); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	open := start(t, dir)
	if err := byFile(t, open, credentialFile(dir)); err != nil {
		t.Errorf("an open server turns away who has a credential: %v", err)
	}
}

func TestCredentialThatIsNoSecretIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(file string) error{
		"chmod 600":     func(file string) error { return os.Chmod(file, 0o640) },
		"holds no seed": func(file string) error { return os.WriteFile(file, []byte("hello"), 0o600) },
		"is a directory": func(file string) error {
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o700))
		},
	} {
		dir := t.TempDir()
		if err := startGuarded(t, "127.0.0.1:0", dir).Close(); err != nil {
			t.Fatal(err)
		}
		if err := spoil(credentialFile(dir)); err != nil {
			t.Fatal(err)
		}
		s, err := Start(Options{Addr: "127.0.0.1:0", Dir: dir, Credential: true, CredentialFile: credentialFile(dir), Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, s, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

// A page in a browser cannot publish: the server ends the connection at the first line of HTTP, whatever follows it.
func TestBrowsersAreHungUpOn(t *testing.T) {
	s := start(t, t.TempDir())
	nc, _ := client(t, s)
	heard, err := nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST", "PUT", "OPTIONS", "CONNECT"} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "nats://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, method+" / HTTP/1.1\r\nHost: x\r\n\r\nCONNECT {}\r\nPUB a 2\r\nhi\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the server listens on after %q", method, said)
		}
		_ = conn.Close() // it was the server that ended it
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, err := heard.Pending(); err != nil || n > 0 {
		t.Errorf("%d messages were published, %v", n, err)
	}
}

// Who has no credential holds no connection for long, whether he says nothing or begins and does not end.
func TestStrangersAreHungUpOn(t *testing.T) {
	s := startGuarded(t, "127.0.0.1:0", t.TempDir())
	for _, says := range []string{"", `CONNECT {"verbose":`} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "nats://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, says); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if said, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q the server waits on, having said %q", says, said)
		}
		_ = conn.Close() // it was the server that ended it
	}
}

func TestStoreIsItsOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nats")
	startGuarded(t, "127.0.0.1:0", dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v; want mode 0700", info, err)
	}
}
