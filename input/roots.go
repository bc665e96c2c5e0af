package input

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"textmill/jobs"
)

var (
	// ErrInputForbidden: the reference leads outside every configured root, or to no regular file.
	ErrInputForbidden = errors.New("input is not under a configured root")
	// ErrInputMissing: no such file.
	ErrInputMissing = errors.New("input is missing")
	// ErrInputChanged: the file is not the one that was referenced; its size or modification time differs.
	ErrInputChanged = errors.New("input has changed")
	// ErrInputRange: the bytes or row groups referenced are not in the file, or cut a record apart.
	ErrInputRange = errors.New("input range")
)

// Roots are the directories and the parts of buckets in which a job's input may lie. A path is resolved step by step
// inside its root, so that neither ".." nor a symbolic link leads out of it.
type Roots struct {
	roots   []root
	objects objects
}

type root struct {
	names []string // the path as configured, and with its own links resolved
	dir   *os.Root
}

// OpenRoots opens each directory; all must exist and be absolute. No paths allow no file, and no s3://bucket/prefix no
// object. Buckets are asked for when they are needed.
func OpenRoots(paths, allow []string) (_ *Roots, err error) {
	r := &Roots{}
	if r.objects.allowed, err = parseAllowed(allow); err != nil {
		return nil, err
	}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return nil, errors.Join(fmt.Errorf("input root %q: the path must be absolute", path), r.Close())
		}
		dir, err := os.OpenRoot(path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("input root: %w", err), r.Close())
		}
		names := []string{filepath.Clean(path)}
		if real, err := filepath.EvalSymlinks(path); err == nil && real != names[0] {
			names = append(names, real)
		}
		r.roots = append(r.roots, root{names: names, dir: dir})
	}
	return r, nil
}

// Close releases the directories.
func (r *Roots) Close() error {
	var errs []error
	for _, root := range r.roots {
		errs = append(errs, root.dir.Close())
	}
	r.roots = nil
	return errors.Join(append(errs, r.objects.close())...)
}

// open opens the regular file that in names.
func (r *Roots) open(in *jobs.Input) (*os.File, fs.FileInfo, error) {
	path, err := in.Path()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInputForbidden, err)
	}
	for _, root := range r.roots {
		if rel, ok := root.relative(path); ok {
			return root.open(rel, in.URI)
		}
	}
	return nil, nil, fmt.Errorf("%w: %s (add its directory to input.roots)", ErrInputForbidden, in.URI)
}

func (r root) relative(path string) (string, bool) {
	for _, name := range r.names {
		if rel, err := filepath.Rel(name, path); err == nil && filepath.IsLocal(rel) {
			return rel, true
		}
	}
	return "", false
}

func (r root) open(rel, uri string) (*os.File, fs.FileInfo, error) {
	// Without O_NONBLOCK a named pipe would hold the daemon.
	f, err := r.dir.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil, fmt.Errorf("%w: %s", ErrInputMissing, uri)
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, fmt.Errorf("%w: %s: the daemon may not read it", ErrInputForbidden, uri)
	case errors.Is(err, syscall.ELOOP), err != nil && !errors.As(err, &errno):
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrInputForbidden, uri, err)
	case err != nil:
		return nil, nil, fmt.Errorf("open %s: %w", uri, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("stat %s: %w", uri, err), f.Close())
	}
	if !st.Mode().IsRegular() {
		return nil, nil, errors.Join(fmt.Errorf("%w: %s is no regular file", ErrInputForbidden, uri), f.Close())
	}
	return f, st, nil
}
