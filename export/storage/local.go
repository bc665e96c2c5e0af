package storage

import (
	"os"

	"textmill/export/disk"
)

// stageName is the directory in a table for locks and unfinished files. Readers of Delta tables pass over names that
// begin with an underscore.
const stageName = "_textmill"

// local is a directory of a file system.
type local struct{ *disk.Dir }

// Local makes a Dir of an open directory, which it then owns.
func Local(d *disk.Dir) Dir { return local{d} }

func (l local) Sub(name string) (Dir, error)     { return wrapped(l.Dir.Sub(name)) }
func (l local) MakeSub(name string) (Dir, error) { return wrapped(l.Dir.MakeSub(name)) }
func (l local) Stage() (*disk.Dir, error)        { return l.Dir.Sub(stageName) }
func (l local) MakeStage() (*disk.Dir, error)    { return l.Dir.MakeSub(stageName) }
func (l local) Remote() bool                     { return false }

func wrapped(d *disk.Dir, err error) (Dir, error) {
	if err != nil {
		return nil, err
	}
	return local{d}, nil
}

func (l local) Names(after string) ([]string, error) {
	names, err := l.Dir.Names()
	if err != nil || after == "" {
		return names, err
	}
	kept := names[:0]
	for _, n := range names {
		if n > after {
			kept = append(kept, n)
		}
	}
	return kept, nil
}

func (l local) Open(name string) (File, error) {
	f, err := l.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	return localFile{f}, nil
}

func (l local) Link(stage *disk.Dir, temp, name string) error { return stage.Link(temp, l.Dir, name) }
func (l local) Place(stage *disk.Dir, temp, name string) error {
	return stage.Rename(temp, l.Dir, name)
}

type localFile struct{ *os.File }

func (f localFile) Stat() (disk.Stat, error) {
	st, err := disk.StatOf(f.File)
	if err != nil {
		return st, &disk.Error{Kind: disk.OpStat, Path: f.Name(), Err: err}
	}
	return st, nil
}
