package export

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"textmill/internal/foreign"
)

// modesBelow counts the modes of directories and of files.
func modesBelow(t *testing.T, root string) (dirs, files map[fs.FileMode]int) {
	t.Helper()
	dirs, files = map[fs.FileMode]int{}, map[fs.FileMode]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			dirs[info.Mode().Perm()]++
		} else {
			files[info.Mode().Perm()]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs, files
}

// Everything that is made for a table has the modes of the configuration, less what the umask takes.
func TestModes(t *testing.T) {
	for _, tc := range []struct {
		dirs, files         fs.FileMode
		umask               int
		wantDirs, wantFiles fs.FileMode
	}{
		{0, 0, 0, 0o750, 0o640},
		{0, 0, 0o022, 0o750, 0o640},
		{0, 0, 0o077, 0o700, 0o600},
		{0o770, 0o660, 0, 0o770, 0o660},
		{0o770, 0o660, 0o022, 0o750, 0o640},
		{0o755, 0o644, 0o022, 0o755, 0o644},
	} {
		t.Run(fmt.Sprintf("%o-%o-%o", tc.dirs, tc.files, tc.umask), func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "a", "tables")
			before := unix.Umask(tc.umask)
			defer unix.Umask(before)
			tab := table(t, openStore(t, root, func(o *Options) { o.Dirs, o.Files, o.CheckpointEvery = tc.dirs, tc.files, 2 }))
			put(t, tab, "a")
			put(t, tab, "b")
			tab.work.Wait()
			open := begin(t, tab)
			add(t, open, "c")
			if err := tab.SaveIsolation(t.Context(), key("d"), EmbeddingFloat32,
				&Isolation{Ranges: []int{0, 1}, Running: -1}); err != nil {
				t.Fatal(err)
			}
			dirs, files := modesBelow(t, filepath.Dir(root))
			// a, tables, docs, _delta_log, _textmill; 3 entries, a checkpoint, _last_checkpoint, 2 parts and an open one, a
			// lock, a mark
			if dirs[tc.wantDirs] != 5 || len(dirs) != 1 || files[tc.wantFiles] != 10 || len(files) != 1 {
				t.Errorf("directories %v, files %v; want %v and %v", dirs, files, tc.wantDirs, tc.wantFiles)
			}
		})
	}
}

// With the modes that hold by default a reader of the group reads a table, and nobody else does.
func TestReadersOfTheGroup(t *testing.T) {
	root, err := os.MkdirTemp("", "textmill-modes-") // what t.TempDir makes is for its owner only
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil { // #nosec G302 -- the test's own
		t.Fatal(err)
	}
	tab := table(t, openStore(t, filepath.Join(root, "tables")))
	put(t, tab, "a")
	if os.Getuid() != 0 {
		t.Log("not run: only root may read as somebody else")
		return
	}
	const nobody = 65534
	read := func(groups ...uint32) error {
		cmd := exec.CommandContext(t.Context(), foreign.Interpreter(t), "-c",
			"import sys, deltalake\nprint(deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table().num_rows)"+foreign.Leave, tab.Path())
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: groups}}
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err == nil && string(out) != "10\n" {
			err = fmt.Errorf("it reads %q", out)
		}
		return err
	}
	try := exec.CommandContext(t.Context(), foreign.Interpreter(t), "-c", "import deltalake")
	try.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if try.Dir = root; try.Run() != nil {
		t.Log("not run: nobody else may use the tests' Python")
		return
	}
	if err := read(uint32(os.Getgid())); err != nil {
		t.Errorf("a member of the group: %v", err)
	}
	if err := read(); err == nil {
		t.Error("a stranger reads the table")
	}
}
