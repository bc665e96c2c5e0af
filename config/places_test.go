package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// userDirs gives the test a user with cache and data directories of its own.
func userDirs(t *testing.T) (cache, data string) {
	t.Helper()
	base := t.TempDir()
	t.Setenv("HOME", base)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(base, "my cache"))
	t.Setenv("XDG_DATA_HOME", filepath.Join(base, "my data"))
	return filepath.Join(base, "my cache", "textmill"), filepath.Join(base, "my data", "textmill")
}

func fill(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, "something"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// lies checks where queue, tables and scratch are.
func lies(t *testing.T, c Config, nats, tables, scratch string) {
	t.Helper()
	if c.NATS.Embedded.Dir != nats || c.Export.URI != tables || c.Export.Scratch != scratch {
		t.Errorf("queue %s, tables %s, scratch %s;\nwant %s, %s, %s", c.NATS.Embedded.Dir, c.Export.URI, c.Export.Scratch, nats, tables, scratch)
	}
}

func TestQueueAndTablesAreNoCache(t *testing.T) {
	cache, data := userDirs(t)
	c := load(t, Options{})
	lies(t, c, data+"/nats", data+"/tables", data+"/scratch")
	if c.Home != cache || c.Data != data || c.Runtime.Library != "" || len(c.OldPlaces()) > 0 {
		t.Errorf("home %s, data %s, library %s, notices %q", c.Home, c.Data, c.Runtime.Library, c.OldPlaces())
	}
	t.Setenv("XDG_DATA_HOME", "relative")
	if c := load(t, Options{}); c.Data != filepath.Join(os.Getenv("HOME"), ".local/share/textmill") {
		t.Errorf("with a relative XDG_DATA_HOME data is %s", c.Data)
	}
	home := t.TempDir()
	fill(t, cache+"/nats", cache+"/tables")
	c = load(t, Options{Env: []string{"TEXTMILL_HOME=" + home}})
	if lies(t, c, home+"/nats", home+"/tables", home+"/scratch"); len(c.OldPlaces()) > 0 {
		t.Errorf("one tree, and yet notices: %q", c.OldPlaces())
	}
	c = load(t, Options{Set: []string{"data=" + home}})
	if lies(t, c, home+"/nats", home+"/tables", home+"/scratch"); c.Home != cache || len(c.OldPlaces()) > 0 {
		t.Errorf("with data set: home %s, notices %q", c.Home, c.OldPlaces())
	}
	c = load(t, Options{Set: []string{"data=<home>/d", "export.uri=s3://bucket/x"}})
	lies(t, c, cache+"/d/nats", "s3://bucket/x", cache+"/d/scratch")
}

// TestAnOlderQueueStaysInUse follows the line that moves an older version's queue and tables.
func TestAnOlderQueueStaysInUse(t *testing.T) {
	cache, data := userDirs(t)
	fill(t, cache+"/nats", cache+"/tables", cache+"/models")
	if err := os.MkdirAll(data+"/nats", 0o700); err != nil { // empty: nobody ever used it
		t.Fatal(err)
	}
	c := load(t, Options{})
	lies(t, c, cache+"/nats", cache+"/tables", data+"/scratch")
	if len(c.OldPlaces()) != 1 {
		t.Fatalf("notices: %q", c.OldPlaces())
	}
	_, command, ok := strings.Cut(c.OldPlaces()[0], "run: ")
	if out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput(); !ok || err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	c = load(t, Options{})
	if lies(t, c, data+"/nats", data+"/tables", data+"/scratch"); len(c.OldPlaces()) > 0 {
		t.Errorf("moved, and yet notices: %q", c.OldPlaces())
	}
	for _, dir := range []string{data + "/nats/something", data + "/tables/something", cache + "/models/something"} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	if err := os.Symlink(data+"/nats", cache+"/nats"); err != nil {
		t.Fatal(err)
	}
	if c := load(t, Options{}); len(c.OldPlaces()) > 0 {
		t.Errorf("a link to the new place is no older queue: %q", c.OldPlaces())
	}
}

func TestAQueueInBothPlacesIsTold(t *testing.T) {
	cache, data := userDirs(t)
	fill(t, cache+"/nats", data+"/nats", cache+"/tables", data+"/tables")
	if err := os.MkdirAll(cache+"/tables/docs", 0o700); err != nil {
		t.Fatal(err)
	}
	c := load(t, Options{})
	lies(t, c, data+"/nats", data+"/tables", data+"/scratch")
	if len(c.OldPlaces()) != 2 {
		t.Fatalf("notices: %q", c.OldPlaces())
	}
	_, set, ok := strings.Cut(c.OldPlaces()[0], "textmill daemon --set nats.embedded.dir=")
	if !ok || strings.Trim(set, "'") != cache+"/nats" {
		t.Errorf("the older queue's jobs are not told of: %s", c.OldPlaces()[0])
	}
	_, command, _ := strings.Cut(c.OldPlaces()[1], "comes with: ")
	if out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput(); err != nil {
		t.Logf("mv tells what it left: %v %s", err, out) // the exit status of mv -n differs between versions
	}
	if _, err := os.Stat(data + "/tables/docs"); err != nil {
		t.Errorf("%s did not move the table that only the older place had: %v", command, err)
	}
	if _, err := os.Stat(cache + "/tables/something"); err != nil {
		t.Errorf("a table that is in both places was lost: %v", err)
	}
}
