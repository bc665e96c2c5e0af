// Package storage is where the files of tables lie: in a directory, or under a prefix of a bucket.
package storage

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"textmill/export/disk"
)

// Options say how storage is opened.
type Options struct {
	disk.Options
	Scratch  string // a directory of this machine, for what is on its way to a bucket; "" is one for temporary files
	ReadOnly bool   // nothing is made or tried out
}

// Open opens what a URI names: a path, file:///path or s3://bucket/prefix. Unless it is only to be read, a directory
// is made where it is absent, and storage without what commits need is refused: hard links, or puts that only the
// first can win.
func Open(uri string, o Options) (Dir, error) {
	if strings.HasPrefix(uri, "s3://") {
		if o.Scratch == "" {
			o.Scratch = filepath.Join(os.TempDir(), "textmill")
		}
		b, err := openBucket(uri, o.Scratch, o.Options)
		if err != nil {
			return nil, err
		}
		root := &object{b: b, key: b.prefix, root: true}
		if !o.ReadOnly {
			err = b.check(root)
		}
		if err != nil {
			return nil, errors.Join(err, root.Close())
		}
		return root, nil
	}
	path, err := localPath(uri)
	if err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return wrapped(disk.OpenDir(path, o.Options))
	}
	root, err := disk.MakeRoot(path, o.Options)
	if err != nil {
		return nil, err
	}
	if err := root.CheckLinks("." + strings.ToLower(rand.Text())); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return local{root}, nil
}

// Absolute is the absolute path, or the URI of a bucket's prefix, that a URI stands for.
func Absolute(uri string) (string, error) {
	if !strings.HasPrefix(uri, "s3://") {
		return localPath(uri)
	}
	name, prefix, err := parseBucket(uri)
	if err != nil {
		return "", err
	}
	return Join("s3://"+name, prefix), nil
}

// localPath makes an absolute path of a URI.
func localPath(uri string) (string, error) {
	scheme, _, isURI := strings.Cut(uri, "://")
	switch {
	case uri == "":
		return "", errors.New("no URI: name a directory or s3://bucket/prefix")
	case isURI && scheme == "file":
		u, err := url.Parse(uri)
		if err != nil {
			return "", fmt.Errorf("%s: %w", uri, err)
		}
		if u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return "", fmt.Errorf("%s: a file URI is file:///absolute/path", uri)
		}
		uri = u.Path
	case isURI:
		return "", fmt.Errorf("%s: %s storage is not supported, only directories (a path or file://…) and s3://bucket/prefix",
			uri, scheme)
	}
	return filepath.Abs(uri)
}

// Join is filepath.Join for a path or a URI.
func Join(path string, names ...string) string {
	scheme, rest, isURI := strings.Cut(path, "://")
	if !isURI {
		return filepath.Join(append([]string{path}, names...)...)
	}
	return scheme + "://" + filepath.Join(append([]string{rest}, names...)...)
}

// Split takes the last name off a path or a URI.
func Split(path string) (dir, name string) {
	scheme, rest, isURI := strings.Cut(path, "://")
	if !isURI {
		return filepath.Dir(path), filepath.Base(path)
	}
	return scheme + "://" + filepath.Dir(rest), filepath.Base(rest)
}

// Dir is a directory of a table's files. The files are never changed: they appear whole, out of a staged file, and
// vanish. Methods are safe for concurrent use. A name that is not there is os.ErrNotExist; the classes of other errors
// are those of package disk.
type Dir interface {
	// Path is the directory as users write it.
	Path() string
	Close() error
	// Sub opens a directory in this one. One that is not there is os.ErrNotExist, now or when it is read.
	Sub(name string) (Dir, error)
	// MakeSub creates it where it is absent.
	MakeSub(name string) (Dir, error)
	// Current reports whether Path still leads to this directory. A bucket's prefixes have no identity: it is always
	// true.
	Current() (bool, error)
	// Names lists what comes after a name, in no particular order; "" lists everything.
	Names(after string) ([]string, error)
	Stat(name string) (disk.Stat, error)
	Open(name string) (File, error)
	// OpenRanges is Open for who reads little of a file: of an object only what is read is fetched, nothing before.
	OpenRanges(name string) (File, error)
	// Link makes a staged file appear as name if nothing has that name, else os.ErrExist. Where the error is ErrUncertain
	// the name may still appear later.
	Link(stage *disk.Dir, temp, name string) error
	// Place makes a staged file appear as name, replacing what is there. The staged file is gone afterwards.
	Place(stage *disk.Dir, temp, name string) error
	Unlink(name string) error
	// Sync, SyncFile and SyncAll make names, a file's content or everything durable that someone else may have written.
	Sync() error
	SyncFile(name string) error
	SyncAll() error
	// Stage is the directory of this machine for what is not, or never, a file of the table: unfinished files, locks,
	// marks. MakeStage creates it where it is absent.
	Stage() (*disk.Dir, error)
	MakeStage() (*disk.Dir, error)
	// Remote says that other machines write here whose locks nobody here can see.
	Remote() bool
}

// File is a file open for reading.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Name() string
	Stat() (disk.Stat, error)
}

// ErrUncertain says of a failed Link that it may have been carried out, or may still be.
var ErrUncertain = errors.New("it is not known whether the file was made")
