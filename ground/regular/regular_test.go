package regular

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	listener, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := errors.Join(
		os.WriteFile(at("file"), []byte("text"), 0o600), os.Symlink("file", at("link")), syscall.Mkfifo(at("pipe"), 0o600),
		os.Symlink("pipe", at("link to pipe")), os.Symlink("/dev/stdin", at("link to stdin")),
	); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "link"} {
		if data, err := ReadFile(at(name)); err != nil || string(data) != "text" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, path := range []string{dir, at("pipe"), at("link to pipe"), at("socket"), "/dev/zero", "/dev/null"} {
		if _, err := ReadFile(path); !errors.Is(err, ErrKind) {
			t.Errorf("%s: %v, want ErrKind", path, err)
		}
	}
	if _, err := Open(at("absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("given"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if data, err := ReadFile(filepath.Join("/dev/fd", itoa(r.Fd()))); err != nil || string(data) != "given" {
		t.Errorf("a descriptor that was given: %q, %v", data, err)
	}
	big, err := os.Create(at("big"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(big.Truncate(MostBytes+1), big.Close()); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(at("big")); err == nil {
		t.Errorf("a file without measure was read: %d bytes", len(data))
	}
}

func itoa(n uintptr) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
