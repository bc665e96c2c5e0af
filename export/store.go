// Package export commits result rows to Delta tables, each delivery exactly once.
package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"textmill/export/delta"
	"textmill/export/disk"
	"textmill/export/part"
	"textmill/export/storage"
	"textmill/ground/naming"
)

// Row, Column, Null and the kinds of embeddings are those of the part files.
type (
	Row           = part.Row
	Column        = part.Column
	EmbeddingKind = part.Embedding
	Null[T any]   = part.Null[T]
)

// Some returns a present value.
func Some[T any](v T) Null[T] { return part.Some(v) }

// Columns are those of a Delta schema.
func Columns(schema string) ([]Column, error) { return part.Columns(schema) }

const (
	EmbeddingFloat32 = part.Float32
	EmbeddingInt8    = part.Int8
	EmbeddingInt16   = part.Int16
)

// The classes of errors. ErrNoSpace and ErrStorage leave the table as it was: keep the deliveries and try again later.
var (
	ErrNoSpace = disk.ErrNoSpace // the disk or a quota is full
	ErrStorage = disk.ErrFailed  // another file operation failed
	ErrGone    = delta.ErrGone   // the table was deleted or made anew meanwhile: the rows must be made again
	ErrCorrupt = delta.ErrCorrupt
	ErrRow     = part.ErrRow // a row that no reader could read: its delivery can never be committed
	// ErrUnknown: rows may be in the table but might not survive a power cut. Look the delivery up after a redelivery.
	ErrUnknown = delta.ErrUnknown
	// ErrSchema: the table's embedding column is of another type.
	ErrSchema = errors.New("table holds embeddings of another type")
	// ErrRefused: another tool gave the table features or columns that textmill must not write to.
	ErrRefused = errors.New("table is not one that textmill may write to")
	// ErrConflict: another changed what a rewrite is about to change. Nothing was changed; begin again.
	ErrConflict = errors.New("the table changed meanwhile")
	// ErrName: a dataset's name is unsafe.
	ErrName = errors.New("invalid dataset name")
	// ErrRepeated: the delivery is already in the batch.
	ErrRepeated = errors.New("delivery is already in the batch")
)

// Options say where tables are and how they are written.
type Options struct {
	URI             string            // of the tables: a path, file:///path or s3://bucket/prefix
	Scratch         string            // a directory of this machine, for what is on its way to a bucket
	Dirs, Files     os.FileMode       // modes of what is made, less the umask; 0 = 0750 and 0640
	PartBytes       int64             // a spool starts a new part at about so many bytes; 0 = 128 MiB
	RowGroupBytes   int64             // 0 = 16 MiB
	CheckpointEvery int64             // entries between checkpoints; 0 = 20, negative = never
	Metadata        map[string]string // into each part's footer, e.g. the program's version
	Version         string            // of the program, for commitInfo
	// PartitionBy says how the table of a dataset is partitioned that is made now; nil = no table is.
	PartitionBy func(dataset string) Partitioning
	Logger      *slog.Logger      // nil = discard
	Now         func() time.Time  // nil = time.Now
	Intercept   disk.Intercept    // stands around each operation on files or objects; nil = none
	Point       func(name string) // is told when a rewrite has come to a named point; nil = nobody
	// A key is dropped from the log, at a checkpoint, when it is older than Remember and than the oldest message that is
	// still in the stream, which Oldest tells. Either being zero, or Oldest failing, keeps every key.
	Remember time.Duration
	Oldest   func(ctx context.Context) (time.Time, error)
}

// DefaultPartBytes is the size at which a part is ready to be committed.
const DefaultPartBytes = 128 << 20

// Store is a directory of tables. It is safe for concurrent use.
type Store struct {
	o    Options
	path string

	opening sync.Mutex // one looks whether the directory of tables is still there

	mu       sync.Mutex  // guards what follows, and is not held while a file is waited for
	root     storage.Dir // see base
	identity string      // of the directory of tables; "" where it was not asked to have one
	tables   map[string]*Table
}

// OpenStore opens the place of tables, creating a directory where it is absent. A file system without hard links and a
// bucket without conditional puts are refused.
func OpenStore(o Options) (*Store, error) {
	if o.PartBytes < 0 || o.RowGroupBytes < 0 {
		return nil, fmt.Errorf("part of %d bytes, row group of %d: must not be negative", o.PartBytes, o.RowGroupBytes)
	}
	if o.PartBytes == 0 {
		o.PartBytes = DefaultPartBytes
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.PartitionBy == nil {
		o.PartitionBy = func(string) Partitioning { return nil }
	}
	if o.Point == nil {
		o.Point = func(string) {}
	}
	s := &Store{o: o, tables: map[string]*Table{}}
	var err error
	if s.root, err = s.open(); err != nil {
		return nil, fmt.Errorf("open export.uri: %w", err)
	}
	s.path = s.root.Path()
	return s, nil
}

func (s *Store) open() (storage.Dir, error) {
	return storage.Open(s.o.URI, storage.Options{
		Scratch: s.o.Scratch, Options: disk.Options{Hook: s.o.Intercept, Dirs: s.o.Dirs, Files: s.o.Files},
	})
}

// base is the open directory of tables. One that was deleted, renamed or made anew since is opened again, and made
// where it is absent, as at the start. The handle of before is the garbage collector's to close: somebody may be using
// it.
func (s *Store) base() (storage.Dir, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	root := s.root
	s.mu.Unlock()
	current, err := root.Current()
	if err != nil || current {
		return root, err
	}
	s.o.Logger.Warn("the directory of tables was deleted or made anew", "path", s.path)
	before := root
	if root, err = s.open(); err != nil {
		return nil, fmt.Errorf("open export.uri again: %w", err)
	}
	if err := s.isSame(before, root); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root = root
	return root, nil
}

// SplitTable takes the path or URI of a table apart into that of its store and the dataset.
func SplitTable(uri string) (store, dataset string, err error) {
	path, err := storage.Absolute(uri)
	if err != nil {
		return "", "", err
	}
	store, dataset = storage.Split(path)
	if store == "s3://." {
		return "", "", fmt.Errorf("%s names no table in the bucket", uri)
	}
	return store, dataset, nil
}

// Path is the directory of tables, or the URI of where they are in a bucket.
func (s *Store) Path() string { return s.path }

// TablePath is where the table of a dataset is.
func (s *Store) TablePath(dataset string) string { return storage.Join(s.path, dataset) }

// Dataset is the dataset whose table is at a path; false when that is no table of this store.
func (s *Store) Dataset(path string) (string, bool) {
	dir, name := storage.Split(path)
	return name, dir == s.path && naming.CheckTable(name) == nil
}

// Datasets lists the datasets that have a table.
func (s *Store) Datasets() ([]string, error) {
	root, err := s.base()
	if err != nil {
		return nil, err
	}
	return datasets(root)
}

// Table returns the table of a dataset, which need not exist yet. All callers share one Table, and what it holds open
// is given back when each of them has closed it.
func (s *Store) Table(dataset string) (*Table, error) {
	if err := naming.CheckTable(dataset); err != nil {
		return nil, fmt.Errorf("%w %w", ErrName, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[dataset]
	if t == nil {
		t = &Table{store: s, name: dataset, path: s.TablePath(dataset), log: s.o.Logger.With("dataset", dataset)}
		s.tables[dataset] = t
	}
	t.users++
	return t, nil
}

// leave reports whether it was the last user who left.
func (s *Store) leave(t *Table) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.users--; t.users > 0 || s.tables[t.name] != t {
		return false
	}
	delete(s.tables, t.name)
	return true
}

// Close ends the tables' background work and gives their locks back. Batches must be committed or aborted before.
func (s *Store) Close() error {
	s.mu.Lock()
	tables, root := s.tables, s.root
	s.tables = map[string]*Table{}
	s.mu.Unlock()
	var err error
	for _, t := range tables {
		err = errors.Join(err, t.close())
	}
	return errors.Join(err, root.Close())
}
