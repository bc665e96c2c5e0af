package delta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/footer"
	"textmill/export/internal/pages"
	"textmill/export/storage"
)

// The rows of a checkpoint: each holds one action. Names and shapes are those of the Delta protocol.
type checkpointRow struct {
	Txn      *checkpointTxn      `parquet:"txn,optional"`
	Add      *checkpointAdd      `parquet:"add,optional"`
	Remove   *checkpointRemove   `parquet:"remove,optional"`
	Metadata *checkpointMetadata `parquet:"metaData,optional"`
	Protocol *checkpointProtocol `parquet:"protocol,optional"`
}

type checkpointTxn struct {
	AppID       string `parquet:"appId,plain,zstd"`
	Version     int64  `parquet:"version,plain,zstd"`
	LastUpdated *int64 `parquet:"lastUpdated,optional,plain,zstd"`
}

type checkpointAdd struct {
	Path             string             `parquet:"path,plain,zstd"`
	PartitionValues  map[string]*string `parquet:"partitionValues" parquet-key:",plain,zstd" parquet-value:",optional,plain,zstd"`
	Size             int64              `parquet:"size,plain,zstd"`
	ModificationTime int64              `parquet:"modificationTime,plain,zstd"`
	DataChange       bool               `parquet:"dataChange,plain,zstd"`
	Stats            *string            `parquet:"stats,optional,plain,zstd"`
	Tags             map[string]*string `parquet:"tags,optional" parquet-key:",plain,zstd" parquet-value:",optional,plain,zstd"`
}

type checkpointRemove struct {
	Path                 string             `parquet:"path,plain,zstd"`
	DeletionTimestamp    *int64             `parquet:"deletionTimestamp,optional,plain,zstd"`
	DataChange           bool               `parquet:"dataChange,plain,zstd"`
	ExtendedFileMetadata *bool              `parquet:"extendedFileMetadata,optional,plain,zstd"`
	PartitionValues      map[string]*string `parquet:"partitionValues,optional" parquet-key:",plain,zstd" parquet-value:",optional,plain,zstd"`
	Size                 *int64             `parquet:"size,optional,plain,zstd"`
	Tags                 map[string]*string `parquet:"tags,optional" parquet-key:",plain,zstd" parquet-value:",optional,plain,zstd"`
}

type checkpointFormat struct {
	Provider string            `parquet:"provider,plain"`
	Options  map[string]string `parquet:"options" parquet-key:",plain" parquet-value:",plain"`
}

type checkpointMetadata struct {
	ID               string            `parquet:"id,plain"`
	Name             *string           `parquet:"name,optional,plain"`
	Description      *string           `parquet:"description,optional,plain"`
	Format           checkpointFormat  `parquet:"format"`
	SchemaString     string            `parquet:"schemaString,plain,zstd"`
	PartitionColumns []string          `parquet:"partitionColumns,list"`
	CreatedTime      *int64            `parquet:"createdTime,optional,plain"`
	Configuration    map[string]string `parquet:"configuration" parquet-key:",plain" parquet-value:",plain"`
}

type checkpointProtocol struct {
	MinReaderVersion int32    `parquet:"minReaderVersion,plain"`
	MinWriterVersion int32    `parquet:"minWriterVersion,plain"`
	ReaderFeatures   []string `parquet:"readerFeatures,optional,list"`
	WriterFeatures   []string `parquet:"writerFeatures,optional,list"`
}

func (l *Log) readCheckpoint(ctx context.Context, c checkpointFiles, s *Snapshot, sink Sink) error {
	for _, name := range c.names {
		f, err := l.dir.Open(name)
		if err == nil {
			err = readCheckpointFile(ctx, f, func(r *checkpointRow) { s.applyRow(r, sink) })
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("read checkpoint %s: %w", name, err)
		}
	}
	return nil
}

// CheckCheckpoint reads the checkpoint of a version and throws away what it says; os.ErrNotExist when there is none.
func (l *Log) CheckCheckpoint(ctx context.Context, version int64) error {
	list, err := l.List()
	if err != nil {
		return err
	}
	for _, c := range list.checkpoints {
		if c.version == version {
			s := &Snapshot{Version: version}
			if err := l.readCheckpoint(ctx, c, s, Sink{}); err != nil {
				return err
			}
			return s.sound()
		}
	}
	return fmt.Errorf("checkpoint %d: %w", version, os.ErrNotExist)
}

func (s *Snapshot) applyRow(r *checkpointRow, sink Sink) {
	s.Actions++
	switch {
	case r.Txn != nil:
		if sink.Txn != nil {
			sink.Txn(Txn(*r.Txn))
		}
	case r.Add != nil:
		s.HasFiles = true
		if sink.Add != nil {
			sink.Add(Add(*r.Add))
		}
	case r.Remove != nil:
		s.HasFiles = true
		if sink.Remove != nil {
			sink.Remove(Remove(*r.Remove))
		}
	case r.Metadata != nil:
		s.Metadata = r.Metadata.action()
	case r.Protocol != nil:
		s.Protocol = Protocol(*r.Protocol)
	}
}

func (m *checkpointMetadata) action() Metadata {
	return Metadata{
		ID: m.ID, Name: m.Name, Description: m.Description, Format: Format(m.Format), SchemaString: m.SchemaString,
		PartitionColumns: m.PartitionColumns, CreatedTime: m.CreatedTime, Configuration: m.Configuration,
	}
}

func readCheckpointFile(ctx context.Context, f storage.File, each func(*checkpointRow)) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return readCheckpointFrom(ctx, f, st.Size, each)
}

// readCheckpointFrom calls each for every row; what it gets is valid only during the call.
func readCheckpointFrom(ctx context.Context, r io.ReaderAt, size int64, each func(*checkpointRow)) (err error) {
	// The Parquet library panics on some damaged files. Here that means one thing only: the file is damaged. A panic in
	// each is another thing.
	calling := false
	defer func() {
		if calling {
			return
		}
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	if err := footer.Check(r, size); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for _, column := range []string{"add", "metaData", "protocol"} {
		if _, ok := file.Schema().Lookup(firstLeaf(column)...); !ok {
			return fmt.Errorf("%w: the checkpoint has no column %s", ErrCorrupt, column)
		}
	}
	if err := pages.CheckAll(r, file, nil, pages.DefaultMax); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	reader := parquet.NewGenericReader[checkpointRow](file)
	defer reader.Close()
	rows := make([]checkpointRow, 256)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		clear(rows)
		n, err := reader.Read(rows)
		calling = true
		for i := range rows[:n] {
			each(&rows[i])
		}
		calling = false
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
}

func firstLeaf(column string) []string {
	switch column {
	case "metaData":
		return []string{column, "id"}
	case "protocol":
		return []string{column, "minReaderVersion"}
	}
	return []string{column, "path"}
}
