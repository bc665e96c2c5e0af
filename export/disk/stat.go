package disk

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Stat says which file a name leads to.
type Stat struct {
	Size    int64
	Ino     uint64
	Dev     uint64
	Links   uint64
	Mode    os.FileMode
	ModTime time.Time
	Changed time.Time
	Tag     string // what a bucket calls this version of the object
}

// Same reports whether two names lead to one and the same unchanged file.
func (s Stat) Same(o Stat) bool {
	return s.Ino == o.Ino && s.Dev == o.Dev && s.Size == o.Size && s.ModTime.Equal(o.ModTime) && s.Tag == o.Tag
}

func (s Stat) IsDir() bool { return s.Mode.IsDir() }

// Stat looks at a name in d, or at d itself as ".".
func (d *Dir) Stat(name string) (Stat, error) {
	var st unix.Stat_t
	err := d.at(OpStat, name, "", func(fd int) error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return Stat{}, err
	}
	return statOf(&st), nil
}

func statOf(st *unix.Stat_t) Stat {
	s := Stat{
		Size: st.Size, Ino: st.Ino,
		Dev: uint64(st.Dev), Links: uint64(st.Nlink), //nolint:unconvert // signed or shorter on other systems
		ModTime: time.Unix(st.Mtim.Unix()), Changed: time.Unix(st.Ctim.Unix()),
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		s.Mode = os.ModeDir
	}
	return s
}

// StatOf looks at an open file.
func StatOf(f *os.File) (Stat, error) {
	var st unix.Stat_t
	defer runtime.KeepAlive(f)
	for {
		if err := unix.Fstat(int(f.Fd()), &st); err != unix.EINTR {
			return statOf(&st), err
		}
	}
}
