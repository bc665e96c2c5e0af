package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"textmill/export/delta"
	"textmill/export/storage"
	"textmill/ground/naming"
)

// GenerationKey is the property of a table that names the last sync that was committed to it.
const GenerationKey = "textmill.generation"

// manifestName is the file beside a staging table's log that says what it is for. Whoever waits for the table's rows
// renews it.
const manifestName = "sync.json"

// stagingAge is how long nothing was written to a staging table, its manifest included, before a sweep removes it.
const stagingAge = orphanAge

// manifest is what a staging table is for.
type manifest struct {
	Content    string    `json:"content"`    // a hash of all that is to change
	Generation string    `json:"generation"` // of the dataset that was compared with
	Seen       time.Time `json:"seen"`
}

// Staging is a table beside a dataset's that gathers the rows of a sync, each delivery once, until one commit swaps
// them in. Readers of the dataset do not see it.
type Staging struct {
	ID string // of the sync, by which messages name it

	dataset string
	store   *Store
	root    storage.Dir
	dir     storage.Dir
	stage   *stage
	manifest
}

// Stage finds the staging table of a sync that was broken off, which is to change the same in the same generation of
// the dataset, or makes one. Those of syncs that were committed are removed.
func (s *Store) Stage(dataset, content, generation string) (*Staging, error) {
	if err := naming.CheckDataset(dataset); err != nil {
		return nil, fmt.Errorf("%w %w", ErrName, err)
	}
	root, err := s.base()
	if err != nil {
		return nil, err
	}
	names, err := root.Names("")
	if err != nil {
		return nil, fmt.Errorf("look for syncs of %s: %w", dataset, err)
	}
	st := &Staging{dataset: dataset, store: s, root: root,
		manifest: manifest{Content: content, Generation: generation}}
	for _, name := range names {
		of, id, ok := naming.OfStaging(name)
		if !ok || of != dataset {
			continue
		}
		if id == generation {
			if err := removeStaging(root, name); err != nil {
				return nil, err
			}
			continue
		}
		m, err := readManifest(root, name)
		if err == nil && st.ID == "" && m.Content == content && m.Generation == generation {
			st.ID = id
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	if st.ID == "" {
		st.ID = newID()
	}
	return st, st.open()
}

func (st *Staging) open() (err error) {
	if st.dir, err = st.root.MakeSub(st.Table()); err != nil {
		return err
	}
	if st.stage, err = openStage(st.dir); err == nil {
		err = st.Renew()
	}
	if err == nil {
		err = st.root.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make the staging table of sync %s: %w", st.ID, err), st.Close())
	}
	return nil
}

// Table is the staging table's name, under which a daemon knows it.
func (st *Staging) Table() string { return naming.Staging(st.dataset, st.ID) }

// Path is where it lies.
func (st *Staging) Path() string { return st.store.TablePath(st.Table()) }

// Renew says that somebody waits for the table's rows.
func (st *Staging) Renew() error {
	st.Seen = st.store.o.Now().UTC()
	data, err := json.Marshal(st.manifest)
	if err != nil {
		return err
	}
	if err := st.stage.put(st.dir, manifestName, data); err != nil {
		return err
	}
	return st.dir.Sync()
}

// Close leaves the table where it is.
func (st *Staging) Close() error {
	var err error
	if st.stage != nil {
		err = st.stage.close()
	}
	if st.dir != nil {
		err = errors.Join(err, st.dir.Close())
	}
	st.stage, st.dir = nil, nil
	return err
}

// Remove removes the table, whoever still writes to it.
func (st *Staging) Remove() error { return errors.Join(st.Close(), removeStaging(st.root, st.Table())) }

// Missing counts the deliveries whose rows the staging table has not.
func (st *Staging) Missing(ctx context.Context, keys func(each func(Key))) (n int, err error) {
	v, err := openView(ctx, st.Path())
	if errors.Is(err, os.ErrNotExist) {
		keys(func(Key) { n++ })
		return n, nil
	}
	if err != nil {
		return 0, err
	}
	defer v.close()
	keys(func(k Key) {
		if v.txns.look(k) != Committed {
			n++
		}
	})
	return n, nil
}

// Rows calls each with all rows of the staging table, and tells first what their vectors are.
func (st *Staging) Rows(ctx context.Context) (Vectors, func(context.Context, func([]Row) error) error, error) {
	in, err := Inspect(ctx, st.Path())
	if err != nil {
		return Vectors{}, nil, err
	}
	return in.Vectors, func(ctx context.Context, each func([]Row) error) error { return Scan(ctx, in.Path, each) }, nil
}

func readManifest(root storage.Dir, name string) (m manifest, err error) {
	dir, err := root.Sub(name)
	if err != nil {
		return m, err
	}
	defer dir.Close()
	f, err := dir.Open(manifestName)
	if err != nil {
		return m, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return m, err
	}
	if json.Unmarshal(data, &m) != nil {
		return manifest{}, nil // nobody's
	}
	return m, nil
}

// stagingFolders are where a staging table's files lie.
var stagingFolders = []string{"", delta.DirName, marksName}

// removeStaging removes a staging table, its manifest first: what is left of it then is taken up by nobody.
func removeStaging(root storage.Dir, name string) error {
	remove := func() error {
		dir, err := root.Sub(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		if err := dir.Unlink(manifestName); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if stage, err := dir.Stage(); err == nil {
			err = errors.Join(stage.Close(), os.RemoveAll(stage.Path()))
			if err != nil {
				return err
			}
		}
		if !dir.Remote() {
			return os.RemoveAll(dir.Path())
		}
		return eachStaged(dir, func(sub storage.Dir, file string) error { return sub.Unlink(file) })
	}
	if err := remove(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// eachStaged goes through the files of a staging table.
func eachStaged(dir storage.Dir, use func(sub storage.Dir, file string) error) error {
	for _, folder := range stagingFolders {
		sub, err := dir, error(nil)
		if folder != "" {
			if sub, err = dir.Sub(folder); errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			defer sub.Close()
		}
		files, err := sub.Names("")
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		for _, file := range files {
			if err == nil {
				err = use(sub, file)
			}
			if errors.Is(err, os.ErrNotExist) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepStaging removes a staging table to which nobody has written for long: neither a daemon rows, nor whoever waits
// for them a sign of life.
func (s *Store) sweepStaging(root storage.Dir, name string) error {
	dir, err := root.Sub(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	var newest time.Time
	err = eachStaged(dir, func(sub storage.Dir, file string) error {
		st, err := sub.Stat(file)
		if err == nil && st.ModTime.After(newest) {
			newest = st.ModTime
		}
		return err
	})
	if err != nil || s.o.Now().Sub(newest) < stagingAge {
		return err
	}
	return removeStaging(root, name)
}
