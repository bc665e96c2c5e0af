package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"textmill/ground/places"
)

// Where things lie when nothing says otherwise: what can be fetched again (models, libraries) is cache, what cannot
// (the queue, tables) is data. With home set all of it is one tree.

// folders stand in the place of inHome and inData.
type folders struct {
	home, data string
	old        bool // earlier versions kept the data in home
	kept       []string
	beside     [][2]string // what lies in home though it is data, and what is used instead
}

// newFolders finds the two folders of a configuration; givenHome says that home is not just the default.
func newFolders(c *Config, givenHome bool) (*folders, error) {
	if c.Home == "" {
		return nil, errors.New("is empty and this user has no cache directory; set " + places.HomeVariable)
	}
	home, err := filepath.Abs(c.Home)
	if err != nil {
		return nil, err
	}
	f := &folders{home: home, data: home}
	switch {
	case c.Data != "":
		if rest, ok := strings.CutPrefix(c.Data, inHome); ok {
			f.data = filepath.Join(home, rest)
		} else if f.data, err = filepath.Abs(c.Data); err != nil {
			return nil, err
		}
	case !givenHome:
		if dir, ok := places.Data(); ok {
			f.data, f.old = dir, dir != home
		}
	}
	return f, nil
}

// resolve makes a path of the configuration absolute; a value with a scheme stays as it is.
func (f *folders) resolve(s string) string {
	if rest, ok := strings.CutPrefix(s, inHome); ok {
		return filepath.Join(f.home, rest)
	}
	if rest, ok := strings.CutPrefix(s, inData); ok {
		return f.dataAt(rest)
	}
	if s == "" || strings.Contains(s, "://") || strings.HasPrefix(s, "~") {
		return s
	}
	if abs, err := filepath.Abs(s); err == nil {
		return abs
	}
	return s
}

// dataAt is a place below data, or below home if it was filled there by an earlier version and data has none: queued
// jobs must not strand.
func (f *folders) dataAt(rest string) string {
	now, before := filepath.Join(f.data, rest), filepath.Join(f.home, rest)
	if !f.old || now == f.data || !filled(before) || same(before, now) {
		return now
	}
	if filled(now) {
		f.beside = append(f.beside, [2]string{before, now})
		return now
	}
	f.kept = append(f.kept, before)
	return before
}

// filled tells whether a directory holds anything.
func filled(dir string) bool {
	d, err := os.Open(dir)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	return err == nil || !errors.Is(err, io.EOF)
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// notices tell, a line each, what lies where earlier versions put it and how to move it.
func (f *folders) notices() []string {
	var lines []string
	if len(f.kept) > 0 {
		quoted := make([]string, len(f.kept))
		for i, dir := range f.kept {
			quoted[i] = shellQuote(dir)
		}
		lines = append(lines, fmt.Sprintf("what an earlier version kept in the cache is still used there; to move it, stop the daemon and run: mkdir -p %[1]s && mv %[2]s %[1]s/",
			shellQuote(f.data), strings.Join(quoted, " ")))
	}
	for _, b := range f.beside {
		how := fmt.Sprintf("mv -n %s/* %s/", shellQuote(b[0]), shellQuote(b[1]))
		if b[0] == places.Queue(f.home) {
			how = "textmill daemon --set nats.embedded.dir=" + shellQuote(b[0])
		}
		lines = append(lines, fmt.Sprintf("%s is not used, since %s holds something too; what waits in it comes with: %s",
			b[0], b[1], how))
	}
	return lines
}

// shellQuote writes a path as a POSIX shell reads it back.
func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
