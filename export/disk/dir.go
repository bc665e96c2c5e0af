package disk

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dir is a handle of a directory. It keeps leading to that directory when the path is renamed, deleted or made anew.
// Its methods are safe for concurrent use. A Dir that is dropped is closed by the garbage collector.
type Dir struct {
	f    *os.File
	path string
	Options
}

// Options hold for a directory and for what is opened and made in it.
type Options struct {
	Hook Intercept // nil: none
	// Dirs and Files are the modes of what is made, less the process's umask; 0: DirMode and FileMode.
	Dirs, Files os.FileMode
}

// The modes when nothing else is said: texts are read by their owner and its group.
const (
	DirMode  os.FileMode = 0o750
	FileMode os.FileMode = 0o640
)

func (o Options) dirs() uint32  { return uint32(cmp.Or(o.Dirs, DirMode).Perm()) }
func (o Options) files() uint32 { return uint32(cmp.Or(o.Files, FileMode).Perm()) }

// OpenDir opens the directory at path.
func OpenDir(path string, o Options) (*Dir, error) {
	d := &Dir{path: path, Options: o}
	err := d.do(&Op{Kind: OpOpen, Dir: filepath.Dir(path), Name: filepath.Base(path)}, func() (err error) {
		d.f, err = openDirAt(unix.AT_FDCWD, path, path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// MakeRoot creates path and its parents where they are absent, makes their names durable, and opens it.
func MakeRoot(path string, o Options) (*Dir, error) {
	d := &Dir{path: path, Options: o}
	err := d.do(&Op{Kind: OpMkdir, Dir: filepath.Dir(path), Name: filepath.Base(path)}, func() error {
		return os.MkdirAll(path, os.FileMode(o.dirs()))
	})
	if err != nil {
		return nil, err
	}
	if err := syncAbove(path, o); err != nil {
		return nil, err
	}
	return OpenDir(path, o)
}

// syncAbove makes the names that lead to path durable, whoever made them, up to the root of its file system. A
// directory that may not be read was not made by us.
func syncAbove(path string, o Options) error {
	var here unix.Stat_t
	if err := unix.Stat(path, &here); err != nil {
		return &Error{Kind: OpStat, Path: path, Err: err}
	}
	for parent := filepath.Dir(path); ; parent = filepath.Dir(parent) {
		var st unix.Stat_t
		if unix.Stat(parent, &st) != nil || st.Dev != here.Dev {
			return nil //nolint:nilerr // what cannot be looked at was not made by us
		}
		up, err := OpenDir(parent, o)
		if errors.Is(err, os.ErrPermission) {
			return nil
		}
		if err == nil {
			err = errors.Join(up.Sync(), up.Close())
		}
		if err != nil || parent == filepath.Dir(parent) {
			return err
		}
	}
}

func openDirAt(at int, name, full string) (*os.File, error) {
	for {
		fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), full), nil
	}
}

func (d *Dir) do(op *Op, call func() error) error { return d.Hook.Do(op, call) }

// at runs an operation that takes names in this directory.
func (d *Dir) at(kind Kind, name, to string, call func(fd int) error) error {
	return d.do(&Op{Kind: kind, Dir: d.path, Name: name, To: to}, func() error {
		defer runtime.KeepAlive(d.f)
		for {
			if err := call(int(d.f.Fd())); !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
}

// Path is where the directory was when it was opened.
func (d *Dir) Path() string { return d.path }

// Close gives the handle back.
func (d *Dir) Close() error { return d.f.Close() }

// Sub opens a directory in d without following a symbolic link.
func (d *Dir) Sub(name string) (*Dir, error) {
	s := &Dir{path: filepath.Join(d.path, name), Options: d.Options}
	err := d.at(OpOpen, name, "", func(fd int) error {
		n, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err == nil {
			s.f = os.NewFile(uintptr(n), s.path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// MakeSub creates a directory in d where it is absent, makes its name durable, and opens it.
func (d *Dir) MakeSub(name string) (*Dir, error) {
	err := d.at(OpMkdir, name, "", func(fd int) error { return unix.Mkdirat(fd, name, d.dirs()) })
	if err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	// One that is there already may be of somebody who died before this.
	if err := d.Sync(); err != nil {
		return nil, err
	}
	return d.Sub(name)
}

// Current reports whether the path of d still leads to this directory.
func (d *Dir) Current() (bool, error) {
	var here, there unix.Stat_t
	err := d.at(OpStat, ".", "", func(fd int) error { return unix.Fstat(fd, &here) })
	if err != nil {
		return false, err
	}
	if here.Nlink == 0 {
		return false, nil
	}
	err = d.at(OpStat, ".", "", func(int) error { return unix.Stat(d.path, &there) })
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return here.Ino == there.Ino && here.Dev == there.Dev, nil
}

// Names lists the directory in no particular order.
func (d *Dir) Names() ([]string, error) {
	var names []string
	err := d.at(OpReadDir, ".", "", func(fd int) error {
		// A second handle, since reading a directory moves the handle's position.
		f, err := openDirAt(fd, ".", d.path)
		if err != nil {
			return err
		}
		names, err = f.Readdirnames(-1)
		return errors.Join(err, f.Close())
	})
	return names, err
}

// Link gives name in d the further name newName in to. It fails with os.ErrExist where newName is taken.
func (d *Dir) Link(name string, to *Dir, newName string) error {
	return d.at(OpLink, name, filepath.Join(to.path, newName), func(fd int) error {
		defer runtime.KeepAlive(to.f)
		return unix.Linkat(fd, name, int(to.f.Fd()), newName, 0)
	})
}

// Rename moves name in d to newName in to, replacing what is there.
func (d *Dir) Rename(name string, to *Dir, newName string) error {
	return d.at(OpRename, name, filepath.Join(to.path, newName), func(fd int) error {
		defer runtime.KeepAlive(to.f)
		return unix.Renameat(fd, name, int(to.f.Fd()), newName)
	})
}

// Unlink removes a file's name.
func (d *Dir) Unlink(name string) error {
	return d.at(OpUnlink, name, "", func(fd int) error { return unix.Unlinkat(fd, name, 0) })
}

// Sync makes the names in d durable.
func (d *Dir) Sync() error {
	return d.do(&Op{Kind: OpSyncDir, Dir: d.path, Name: "."}, d.f.Sync)
}

// SyncFile makes a file's content durable that someone else may have written.
func (d *Dir) SyncFile(name string) error {
	f, err := d.Open(name)
	if err != nil {
		return err
	}
	err = d.do(&Op{Kind: OpSync, Dir: d.path, Name: name}, f.Sync)
	return errors.Join(err, f.Close())
}

// CheckLinks reports an error when the file system of d has no hard links.
func (d *Dir) CheckLinks(name string) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	linkErr := d.Link(name, d, name+"-link")
	err = d.Unlink(name)
	if linkErr != nil {
		return fmt.Errorf("the file system at %s has no hard links, which the table's commits need: %w", d.path, linkErr)
	}
	return errors.Join(err, d.Unlink(name+"-link"))
}
