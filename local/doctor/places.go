package doctor

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"textmill/export"
	"textmill/ground/durable"
	"textmill/open/store"
)

// tables is the directory that export.uri names; "" where it names a bucket, or nothing that can be.
func (x *examined) tables() (dir string, inBucket bool) {
	path, err := export.Place(x.cfg.Export.URI)
	if err != nil || filepath.IsAbs(path) {
		return path, false
	}
	return "", true
}

// store opens the tables' place as a daemon does, which tries what commits need.
func (x *examined) store(context.Context) {
	o, err := store.Options(x.cfg.Export, x.o.Version)
	if err != nil {
		x.add("store", Fail, "another value of the key that is named", "%v", err)
		return
	}
	dir, inBucket := x.tables()
	tables, err := export.OpenStore(o)
	if err != nil {
		x.add("store", Fail, mendStore(err, dir), "%v", err)
		return
	}
	x.belongs(tables)
	if err := tables.Close(); err != nil {
		x.add("store", Warn, "", "%v", err)
	}
	if inBucket {
		x.ok("store", "%s refuses a second first put, as commits need", x.cfg.Export.URI)
		x.syncs("scratch", x.cfg.Export.Scratch)
		return
	}
	x.ok("store", "%s has hard links, as commits need", x.cfg.Export.URI)
	x.syncs("tables", dir)
}

// mendStore is what mends a directory, or with "" a bucket, that could not be opened or written to.
func mendStore(err error, dir string) string {
	switch {
	case dir == "":
		return "AWS_ENDPOINT_URL, AWS_REGION and credentials of a server with conditional puts (If-None-Match)"
	case errors.Is(err, export.ErrNoSpace), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "make room, or move export.uri to another disk"
	case errors.Is(err, unix.EROFS), errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EPERM):
		return mendWriting(err, existing(dir))
	}
	return "export.uri of a directory on a local disk, or of a bucket"
}

// mendWriting is what lets this user write to a directory that is there.
func mendWriting(err error, dir string) string {
	if errors.Is(err, unix.EROFS) {
		return "mount -o remount,rw the file system of " + dir + ", or name another directory"
	}
	return "chown $(id -un) " + dir
}

// belongs looks whether the queue's rows go to these tables.
func (x *examined) belongs(tables *export.Store) {
	if x.bound == nil {
		return
	}
	switch id, err := tables.Identity(); {
	case err != nil:
		x.add("store", Fail, "restore that file; or stop all daemons, remove it and run textmill daemon --bind-tables", "%v", err)
	case id != x.bound.ID:
		x.add("store", Fail, "export.uri of the queue's tables; or stop its daemons and run textmill daemon --bind-tables",
			"the queue belongs to the tables that were at %.200q of %.80q, and those at %s are others: no daemon starts so",
			x.bound.URI, x.bound.Host, tables.Path())
	default:
		x.ok("store", "the queue belongs to these tables")
	}
}

// slowSync is longer than a disk takes, also one that turns.
const slowSync = 250 * time.Millisecond

// syncs makes a file durable and takes it away.
func (x *examined) syncs(what, dir string) {
	file := filepath.Join(dir, ".doctor-"+time.Now().UTC().Format("20060102T150405.000000000"))
	begun := time.Now()
	err := durable.Write(file, []byte("textmill doctor\n"), 0o600)
	took := time.Since(begun)
	if err == nil {
		err = os.Remove(file)
	}
	switch {
	case err != nil:
		x.add("store", Fail, mendStore(err, dir), "a file that is synced and renamed in %s: %v", dir, err)
	case took > slowSync:
		x.add("store", Warn, "another disk, or a longer export.commit_interval",
			"a file of %s took %s until it was durable; commits wait for several such", what, took.Round(time.Millisecond))
	default:
		x.ok("store", "a file of %s is durable after %s", what, took.Round(10*time.Microsecond))
	}
}

const (
	littleSpace = 10 << 30
	noSpace     = 1 << 30
)

// disks looks at the space of each file system that is written to.
func (x *examined) disks(context.Context) {
	seen := map[uint64]bool{}
	for _, place := range x.written() {
		dir := existing(place.dir)
		var here unix.Stat_t
		var st unix.Statfs_t
		if err := errors.Join(unix.Stat(dir, &here), unix.Statfs(dir, &st)); err != nil {
			x.add("disk", Fail, "see whether its file system is mounted", "%s: %s: %v", place.what, place.dir, err)
			continue
		}
		if seen[here.Dev] {
			continue
		}
		seen[here.Dev] = true
		left := st.Bavail * uint64(st.Bsize)
		percent := 100 * float64(st.Bavail) / max(float64(st.Blocks), 1)
		status, mend := OK, ""
		switch {
		case left < noSpace:
			status, mend = Fail, "make room, or move "+place.key+" to another disk"
		case left < littleSpace:
			status, mend = Warn, "make room, or move "+place.key+" to another disk"
		}
		x.add("disk", status, mend, "%s: %.1f GiB free (%.0f %%) at %s", place.what, float64(left)/(1<<30), percent, dir)
		if st.Files > 0 && st.Ffree < st.Files/100 {
			x.add("disk", Warn, "remove small files", "%s: %d of %d inodes are left at %s", place.what, st.Ffree, st.Files, dir)
		}
	}
}

type place struct{ what, key, dir string }

// written are the directories that a daemon writes to.
func (x *examined) written() []place {
	all := []place{{"parts on their way", "export.scratch", x.cfg.Export.Scratch}}
	if dir, _ := x.tables(); dir != "" {
		all = []place{{"tables", "export.uri", dir}}
	}
	if x.cfg.NATS.URL == "" {
		all = append(all, place{"the queue", "nats.embedded.dir", x.cfg.NATS.Embedded.Dir})
	}
	return append(all, place{"models", "home", x.cfg.Home})
}

// existing is the nearest directory above a path that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// permissions looks at what must be written, and at what others must not read.
func (x *examined) permissions(context.Context) {
	denied := false
	for _, place := range x.written() {
		dir := existing(place.dir)
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			denied = true
			status := Fail
			if place.key == "home" {
				status = Warn // models need only be read
			}
			x.add("permissions", status, mendWriting(err, dir), "%s: %s cannot be written to: %v", place.what, dir, err)
		}
	}
	files := secretFiles(x.cfg)
	for _, key := range slices.Sorted(maps.Keys(files)) {
		file := files[key]
		st, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && key == "nats.embedded.dir": // it is made at the start
		case err != nil:
			denied = true
			x.add("permissions", Fail, key+" of a file that is there", "%s: %v", key, err)
		case st.Mode().Perm()&0o077 != 0:
			denied = true
			x.add("permissions", Warn, "chmod 600 "+file, "%s: others may read %s (%s)", key, file, st.Mode().Perm())
		}
	}
	if !denied {
		x.ok("permissions", "directories can be written to, secrets are this user's alone")
	}
}
