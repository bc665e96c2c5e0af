package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoFiles is the class of arguments that lead to no file.
var ErrNoFiles = errors.New("there is no file")

// Expand makes a list of files of what a user names: a file stays as it is, also - for standard input; a directory is
// the regular files in it and below, in the order of their paths; a pattern of path/filepath's Match, where no file
// has that very name, is the files that match it, in the same order. Names that begin with a dot are left out of
// both. names are what files are called that are whole records: their paths from the directory that was named, or as
// they were named, with slashes.
func Expand(named []string) (files, names []string, err error) {
	for _, name := range named {
		st, err := os.Stat(name)
		switch {
		case InBucket(name): // is expanded where it is cut
			files, names = append(files, name), append(names, name)
		case err == nil && st.IsDir():
			some, err := below(name)
			if err != nil {
				return nil, nil, err
			}
			for _, path := range some {
				rest, err := filepath.Rel(name, path)
				if err != nil {
					return nil, nil, fmt.Errorf("look for files in %s: %w", name, err)
				}
				files, names = append(files, path), append(names, Slashed(rest))
			}
		case errors.Is(err, fs.ErrNotExist) && name != "-" && strings.ContainsAny(name, "*?["):
			some, err := filepath.Glob(name)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
			some = slices.DeleteFunc(some, func(path string) bool { return isDir(path) || hides(path, name) })
			if len(some) == 0 {
				return nil, nil, fmt.Errorf("%w that matches %s", ErrNoFiles, name)
			}
			slices.Sort(some)
			for _, path := range some {
				files, names = append(files, path), append(names, Slashed(path))
			}
		default: // whoever opens it says what is wrong
			files, names = append(files, name), append(names, Slashed(name))
		}
	}
	return files, names, nil
}

// Slashed is a path as ids and attributes hold it, the same on every system.
func Slashed(path string) string {
	return strings.ToValidUTF8(filepath.ToSlash(filepath.Clean(path)), "\ufffd")
}

// hides tells whether a path has a name that begins with a dot where the pattern that it matches has none.
func hides(path, pattern string) bool {
	of := strings.Split(pattern, string(filepath.Separator))
	for i, name := range strings.Split(path, string(filepath.Separator)) {
		if strings.HasPrefix(name, ".") && i < len(of) && !strings.HasPrefix(of[i], ".") {
			return true
		}
	}
	return false
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func below(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for files in %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrNoFiles, dir)
	}
	slices.Sort(files)
	return files, nil
}

// mostPath is how long a line of a list of files may be.
const mostPath = 64 << 10

// List reads a list of files, one a line; empty lines are passed over. What it is called stands in errors.
func List(r io.Reader, called string) ([]string, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, mostPath)
	var names []string
	n := 1
	for ; lines.Scan(); n++ {
		name := strings.TrimSuffix(lines.Text(), "\r")
		if strings.ContainsRune(name, 0) || name == "-" {
			return nil, fmt.Errorf("%s: line %d: %q names no file", called, n, name)
		}
		if name != "" {
			names = append(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: line %d: %w", called, n, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w", called, ErrNoFiles)
	}
	return names, nil
}
