package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"textmill/export/delta"
	"textmill/export/parquetin"
	"textmill/export/part"
	"textmill/export/storage"
)

// Inspection is a table as its log tells it, at one version.
type Inspection struct {
	Path       string
	ID         string
	Version    int64
	Checkpoint int64 // version of the newest checkpoint read; -1 when there is none
	Embedding  string
	Vectors    Vectors // that the log binds the table to; none where the first job with vectors will
	Schema     string  // Delta's JSON
	By         Partitioning
	Created    time.Time
	Refused    error // why textmill would not write to the table; nil when it would
	Files      []LiveFile
	Rows       int64
	Bytes      int64
	Settled    int // deliveries and ranges of them whose rows are in the table
	Dead       int
	Cancelled  int // jobs
}

// LiveFile is a part of the table.
type LiveFile struct {
	Path  string // absolute, or a URI
	Size  int64
	Rows  int64 // -1 when the log does not tell
	name  string
	stats string

	partition map[string]*string
}

// view is a table opened for reading only.
type view struct {
	dir  storage.Dir
	log  *delta.Log
	snap *delta.Snapshot
	adds map[string]delta.Add
	txns *txnIndex
}

func openView(ctx context.Context, uri string) (*view, error) {
	v, err := unreadView(uri)
	if err != nil {
		return nil, err
	}
	v.snap, err = v.log.Load(ctx, func() delta.Sink {
		v.txns, v.adds = newTxnIndex(), map[string]delta.Add{}
		sink := liveFiles(v.adds)
		sink.Txn = v.txns.put
		return sink
	})
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("it is not a table: %w", err)
	}
	if err != nil {
		v.close()
		return nil, fmt.Errorf("read the log of %s: %w", v.dir.Path(), err)
	}
	return v, nil
}

// unreadView opens a table whose log is not read yet.
func unreadView(uri string) (*view, error) {
	dir, err := storage.Open(uri, storage.Options{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("open table: %w", err)
	}
	log, err := delta.OpenLog(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not a table: %w", dir.Path(), err), dir.Close())
	}
	return &view{dir: dir, log: log, txns: newTxnIndex()}, nil
}

// liveFiles keeps in adds the files that a log says are the table's.
func liveFiles(adds map[string]delta.Add) delta.Sink {
	return delta.Sink{
		Add:    func(a delta.Add) { adds[a.Path] = a },
		Remove: func(r delta.Remove) { delete(adds, r.Path) },
	}
}

func (v *view) close() {
	_ = v.log.Close() // opened for reading
	_ = v.dir.Close()
}

// Inspect reads the log of the table at a path or URI.
func Inspect(ctx context.Context, uri string) (*Inspection, error) {
	v, err := openView(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer v.close()
	return v.inspect()
}

func (v *view) inspect() (*Inspection, error) {
	terms := termsOf(v.dir.Path(), v.snap)
	in := &Inspection{
		Path: v.dir.Path(), ID: v.snap.Metadata.ID, Version: v.snap.Version, Checkpoint: v.snap.Checkpoint,
		Embedding: terms.kind.String(), Vectors: terms.vectors, Schema: v.snap.Metadata.SchemaString, Refused: terms.refused,
		By:      terms.by,
		Settled: len(v.txns.jobs), Dead: len(v.txns.dead), Cancelled: len(v.txns.ends),
	}
	for _, r := range v.txns.seqs {
		in.Settled += len(r.list)
	}
	for _, r := range v.txns.gone {
		in.Dead += len(r.list)
	}
	if ms := v.snap.Metadata.CreatedTime; ms != nil {
		in.Created = time.UnixMilli(*ms).UTC()
	}
	inside, err := v.within()
	if err != nil {
		return nil, err
	}
	defer inside.close()
	for _, name := range slices.Sorted(maps.Keys(v.adds)) {
		f, err := v.liveFile(v.adds[name])
		if err == nil {
			err = inside.check(f)
		}
		if err != nil {
			return nil, err
		}
		in.Files = append(in.Files, f)
		in.Bytes += f.Size
		in.Rows += max(f.Rows, 0)
	}
	return in, nil
}

func (v *view) liveFile(a delta.Add) (LiveFile, error) { return liveFile(v.dir.Path(), a) }

// fileOf is the name in its table of a file that the log names by a path, a URL relative to the table.
func fileOf(path string) (string, error) {
	name, err := url.PathUnescape(path)
	if err != nil || !filepath.IsLocal(name) || strings.Contains(path, "://") {
		return "", fmt.Errorf("%w: the log names %q, which is no file in the table", ErrCorrupt, path)
	}
	return name, nil
}

// liveFile finds the file of a table that an add names.
func liveFile(table string, a delta.Add) (LiveFile, error) {
	name, err := fileOf(a.Path)
	if err != nil {
		return LiveFile{}, err
	}
	f := LiveFile{
		Path: storage.Join(table, name), Size: a.Size, Rows: -1, name: name, partition: a.PartitionValues,
	}
	if a.Stats == nil {
		return f, nil
	}
	f.stats = *a.Stats
	var s struct {
		NumRecords *int64 `json:"numRecords"`
	}
	if json.Unmarshal([]byte(f.stats), &s) == nil && s.NumRecords != nil {
		f.Rows = *s.NumRecords
	}
	return f, nil
}

// openLive opens a live file in dir and hands it on with its size.
func openLive(dir storage.Dir, f LiveFile, use func(file storage.File, size int64) error) error {
	file, err := dir.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	if err := use(file, st.Size); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}

// read opens a live file and hands its reader to use.
func (v *view) read(f LiveFile, use func(storage.File, *part.Reader) error) error {
	return openLive(v.dir, f, func(file storage.File, size int64) error {
		r, err := part.Open(file, size)
		if err != nil {
			return err
		}
		r.Fill(f.partition)
		return use(file, r)
	})
}

// rows calls each with the rows of a live file in their order, some at a time.
func (v *view) rows(ctx context.Context, f LiveFile, each func([]Row) error) error {
	return v.read(f, func(_ storage.File, r *part.Reader) error { return r.Rows(ctx, each) })
}

// readCells calls each with the cells of some columns, row by row. Null is what the file lacks, unless the log has it,
// as for columns by which the table is partitioned. A row is that of the call before.
func (v *view) readCells(ctx context.Context, f LiveFile, names []string, each func([]parquetin.Value) error) error {
	return v.read(f, func(file storage.File, _ *part.Reader) error {
		st, err := file.Stat()
		if err != nil {
			return err
		}
		in, err := parquetin.Open(file, st.Size, 1<<30)
		if err != nil {
			return err
		}
		columns, complete := f.cells(in, names)
		return in.Read(ctx, nil, columns, func(cells []parquetin.Value) error { return each(complete(cells)) })
	})
}

// cells is which of the columns a file has, and what makes rows of all of them out of these.
func (f LiveFile) cells(in *parquetin.File, names []string) ([]string, func([]parquetin.Value) []parquetin.Value) {
	row := make([]parquetin.Value, len(names))
	columns, at := []string{}, []int{}
	for i, name := range names {
		if slices.ContainsFunc(in.Columns(), func(c parquetin.Column) bool { return c.Name == name }) {
			columns, at = append(columns, name), append(at, i)
			continue
		}
		row[i] = parquetin.Value{Null: true}
		if v := f.partition[name]; v != nil {
			row[i] = parquetin.Value{Text: *v}
		}
	}
	return columns, func(cells []parquetin.Value) []parquetin.Value {
		for i, cell := range cells {
			row[at[i]] = cell
		}
		return row
	}
}

// Scan calls each with all rows of the table at a path or URI, some at a time, in no particular order of files. What
// it gets is valid only during the call.
func Scan(ctx context.Context, uri string, each func([]Row) error) error {
	return ScanJob(ctx, uri, "", each)
}

// ScanJob is Scan of the files that may hold rows of a job, "" for all.
func ScanJob(ctx context.Context, uri, job string, each func([]Row) error) error {
	return scanParts(ctx, uri, job, func(_ int, rows []Row) error { return each(rows) })
}

// scanParts is ScanJob that also tells which file, counted from 0, the rows are of. Those of one file come in its
// order.
func scanParts(ctx context.Context, uri, job string, each func(file int, rows []Row) error) error {
	v, err := openView(ctx, uri)
	if err != nil {
		return err
	}
	defer v.close()
	in, err := v.inspect()
	if err != nil {
		return err
	}
	for i, f := range in.Files {
		if job != "" && f.Without("job", job) {
			continue
		}
		err := v.rows(ctx, f, func(rows []Row) error { return each(i, rows) })
		if err != nil {
			return fmt.Errorf("read table: %w", err)
		}
	}
	return nil
}
