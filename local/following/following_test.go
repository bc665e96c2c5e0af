package following

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/ground/flock"
	"textmill/internal/committed"
	"textmill/jobs"
)

// commit adds a row in a commit of its own.
func commit(t *testing.T, dir string, n int) string {
	t.Helper()
	return committed.Table(t, export.Options{URI: dir}, "docs", export.Vectors{},
		[]export.Row{{RecordID: fmt.Sprint(n)}, {RecordID: "e", Error: "no"}})
}

func followed(t *testing.T, o Options) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o.Out, o.About, o.Every, o.Once = &out, io.Discard, time.Millisecond, true
	err := Follow(t.Context(), o)
	return out.String(), err
}

const tell = `echo "$TEXTMILL_COMMIT_SINCE-$TEXTMILL_COMMIT_VERSION $TEXTMILL_COMMIT_DATASET $TEXTMILL_COMMIT_ROWS $TEXTMILL_COMMIT_ERRORS $TEXTMILL_COMMIT_ADDED"`

// TestFollowRunsOnceForEachCommit also over several runs of it, each going on where the one before was.
func TestFollowRunsOnceForEachCommit(t *testing.T) {
	dir := t.TempDir()
	table := commit(t, dir, 0)
	commit(t, dir, 1)
	o := Options{Table: table, Exec: tell, Dir: t.TempDir()}
	got, err := followed(t, o)
	if want := "-1-0 docs 0 0 0\n0-1 docs 2 1 2\n1-2 docs 2 1 2\n"; err != nil || got != want {
		t.Fatalf("%q, %v; want %q", got, err, want)
	}
	commit(t, dir, 2)
	if got, err = followed(t, o); err != nil || got != "2-3 docs 2 1 2\n" {
		t.Errorf("it goes on with %q, %v", got, err)
	}
	if got, err = followed(t, Options{Table: table, Exec: "cat", Dir: t.TempDir(), From: 3}); err != nil {
		t.Fatal(err)
	}
	var c jobs.TableCommit
	if err := json.Unmarshal([]byte(got), &c); err != nil || c.Version != 3 || c.Table != table || len(c.Added) != 2 || *c.Added[0].Rows+*c.Added[1].Rows != 2 ||
		!strings.HasPrefix(c.Added[0].Path, table) || c.Operation != "WRITE" {
		t.Errorf("on standard input: %s, %v", got, err)
	}
}

// A command that fails is run again for the same version before any later one.
func TestFollowTriesAgain(t *testing.T) {
	dir := t.TempDir()
	table := commit(t, dir, 0)
	mark := filepath.Join(t.TempDir(), "mark")
	got, err := followed(t, Options{Table: table, Dir: t.TempDir(),
		Exec: `echo "$TEXTMILL_COMMIT_VERSION"; if [ "$TEXTMILL_COMMIT_VERSION" = 0 ] && [ ! -e ` + mark + ` ]; then touch ` + mark + `; exit 3; fi`})
	if err != nil || got != "0\n0\n1\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Ctrl-C while the command runs ends both, and the version is done again the next time; who asked for all versions up to the newest is told
// that they are not done.
func TestFollowEndsCleanly(t *testing.T) {
	table := commit(t, t.TempDir(), 0)
	for _, once := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		reader, writer := io.Pipe()
		go func() {
			_, _ = reader.Read(make([]byte, 1))
			cancel()
			_, _ = io.Copy(io.Discard, reader)
		}()
		o := Options{Table: table, Dir: t.TempDir(), Exec: "echo running; exec sleep 600", Every: time.Millisecond, Once: once, Out: writer, About: io.Discard}
		err := Follow(ctx, o)
		if once != (err != nil) || once && !strings.Contains(err.Error(), "version 0 is not done") {
			t.Errorf("once %v: %v", once, err)
		}
		files, err := filepath.Glob(filepath.Join(o.Dir, "*.json"))
		if err != nil || len(files) != 0 {
			t.Errorf("a version that was not done is kept as done: %v, %v", files, err)
		}
	}
}

func TestFollowRefusesAPositionOfAnother(t *testing.T) {
	table, other := commit(t, t.TempDir(), 0), commit(t, t.TempDir(), 0)
	position := filepath.Join(t.TempDir(), "position")
	if _, err := followed(t, Options{Table: table, Exec: "true", Position: position}); err != nil {
		t.Fatal(err)
	}
	if _, err := followed(t, Options{Table: other, Exec: "true", Position: position}); !errors.Is(err, errOther) {
		t.Errorf("another table's position: %v", err)
	}
	held, err := flock.Open(position+".lock", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := followed(t, Options{Table: table, Exec: "true", Position: position}); !errors.Is(err, flock.ErrLocked) {
		t.Errorf("another process's position: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(position, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := followed(t, Options{Table: table, Exec: "true", Position: position}); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a damaged position: %v", err)
	}
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"table":"/t","table_id":"x","version":3}`))
	f.Add([]byte(`{"version":-9}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if said, err := parsePosition(raw); err == nil && (said.TableID == "" || said.Version < -1) {
			t.Errorf("%q gives %+v", raw, said)
		}
	})
}
