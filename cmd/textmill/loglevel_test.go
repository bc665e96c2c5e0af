package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"textmill/config"
)

// lines is a log that is read line by line while it is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestSIGHUPReadsTheLevelAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "textmill.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (config.Config, error) { return config.Load(config.Options{Path: file}) }
	write("log: {level: warn}\n")
	cfg, err := read()
	if err != nil {
		t.Fatal(err)
	}
	out, said := make(lines, 100), ""
	level := new(slog.LevelVar)
	level.Set(levelOf(cfg))
	log := levelled(cfg, out, level)
	followLevel(t.Context(), level, read, log)
	hangUp := func(until string) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.After(time.Minute); !strings.Contains(said, until); {
			select {
			case line := <-out:
				said += line
			case <-deadline:
				t.Fatalf("the log never said %q: %s", until, said)
			}
		}
	}
	log.Debug("said too early")
	write("log: {level: debug}\n")
	hangUp("level=DEBUG")
	log.Debug("said in time")
	write("log: {level: loud}\n")
	hangUp("log.level stays")
	log.Debug("said still")
	write("log: {level: error}\n")
	hangUp("level=ERROR")
	log.Warn("said too late")
	for len(out) > 0 {
		said += <-out
	}
	if !strings.Contains(said, "said in time") || !strings.Contains(said, "said still") || strings.Contains(said, "said too") {
		t.Errorf("%s", said)
	}
}
