// Package disk does the file operations of a table through directory handles, each under a name at which a test can
// make it fail.
package disk

import (
	"errors"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind names a file operation.
type Kind string

const (
	OpMkdir   Kind = "mkdir"
	OpOpen    Kind = "open"
	OpCreate  Kind = "create"
	OpWrite   Kind = "write"
	OpSync    Kind = "fsync"
	OpClose   Kind = "close"
	OpLink    Kind = "link"
	OpRename  Kind = "rename"
	OpUnlink  Kind = "unlink"
	OpSyncDir Kind = "syncdir"
	OpSyncAll Kind = "syncfs"
	OpReadDir Kind = "readdir"
	OpStat    Kind = "stat"
	OpLock    Kind = "lock"
)

// Op is one file operation about to be done. Dir is the path by which the directory was opened; To is set for link and
// rename. An interceptor may shorten Data to make a short write.
type Op struct {
	Kind Kind
	Dir  string
	Name string
	To   string
	Data []byte
}

// Intercept stands around every operation: it calls do, or returns an error instead, or both.
type Intercept func(op *Op, do func() error) error

// ErrNoSpace is the class of errors that a full disk or an exhausted quota causes.
var ErrNoSpace = errors.New("no space left")

// ErrFailed is the class of every other failed file operation except absence and existence, which keep os.ErrNotExist
// and os.ErrExist.
var ErrFailed = errors.New("file operation failed")

// Error is a failed operation.
type Error struct {
	Kind Kind
	Path string
	Err  error
}

func (e *Error) Error() string { return string(e.Kind) + " " + e.Path + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Is reports the class of the error.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNoSpace:
		return errors.Is(e.Err, unix.ENOSPC) || errors.Is(e.Err, unix.EDQUOT)
	case ErrFailed:
		return !e.Is(ErrNoSpace) && !errors.Is(e.Err, os.ErrNotExist) && !errors.Is(e.Err, os.ErrExist)
	}
	return false
}

// NotDir reports that a name leads to something other than a directory.
func (e *Error) NotDir() bool { return errors.Is(e.Err, unix.ENOTDIR) || errors.Is(e.Err, unix.ELOOP) }

// Do runs one operation behind the interceptor, which may be nil, and gives its error a name and a class.
func (i Intercept) Do(op *Op, call func() error) error {
	var err error
	if i != nil {
		err = i(op, call)
	} else {
		err = call()
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		runtime.GC() // closes handles that were dropped: the next try may have them
	}
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &Error{Kind: op.Kind, Path: strings.TrimSuffix(op.Dir, "/") + "/" + op.Name, Err: err}
}
