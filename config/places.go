package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Where things lie when nothing says otherwise: what can be fetched again (models, libraries) is cache, what cannot (the
// queue, tables) is data. With home set all of it is one tree.

// cacheHome is the folder of textmill under the user's cache.
func cacheHome() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "textmill"), nil
}

// dataHome is the folder of textmill under the user's data; false where this user has none. Windows has one place for
// both, which nothing clears.
func dataHome() (string, bool) {
	switch runtime.GOOS {
	case "windows":
		dir, err := os.UserCacheDir()
		return filepath.Join(dir, "textmill"), err == nil
	case "darwin", "ios":
		dir, err := os.UserConfigDir() // Application Support
		return filepath.Join(dir, "textmill"), err == nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) { // a relative one counts as unset, says its specification
		return filepath.Join(dir, "textmill"), true
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share", "textmill"), err == nil
}

// places puts home and data in the place of "<home>" and "<data>".
type places struct {
	home, data string
	old        bool // earlier versions kept the data in home
	kept       []string
	beside     [][2]string // what lies in home though it is data, and what is used instead
}

// newPlaces finds the two folders of a configuration; givenHome says that home is not just the default.
func newPlaces(c *Config, givenHome bool) (*places, error) {
	if c.Home == "" {
		return nil, errors.New("is empty and this user has no cache directory; set TEXTMILL_HOME")
	}
	home, err := filepath.Abs(c.Home)
	if err != nil {
		return nil, err
	}
	p := &places{home: home, data: home}
	switch {
	case c.Data != "":
		if rest, ok := strings.CutPrefix(c.Data, "<home>"); ok {
			p.data = filepath.Join(home, rest)
		} else if p.data, err = filepath.Abs(c.Data); err != nil {
			return nil, err
		}
	case !givenHome:
		if dir, ok := dataHome(); ok {
			p.data, p.old = dir, dir != home
		}
	}
	return p, nil
}

// resolve makes a path of the configuration absolute; a value with a scheme stays as it is.
func (p *places) resolve(s string) string {
	if rest, ok := strings.CutPrefix(s, "<home>"); ok {
		return filepath.Join(p.home, rest)
	}
	if rest, ok := strings.CutPrefix(s, "<data>"); ok {
		return p.dataAt(rest)
	}
	if s == "" || strings.Contains(s, "://") || strings.HasPrefix(s, "~") {
		return s
	}
	if abs, err := filepath.Abs(s); err == nil {
		return abs
	}
	return s
}

// dataAt is a place below data, or below home if it was filled there by an earlier version and data has none: queued jobs
// must not strand.
func (p *places) dataAt(rest string) string {
	now, before := filepath.Join(p.data, rest), filepath.Join(p.home, rest)
	if !p.old || now == p.data || !filled(before) || same(before, now) {
		return now
	}
	if filled(now) {
		p.beside = append(p.beside, [2]string{before, now})
		return now
	}
	p.kept = append(p.kept, before)
	return before
}

// filled tells whether a directory holds anything.
func filled(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return err == nil || !errors.Is(err, io.EOF)
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// notices tell, a line each, what lies where earlier versions put it and how to move it.
func (p *places) notices() []string {
	var lines []string
	if len(p.kept) > 0 {
		quoted := make([]string, len(p.kept))
		for i, dir := range p.kept {
			quoted[i] = shellQuote(dir)
		}
		lines = append(lines, fmt.Sprintf("what an earlier version kept in the cache is still used there; to move it, stop the daemon and run: mkdir -p %[1]s && mv %[2]s %[1]s/",
			shellQuote(p.data), strings.Join(quoted, " ")))
	}
	for _, b := range p.beside {
		how := fmt.Sprintf("mv -n %s/* %s/", shellQuote(b[0]), shellQuote(b[1]))
		if filepath.Base(b[0]) == "nats" {
			how = "textmill daemon --set nats.embedded.dir=" + shellQuote(b[0])
		}
		lines = append(lines, fmt.Sprintf("%s is not used, since %s holds something too; what waits in it comes with: %s", b[0], b[1], how))
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
