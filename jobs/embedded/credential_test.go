package embedded

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func startGuarded(t *testing.T, addr, dir string) *Server {
	t.Helper()
	s, err := Start(Options{Addr: addr, Dir: dir, Credential: true, Logger: slog.New(slog.DiscardHandler)})
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
	file := CredentialFile(dir)
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
	given, err := os.ReadFile(CredentialFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := startGuarded(t, "0.0.0.0:0", dir)
	if again, err := os.ReadFile(CredentialFile(dir)); err != nil || string(again) != string(given) {
		t.Errorf("another credential was made: %v", err)
	}
	if err := byFile(t, second, CredentialFile(dir)); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	open := start(t, dir)
	if err := byFile(t, open, CredentialFile(dir)); err != nil {
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
		if err := spoil(CredentialFile(dir)); err != nil {
			t.Fatal(err)
		}
		s, err := Start(Options{Addr: "127.0.0.1:0", Dir: dir, Credential: true, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, s, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}
