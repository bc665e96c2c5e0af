package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"textmill/config"
)

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.all.String(), text)
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
	var out lines
	level := new(slog.LevelVar)
	level.Set(levelOf(cfg))
	log := levelled(cfg, &out, level)
	followLevel(t.Context(), level, read, log)
	hangUp := func(until string) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); !out.has(until); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log never said %q: %s", until, &out.all)
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
	if !out.has("said in time") || !out.has("said still") || out.has("said too") {
		t.Errorf("%s", &out.all)
	}
}
