package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// within tells of a table in a directory whether its files are files in it; a bucket has nothing but files.
type within struct{ root *os.Root }

func (v *view) within() (within, error) {
	if v.dir.Remote() {
		return within{}, nil
	}
	root, err := os.OpenRoot(v.dir.Path())
	if err != nil {
		return within{}, fmt.Errorf("open table: %w", err)
	}
	return within{root}, nil
}

func (w within) close() {
	if w.root != nil {
		_ = w.root.Close() // opened for reading
	}
}

// check refuses a link or a device, which programs would follow out of the table. A file that is missing is no finding
// here.
func (w within) check(f LiveFile) error {
	if w.root == nil {
		return nil
	}
	st, err := w.root.Lstat(filepath.FromSlash(f.name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return fmt.Errorf("%w: the log names %q, which is no file in the table: %w", ErrCorrupt, f.name, err)
	}
	return nil
}
